//! What a process has used, as the kernel counts it.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// The processor time of all threads, to the nanosecond, as the scheduler counts it. Threads that
/// have ended do not count: those that serve do not end.
pub(crate) fn processor_time(process: u32) -> anyhow::Result<Duration> {
    let mut total = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let schedstat = fs::read_to_string(thread?.path().join("schedstat"))?;
        let running = schedstat.split(' ').next().context("schedstat is empty")?;
        total += running.trim().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(total))
}

/// The proportional set size, in bytes.
pub(crate) fn memory(process: u32) -> anyhow::Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")).context("no Pss")?;
    Ok(kib.trim().parse::<u64>()? * 1024)
}

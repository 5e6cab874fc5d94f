//! What a process has used, as the kernel counts it.

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::time::Duration;

use anyhow::Context as _;

/// The processor time of each thread of a process so far, in nanoseconds, as the scheduler counts it.
pub(crate) struct ProcessorTime(HashMap<String, u64>);

impl ProcessorTime {
    /// Reads it.
    pub(crate) fn of(process: u32) -> anyhow::Result<Self> {
        let mut threads = HashMap::new();
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            let thread = thread?;
            let schedstat = match fs::read_to_string(thread.path().join("schedstat")) {
                // It has ended just now, before the file was opened or before it was read.
                Err(error) if has_ended(&error) => continue,
                schedstat => schedstat?,
            };
            let running = schedstat.split(' ').next().context("schedstat is empty")?;
            let name = thread.file_name().to_string_lossy().into_owned();
            threads.insert(name, running.trim().parse()?);
        }
        Ok(Self(threads))
    }

    /// What all threads have used since. One that has ended meanwhile does not count, nor what it had
    /// used before: those that serve do not end, and one that has compiled a plugin does.
    pub(crate) fn since(process: u32, before: &Self) -> anyhow::Result<Duration> {
        let now = Self::of(process)?;
        let used = now.0.iter().map(|(thread, now)| {
            now.saturating_sub(before.0.get(thread).copied().unwrap_or_default())
        });
        Ok(Duration::from_nanos(used.sum()))
    }
}

fn has_ended(error: &io::Error) -> bool {
    const ESRCH: i32 = 3;
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH)
}

/// The proportional set size, in bytes.
pub(crate) fn memory(process: u32) -> anyhow::Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")).context("no Pss")?;
    Ok(kib.trim().parse::<u64>()? * 1024)
}

use std::time::{Duration, Instant};

use wasmtime::ResourceLimiter;

use crate::host::TICK;

/// Counts what a guest uses of processor and memory.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Ticks that may still begin while guest code runs.
    ticks: u32,
    /// No tick is granted after this.
    ends: Option<Instant>,
    /// The next tick did not pass in the guest's own code.
    excused: bool,
    bytes: usize,
    /// What it has of them.
    used: usize,
    /// What the last granted growth added, in case it fails.
    granted: usize,
    stopped: Option<Stop>,
    refused_growth: bool,
}

/// Why a guest was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Its processor time is used up.
    Cpu,
    /// Its wall time is.
    Deadline,
}

impl Meter {
    /// `cpu` of guest code, in ticks begun; `memory` bytes of memories and tables. `ends` is for
    /// runs that nothing outside of them limits.
    pub(crate) fn new(cpu: Duration, memory: usize, ends: Option<Instant>) -> Self {
        let ticks = cpu.as_nanos().div_ceil(TICK.as_nanos());
        Self {
            ticks: u32::try_from(ticks).unwrap_or(u32::MAX),
            ends,
            excused: false,
            bytes: memory,
            used: 0,
            granted: 0,
            stopped: None,
            refused_growth: false,
        }
    }

    /// A tick passed. Ticks are seen only where guest code runs, and several that pass while the
    /// thread is away, in another task or without a processor, are seen as one; so counting them
    /// charges a guest for its own time. `false` when there is none left.
    pub(crate) fn tick(&mut self, now: Instant) -> bool {
        if self.ends.is_some_and(|ends| now >= ends) {
            self.stopped = Some(Stop::Deadline);
            return false;
        }
        if std::mem::take(&mut self.excused) {
            return true;
        }
        match self.ticks.checked_sub(1) {
            Some(left) => self.ticks = left,
            None => self.stopped = Some(Stop::Cpu),
        }
        self.stopped.is_none()
    }

    /// The guest waited for the host; the tick that it sees next passed meanwhile.
    pub(crate) fn excuse(&mut self) {
        self.excused = true;
    }

    /// What remains of `bytes` grows by this much, and of the ticks nothing is lacking: for the
    /// host's own errands in the guest.
    pub(crate) fn grant(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.ticks = u32::MAX;
        self.ends = None;
    }

    /// Why the guest was interrupted, where it was.
    pub(crate) fn stopped(&self) -> Option<Stop> {
        self.stopped
    }

    /// How many bytes of memories and tables the guest has. They never shrink.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Whether the guest wanted more memory than it may have.
    pub(crate) fn refused_growth(&self) -> bool {
        self.refused_growth
    }

    fn grow(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
        unit: usize,
    ) -> bool {
        let wanted = desired.saturating_sub(current).saturating_mul(unit);
        let possible = maximum.is_none_or(|maximum| desired <= maximum);
        match self.bytes.checked_sub(wanted) {
            Some(left) if possible => {
                self.bytes = left;
                self.used = self.used.saturating_add(wanted);
                self.granted = wanted;
                true
            }
            _ => {
                self.refused_growth = true;
                false
            }
        }
    }

    fn growth_failed(&mut self) {
        let granted = std::mem::take(&mut self.granted);
        self.bytes = self.bytes.saturating_add(granted);
        self.used = self.used.saturating_sub(granted);
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, maximum, 1))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.growth_failed();
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired, maximum, size_of::<usize>()))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.growth_failed();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use wasmtime::ResourceLimiter;

    use super::{Meter, Stop};

    const MIB: usize = 1 << 20;

    fn meter() -> Meter {
        Meter::new(Duration::from_millis(2), MIB, None)
    }

    #[test]
    fn every_tick_begun_counts() {
        let mut meter = meter();
        let now = Instant::now();
        assert!(meter.tick(now));
        assert!(meter.tick(now));
        assert_eq!(meter.stopped(), None);
        assert!(!meter.tick(now));
        assert_eq!(meter.stopped(), Some(Stop::Cpu));
        assert!(!meter.tick(now));
    }

    #[test]
    fn a_tick_after_waiting_is_the_hosts() {
        let mut meter = meter();
        let now = Instant::now();
        for _ in 0..10 {
            meter.excuse();
            meter.excuse();
            assert!(meter.tick(now));
        }
        assert!(meter.tick(now) && meter.tick(now) && !meter.tick(now));
    }

    #[test]
    fn wall_time_ends_it_too() {
        let now = Instant::now();
        let mut meter = Meter::new(Duration::from_secs(9), MIB, Some(now));
        assert!(!meter.tick(now));
        assert_eq!(meter.stopped(), Some(Stop::Deadline));
    }

    #[test]
    fn memories_and_tables_are_summed() {
        let mut meter = meter();
        assert!(meter.memory_growing(0, MIB / 2, None).unwrap());
        assert!(meter.table_growing(0, 1024, None).unwrap());
        assert!(!meter.refused_growth());
        assert!(!meter.memory_growing(0, MIB / 2, None).unwrap());
        assert!(meter.refused_growth());
        assert!(meter.memory_growing(MIB / 2, MIB - 8192, None).unwrap());
        assert!(!meter.table_growing(1024, 1025, None).unwrap());
    }

    #[test]
    fn growth_that_fails_costs_nothing() {
        let mut meter = meter();
        assert!(meter.memory_growing(0, MIB, None).unwrap());
        meter.memory_grow_failed(wasmtime::Error::msg("no")).unwrap();
        assert!(meter.memory_growing(0, MIB, None).unwrap());
        assert_eq!(meter.used(), MIB);
        assert!(!meter.memory_growing(0, 1, Some(0)).unwrap());
        assert_eq!(meter.used(), MIB);
    }
}

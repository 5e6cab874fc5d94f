use std::time::Duration;

use super::UnixTime;

/// When is tried again, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// `expire-after`: for how long a message is tried, from its arrival; and a report, from when
    /// it is due.
    pub expire_after: Duration,
    /// `retry-after`: the first pause. Each further one is twice as long.
    pub retry_after: Duration,
    /// `retry-at-most`: the longest pause.
    pub retry_at_most: Duration,
}

impl Schedule {
    /// When is tried next after that many attempts: from `from`, with up to a quarter more by
    /// `chance`, and once more when the time has come to give up.
    pub(super) fn next(
        &self,
        attempts: u32,
        from: UnixTime,
        expires: UnixTime,
        chance: f64,
    ) -> UnixTime {
        let doublings = attempts.saturating_sub(1).min(31);
        let pause = self.retry_after.saturating_mul(1 << doublings).min(self.retry_at_most);
        let chance = if chance.is_finite() { chance.clamp(0.0, 1.0) } else { 0.0 };
        let more = (pause / 4).mul_f64(chance);
        let next = from.after(pause.saturating_add(more));
        // Not in the same second, whatever the settings say; and not before `from`, when a back end
        // may still be heard.
        next.min(expires).max(UnixTime(from.0.saturating_add(1)))
    }
}

//! The `log` interface: lines that reach the operator, few and tame.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::Guest;
use crate::bindings::waypost::policy::log::{Host, Level};
use crate::metrics::PolicyMetrics;
use crate::text::tame;

/// The longest line, in octets.
const LINE: usize = 4096;
/// Lines in one decision, or one `configure`.
const LINES: u32 = 32;
/// Lines of one policy in a second, over all its decisions.
const RATE: f64 = 50.0;
/// Lines that may come at once after a quiet time.
const BURST: f64 = 200.0;

/// One guest's access to the log.
pub(crate) struct Voice {
    policy: Arc<str>,
    gate: Arc<LogGate>,
    lines: u32,
    dropped: u64,
}

/// A policy's log lines against the clock: a token bucket for all its decisions.
#[derive(Debug)]
pub(crate) struct LogGate {
    bucket: Mutex<Bucket>,
    metrics: PolicyMetrics,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
    dropped: u64,
}

impl LogGate {
    pub(crate) fn new(metrics: PolicyMetrics) -> Self {
        let bucket = Bucket { tokens: BURST, filled: Instant::now(), dropped: 0 };
        Self { bucket: Mutex::new(bucket), metrics }
    }

    /// Takes leave for one line. What was dropped since the last line that got it is returned
    /// with it.
    fn pass(&self, now: Instant) -> Option<u64> {
        let mut bucket = self.bucket.lock();
        let since = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = since.mul_add(RATE, bucket.tokens).min(BURST);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            bucket.dropped = bucket.dropped.saturating_add(1);
            return None;
        }
        bucket.tokens -= 1.0;
        Some(std::mem::take(&mut bucket.dropped))
    }
}

impl Voice {
    pub(crate) fn new(policy: Arc<str>, gate: Arc<LogGate>) -> Self {
        Self { policy, gate, lines: 0, dropped: 0 }
    }

    /// The policy's metrics, which go where its words go.
    pub(super) fn metrics(&self) -> &PolicyMetrics {
        &self.gate.metrics
    }

    fn write(&mut self, level: Level, message: String) {
        if !enabled(level) {
            return;
        }
        self.lines = self.lines.saturating_add(1);
        if self.lines > LINES {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let Some(dropped_before) = self.gate.pass(Instant::now()) else {
            self.gate.metrics.log_lines_dropped(1);
            return;
        };
        self.note_dropped(dropped_before, "too many in a short time");
        let policy: &str = &self.policy;
        let message = tame(message, LINE);
        match level {
            Level::Debug => tracing::debug!(target: "waypost::plugin", policy, "{message}"),
            Level::Info => tracing::info!(target: "waypost::plugin", policy, "{message}"),
            Level::Warn => tracing::warn!(target: "waypost::plugin", policy, "{message}"),
            Level::Error => tracing::error!(target: "waypost::plugin", policy, "{message}"),
        }
    }

    fn note_dropped(&self, lines: u64, why: &'static str) {
        if lines == 0 {
            return;
        }
        let policy: &str = &self.policy;
        tracing::warn!(target: "waypost::plugin", policy, lines, why, "log lines dropped");
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        if self.dropped == 0 {
            return;
        }
        self.gate.metrics.log_lines_dropped(self.dropped);
        if let Some(dropped_before) = self.gate.pass(Instant::now()) {
            self.note_dropped(dropped_before, "too many in a short time");
            self.note_dropped(self.dropped, "too many in one decision");
        }
    }
}

/// Asked before any work, since most lines are for levels that nobody has switched on.
fn enabled(level: Level) -> bool {
    match level {
        Level::Debug => tracing::enabled!(target: "waypost::plugin", tracing::Level::DEBUG),
        Level::Info => tracing::enabled!(target: "waypost::plugin", tracing::Level::INFO),
        Level::Warn => tracing::enabled!(target: "waypost::plugin", tracing::Level::WARN),
        Level::Error => tracing::enabled!(target: "waypost::plugin", tracing::Level::ERROR),
    }
}

impl Host for Guest {
    fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.voice.write(level, message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{BURST, LogGate};
    use crate::metrics::Metrics;

    #[test]
    fn a_policy_that_floods_is_slowed_down() {
        let gate = LogGate::new(Metrics::unregistered().of_policy(&"p".into()));
        let start = Instant::now();
        let passed = |now| (0..1000).filter(|_| gate.pass(now).is_some()).count();
        assert_eq!(passed(start), BURST as usize);
        let later = start + Duration::from_secs(1);
        assert_eq!(gate.pass(later), Some(1000 - BURST as u64));
        assert_eq!(gate.pass(later), Some(0));
        assert!((45..=50).contains(&passed(later)));
    }
}

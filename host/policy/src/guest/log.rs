//! The `log` interface: lines that reach the operator, few and tame.

use std::sync::Arc;
use std::time::Instant;

use super::Guest;
use crate::bindings::waypost::policy::log::{Host, Level};
use crate::metrics::PolicyMetrics;
use crate::observation::{LineLevel, LogLine};
use crate::rate::Rate;
use crate::text::tame;

/// The longest line, in octets.
const LINE: usize = 4096;
/// Lines in one decision, or one `configure`.
const LINES: u32 = 32;
/// Lines of one policy in a second, over all its decisions.
const RATE: u32 = 50;
/// Lines that may come at once after a quiet time.
const BURST: u32 = 200;

/// One guest's access to the log.
pub(crate) struct Voice {
    policy: Arc<str>,
    gate: Arc<LogGate>,
    lines: u32,
    dropped: u64,
    /// The lines, where somebody wants to see them all.
    heard: Option<Vec<LogLine>>,
}

/// What the decisions of one policy share of the log.
#[derive(Debug)]
pub(crate) struct LogGate {
    rate: Rate,
    metrics: PolicyMetrics,
}

impl LogGate {
    pub(crate) fn new(metrics: PolicyMetrics) -> Self {
        Self { rate: Rate::new(RATE, BURST), metrics }
    }
}

impl Voice {
    pub(crate) fn new(policy: Arc<str>, gate: Arc<LogGate>) -> Self {
        Self { policy, gate, lines: 0, dropped: 0, heard: None }
    }

    /// The same, for somebody who wants to see all lines.
    pub(crate) fn heard(mut self) -> Self {
        self.heard = Some(Vec::new());
        self
    }

    /// The lines so far, where they were to be seen.
    pub(crate) fn take_heard(&mut self) -> Vec<LogLine> {
        self.heard.take().unwrap_or_default()
    }

    /// The policy's metrics, which go where its words go.
    pub(super) fn metrics(&self) -> &PolicyMetrics {
        &self.gate.metrics
    }

    fn write(&mut self, level: Level, message: String) {
        if !enabled(level) && self.heard.is_none() {
            return;
        }
        self.lines = self.lines.saturating_add(1);
        if self.lines > LINES {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let message = tame(message, LINE);
        if let Some(heard) = &mut self.heard {
            heard.push(LogLine { level: level.into(), message: message.clone() });
            if !enabled(level) {
                return;
            }
        }
        let Some(dropped_before) = self.gate.rate.pass(Instant::now()) else {
            self.gate.metrics.log_lines_dropped(1);
            return;
        };
        self.note_dropped(dropped_before, "too many in a short time");
        let policy: &str = &self.policy;
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
        if let Some(dropped_before) = self.gate.rate.pass(Instant::now()) {
            self.note_dropped(dropped_before, "too many in a short time");
            self.note_dropped(self.dropped, "too many in one decision");
        }
    }
}

impl From<Level> for LineLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
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
        self.host_calls = self.host_calls.saturating_add(1);
        self.voice.write(level, message);
        Ok(())
    }
}

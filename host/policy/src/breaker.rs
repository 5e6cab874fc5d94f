//! Holding back a plugin that keeps failing, or the one address that makes it fail.
//!
//! Only what a plugin does by itself counts: traps, processor time, memory. Everything else (a
//! slow directory, a rubbish answer, a full queue) says nothing about the next decision.

mod suspects;

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use waypost_model::Fault;

use suspects::Suspects;

/// How many of the latest outcomes are looked at.
const WINDOW: usize = 16;
/// Outcomes older than this are forgotten.
const WINDOW_AGE: Duration = Duration::from_secs(60);
/// Fewer bad outcomes than this never open the breaker.
const MIN_BAD: usize = 5;
/// The bad outcomes must be spread over this many addresses; otherwise it is the addresses.
const MIN_ADDRESSES: usize = 3;
/// The first time that the breaker stays open; each failed probe doubles it.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// The longest time that the breaker stays open.
const MAX_BACKOFF: Duration = Duration::from_secs(60);
/// A probe that has not ended by then is taken for lost, and the next decision probes.
const PROBE_PATIENCE: Duration = Duration::from_secs(30);

/// The circuit breaker of one policy. Memory is fixed, whatever addresses are asked for.
#[derive(Debug)]
pub(crate) struct Breaker {
    hasher: RandomState,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    window: Window,
    suspects: Suspects,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    /// Nothing passes until `until`; then one decision probes.
    Open {
        until: Instant,
        backoff: Duration,
    },
    /// One decision is under way since `since`; the others wait for what becomes of it.
    Probing {
        since: Instant,
        backoff: Duration,
    },
}

/// What the breaker shows, in metrics and elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Decisions are made.
    Closed,
    /// The next decision tells whether it closes.
    HalfOpen,
    /// Decisions are refused with the fault `not-loaded`.
    Open,
}

/// Permission to decide, to be given back with what came of it.
#[derive(Debug)]
#[must_use]
pub(crate) struct Pass {
    address: u64,
    probe: bool,
}

impl Pass {
    /// Whether this decision tells if the breaker closes.
    pub(crate) fn is_probe(&self) -> bool {
        self.probe
    }
}

/// What came of a decision, for the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The plugin ran to its end.
    Good,
    /// A trap, too much processor time, too much memory.
    Bad,
    /// Says nothing about the plugin.
    Neutral,
}

impl Verdict {
    pub(crate) fn of(fault: Option<&Fault>) -> Self {
        match fault {
            None | Some(Fault::InvalidOutput(_)) => Self::Good,
            Some(Fault::Trap(_) | Fault::Cpu | Fault::Memory) => Self::Bad,
            Some(Fault::Deadline | Fault::Saturated | Fault::NotLoaded) => Self::Neutral,
        }
    }
}

impl Breaker {
    pub(crate) fn new() -> Self {
        let inner = Inner {
            state: State::Closed,
            window: Window::default(),
            suspects: Suspects::default(),
        };
        Self { hasher: RandomState::new(), inner: Mutex::new(inner) }
    }

    /// Asks whether a decision on `address` may be made now. `None` is the fault `not-loaded`.
    pub(crate) fn admit(&self, address: &str, now: Instant) -> Option<Pass> {
        let address = self.hasher.hash_one(address);
        let mut inner = self.inner.lock();
        if inner.suspects.holds_back(address, now) {
            return None;
        }
        let probe = match inner.state {
            State::Closed => false,
            State::Open { until, backoff } if now >= until => {
                inner.state = State::Probing { since: now, backoff };
                true
            }
            State::Probing { since, backoff }
                if now.saturating_duration_since(since) >= PROBE_PATIENCE =>
            {
                inner.state = State::Probing { since: now, backoff };
                true
            }
            State::Open { .. } | State::Probing { .. } => return None,
        };
        Some(Pass { address, probe })
    }

    /// Notes what came of a decision. Returns the state when this changed it.
    pub(crate) fn record(
        &self,
        pass: Pass,
        verdict: Verdict,
        now: Instant,
    ) -> Option<BreakerState> {
        let mut inner = self.inner.lock();
        let backoff = match (verdict, inner.state) {
            (Verdict::Neutral, State::Probing { backoff, .. }) if pass.probe => {
                // The next one probes.
                inner.state = State::Open { until: now, backoff };
                return None;
            }
            (Verdict::Neutral, _) => return None,
            (Verdict::Good, State::Probing { .. }) if pass.probe => {
                inner.suspects.clear(pass.address);
                inner.window = Window::default();
                inner.state = State::Closed;
                return Some(BreakerState::Closed);
            }
            (Verdict::Bad, State::Probing { backoff, .. }) if pass.probe => {
                backoff.saturating_mul(2).min(MAX_BACKOFF)
            }
            (verdict, State::Closed) => {
                let bad = verdict == Verdict::Bad;
                inner.window.push(Outcome { bad, address: pass.address, at: now });
                if !bad {
                    inner.suspects.clear(pass.address);
                    return None;
                }
                inner.suspects.note(pass.address, now, || jitter(&self.hasher, now));
                if !inner.window.is_rotten(now) {
                    return None;
                }
                FIRST_BACKOFF
            }
            // A decision that began before the breaker opened.
            (_, State::Open { .. } | State::Probing { .. }) => return None,
        };
        let until = now + backoff.mul_f64(jitter(&self.hasher, now));
        inner.state = State::Open { until, backoff };
        Some(BreakerState::Open)
    }

    /// The state as of `now`.
    pub(crate) fn state(&self, now: Instant) -> BreakerState {
        match self.inner.lock().state {
            State::Closed => BreakerState::Closed,
            State::Open { until, .. } if now < until => BreakerState::Open,
            State::Open { .. } | State::Probing { .. } => BreakerState::HalfOpen,
        }
    }

    /// Forgets everything: an operator knows better.
    pub(crate) fn reset(&self) {
        let mut inner = self.inner.lock();
        inner.state = State::Closed;
        inner.window = Window::default();
        inner.suspects = Suspects::default();
    }
}

/// A factor between 0.75 and 1.25 that neither a plugin nor a client can foresee, so that the
/// breakers of several processes do not probe in step.
fn jitter(hasher: &RandomState, now: Instant) -> f64 {
    let random = hasher.hash_one(now) >> 40;
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit")]
    let unit = random as f64 / f64::from(1_u32 << 24);
    0.75 + unit / 2.0
}

#[derive(Clone, Copy, Debug)]
struct Outcome {
    bad: bool,
    address: u64,
    at: Instant,
}

/// The latest outcomes, oldest overwritten first.
#[derive(Debug, Default)]
struct Window {
    outcomes: [Option<Outcome>; WINDOW],
    next: usize,
}

impl Window {
    fn push(&mut self, outcome: Outcome) {
        if let Some(slot) = self.outcomes.get_mut(self.next) {
            *slot = Some(outcome);
        }
        self.next = (self.next + 1) % WINDOW;
    }

    /// At least half of the outcomes are bad, they are not few, and they are not one address's.
    fn is_rotten(&self, now: Instant) -> bool {
        let recent = || {
            self.outcomes
                .iter()
                .flatten()
                .filter(|outcome| now.saturating_duration_since(outcome.at) < WINDOW_AGE)
        };
        let bad = recent().filter(|outcome| outcome.bad).count();
        if bad < MIN_BAD || bad * 2 < recent().count() {
            return false;
        }
        let mut addresses: Vec<u64> =
            recent().filter(|outcome| outcome.bad).map(|outcome| outcome.address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses.len() >= MIN_ADDRESSES
    }
}

#[cfg(test)]
mod tests;

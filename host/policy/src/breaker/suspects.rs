use std::time::{Duration, Instant};

/// How many addresses are kept in mind. More that fault at the same time are not one address's
/// trouble but the breaker's.
const SUSPECTS: usize = 32;
/// So many bad outcomes in a row and the address is held back.
const STRIKES: u32 = 3;
/// How long at first; each further bad outcome doubles it.
const FIRST_HOLD: Duration = Duration::from_secs(5);
/// How long at most.
const MAX_HOLD: Duration = Duration::from_secs(300);
/// A suspect that has been quiet for so long is none any more.
const FORGET: Duration = Duration::from_secs(900);

/// Addresses whose decisions ended badly and not well since, by keyed hash.
#[derive(Debug, Default)]
pub(super) struct Suspects([Option<Suspect>; SUSPECTS]);

#[derive(Clone, Copy, Debug)]
struct Suspect {
    address: u64,
    strikes: u32,
    last: Instant,
    held_until: Option<Instant>,
}

impl Suspects {
    /// Whether decisions on this address are refused.
    pub(super) fn holds_back(&self, address: u64, now: Instant) -> bool {
        self.find(address).is_some_and(|s| s.held_until.is_some_and(|until| now < until))
    }

    /// Notes a bad outcome.
    pub(super) fn note(&mut self, address: u64, now: Instant, jitter: impl FnOnce() -> f64) {
        let forgotten = |s: &Suspect| now.saturating_duration_since(s.last) >= FORGET;
        let strikes = match self.find(address) {
            Some(suspect) if !forgotten(suspect) => suspect.strikes.saturating_add(1),
            _ => 1,
        };
        let held_until = strikes.checked_sub(STRIKES).map(|over| {
            let factor = 1_u32.checked_shl(over).unwrap_or(u32::MAX);
            now + FIRST_HOLD.saturating_mul(factor).min(MAX_HOLD).mul_f64(jitter())
        });
        *self.slot(address) = Some(Suspect { address, strikes, last: now, held_until });
    }

    /// Notes that a decision on this address went well.
    pub(super) fn clear(&mut self, address: u64) {
        for slot in &mut self.0 {
            if slot.is_some_and(|s| s.address == address) {
                *slot = None;
            }
        }
    }

    fn find(&self, address: u64) -> Option<&Suspect> {
        self.0.iter().flatten().find(|suspect| suspect.address == address)
    }

    /// The address's own slot, or an empty one, or the one with the fewest strikes, the longest
    /// ago: an attacker with many addresses pushes out other beginners first.
    fn slot(&mut self, address: u64) -> &mut Option<Suspect> {
        let [first, rest @ ..] = &mut self.0;
        let rank = |slot: &Option<Suspect>| match slot {
            Some(s) if s.address == address => (0, 0, None),
            None => (1, 0, None),
            Some(s) => (2, s.strikes, Some(s.last)),
        };
        rest.iter_mut().fold(first, |best, slot| if rank(slot) < rank(best) { slot } else { best })
    }
}

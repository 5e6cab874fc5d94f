use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::decide::PolicyIdentity;

/// A failure older than this says nothing about now.
const REMEMBER: Duration = Duration::from_secs(5);
/// So many failures without an answer between them, and the directory counts as down. One alone
/// may be the fault of one search, and nobody shall be able to make routes stale by asking for it.
const IN_A_ROW: u32 = 3;
/// How often somebody is sent to see whether a directory that is down has come back.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Which policies cannot ask their directories at the moment.
///
/// While one cannot, a user with a stale route does not wait until one more search has timed out.
#[derive(Default)]
pub(crate) struct Outages(Mutex<HashMap<PolicyIdentity, Outage>>);

struct Outage {
    in_a_row: u32,
    since: Instant,
    last_failure: Instant,
    next_probe: Instant,
}

impl Outage {
    fn is_recent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last_failure) < REMEMBER
    }
}

/// Whether it is worth waiting for a policy that has a stale route to offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Ask it.
    Up,
    /// Use the stale route; let somebody ask without waiting where `probe` says so.
    Down { probe: bool },
}

impl Outages {
    pub(crate) fn standing(&self, policy: PolicyIdentity, now: Instant) -> Standing {
        let mut outages = self.0.lock();
        let Some(outage) = outages.get_mut(&policy) else { return Standing::Up };
        if outage.in_a_row < IN_A_ROW || !outage.is_recent(now) {
            return Standing::Up;
        }
        let probe = now >= outage.next_probe;
        if probe {
            outage.next_probe = now + PROBE_EVERY;
        }
        Standing::Down { probe }
    }

    /// Whether a directory could not be asked a moment ago. Then a policy that is too slow or too
    /// busy is so because of that.
    pub(crate) fn is_likely(&self, policy: PolicyIdentity, now: Instant) -> bool {
        self.0.lock().get(&policy).is_some_and(|outage| outage.is_recent(now))
    }

    /// Notes that a directory could not be asked. Returns whether it counts as down from now on.
    pub(crate) fn failed(&self, policy: PolicyIdentity, now: Instant) -> bool {
        let mut outages = self.0.lock();
        let new = Outage { in_a_row: 0, since: now, last_failure: now, next_probe: now };
        let outage = outages.entry(policy).or_insert(new);
        if !outage.is_recent(now) {
            outage.in_a_row = 0;
            outage.since = now;
        }
        outage.in_a_row = outage.in_a_row.saturating_add(1);
        outage.last_failure = now;
        outage.next_probe = now + PROBE_EVERY;
        outage.in_a_row == IN_A_ROW
    }

    /// Notes that a policy had all that it asked for. Returns how long its directory was down.
    pub(crate) fn answered(&self, policy: PolicyIdentity, now: Instant) -> Option<Duration> {
        let outage = self.0.lock().remove(&policy)?;
        let was_down = outage.in_a_row >= IN_A_ROW;
        was_down.then(|| now.saturating_duration_since(outage.since))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Outages, PROBE_EVERY, REMEMBER, Standing};
    use crate::decide::PolicyIdentity;

    const POLICY: PolicyIdentity = PolicyIdentity::from_digest(&[1; 32]);

    #[test]
    fn one_failure_is_no_outage_and_three_are() {
        let (outages, now) = (Outages::default(), Instant::now());
        for began in [false, false, true, false] {
            assert_eq!(outages.failed(POLICY, now), began);
            assert!(outages.is_likely(POLICY, now));
        }
        assert_eq!(outages.standing(POLICY, now), Standing::Down { probe: false });
        let other = PolicyIdentity::from_digest(&[2; 32]);
        assert_eq!(outages.standing(other, now), Standing::Up);
    }

    #[test]
    fn an_answer_between_failures_starts_the_count_anew() {
        let (outages, now) = (Outages::default(), Instant::now());
        for _ in 0..10 {
            outages.failed(POLICY, now);
            outages.failed(POLICY, now);
            assert_eq!(outages.answered(POLICY, now), None);
        }
        assert_eq!(outages.standing(POLICY, now), Standing::Up);
    }

    #[test]
    fn somebody_is_sent_once_in_a_while_and_an_answer_ends_it() {
        let (outages, now) = (Outages::default(), Instant::now());
        let _ = [(); 3].map(|()| outages.failed(POLICY, now));
        let later = now + PROBE_EVERY;
        assert_eq!(outages.standing(POLICY, later), Standing::Down { probe: true });
        assert_eq!(outages.standing(POLICY, later), Standing::Down { probe: false });
        assert_eq!(outages.answered(POLICY, later), Some(PROBE_EVERY));
        assert_eq!(outages.standing(POLICY, later), Standing::Up);
    }

    #[test]
    fn an_outage_that_nobody_saw_for_a_while_is_forgotten() {
        let (outages, now) = (Outages::default(), Instant::now());
        let _ = [(); 3].map(|()| outages.failed(POLICY, now));
        let later = now + REMEMBER + Duration::from_secs(1);
        assert_eq!(outages.standing(POLICY, later), Standing::Up);
        assert!(!outages.failed(POLICY, later));
    }
}

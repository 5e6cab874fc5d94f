use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// For how long the same thing is not said again.
const PAUSE: Duration = Duration::from_secs(60);
/// So many things at most are remembered; while they are, no further one is due.
const MOST: usize = 4096;

/// What is to be said at a level that wakes somebody up, and no more than once a minute: whoever
/// retries must not flood the log with it. In between it belongs to a quieter level.
#[derive(Default)]
pub struct Seldom {
    key: RandomState,
    said: Mutex<HashMap<u64, Instant>>,
}

impl Seldom {
    /// Whether `what` has not been said for a while. It counts as said from now on.
    pub fn is_due(&self, what: impl Hash) -> bool {
        self.is_due_at(what, Instant::now())
    }

    fn is_due_at(&self, what: impl Hash, now: Instant) -> bool {
        let what = self.key.hash_one(what);
        let mut said = self.said.lock();
        let is_recent = |last: &Instant| now.saturating_duration_since(*last) < PAUSE;
        if said.get(&what).is_some_and(is_recent) {
            return false;
        }
        if said.len() >= MOST {
            said.retain(|_, last| is_recent(last));
            if said.len() >= MOST {
                return false;
            }
        }
        said.insert(what, now);
        true
    }
}

impl fmt::Debug for Seldom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seldom").field("said", &self.said.lock().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{MOST, PAUSE, Seldom};

    #[test]
    fn the_same_is_due_once_a_minute() {
        let (seldom, now) = (Seldom::default(), Instant::now());
        assert!(seldom.is_due_at(("user1", "bad-data"), now));
        assert!(!seldom.is_due_at(("user1", "bad-data"), now + PAUSE / 2));
        assert!(seldom.is_due_at(("user1", "target-denied"), now));
        assert!(seldom.is_due_at(("user1", "bad-data"), now + PAUSE));
    }

    #[test]
    fn many_at_once_find_a_limit() {
        let (seldom, now) = (Seldom::default(), Instant::now());
        assert_eq!((0..2 * MOST).filter(|n| seldom.is_due_at(n, now)).count(), MOST);
        assert!(seldom.is_due_at(2 * MOST, now + PAUSE), "what is old makes room");
    }
}

use std::num::NonZeroUsize;
use std::time::Duration;

/// How passwords are checked at the front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `verified-for`: how long a password that was right is taken for right without its being
    /// checked again, as long as the policy's answer and the stored value stay the same; zero checks
    /// each time. 30 s.
    pub verified_for: Duration,
    /// `threads`: how many costly hashes may be computed at once; more wait. Half the
    /// processors, at least one.
    pub threads: NonZeroUsize,
    /// `memory`: how much memory they may take together, in octets. 512 MiB.
    pub memory: u64,
    /// `timeout`: for a whole verification, waiting for its turn included. 5 s.
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            verified_for: Duration::from_secs(30),
            threads: NonZeroUsize::new(processors / 2).unwrap_or(NonZeroUsize::MIN),
            memory: 512 << 20,
            timeout: Duration::from_secs(5),
        }
    }
}

/// What failed logins cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureSettings {
    /// `failures-without-delay`: how many failed logins of one user, or from one network, cost
    /// nothing but the usual delay. 5.
    pub without_delay: u32,
    /// `failure-delay`: how long the first attempt beyond waits before anybody is asked; each
    /// further failure doubles it. 1 s.
    pub delay: Duration,
    /// `max-failure-delay`: the longest wait. 15 s.
    pub max_delay: Duration,
    /// `failures-forgotten-after`: a user or network without a further failure for so long begins
    /// anew. 15 min.
    pub forgotten_after: Duration,
    /// `max-attempts-in-flight`: how many logins of one user, or from one network, may be undecided
    /// at once; zero is no limit. 100.
    pub max_in_flight: u32,
}

impl Default for FailureSettings {
    fn default() -> Self {
        Self {
            without_delay: 5,
            delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(15),
            forgotten_after: Duration::from_secs(15 * 60),
            max_in_flight: 100,
        }
    }
}

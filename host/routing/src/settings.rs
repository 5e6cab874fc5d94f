use std::num::NonZeroUsize;
use std::time::Duration;

/// What the operator says of the route cache: the table `[cache]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `cache-for`: for how long a route is reused whose policy does not say. Zero keeps nothing
    /// that a policy did not ask to be kept; a day is the most that either may say. 60 s.
    pub cache_for: Duration,
    /// `negative-for`: for how long a refusal or a pass is reused at most, whatever the policy
    /// says. 30 s.
    pub negative_for: Duration,
    /// `stale-for`: for how long after its time a route is still used while the directory cannot be
    /// asked. Zero switches that off. 1 h.
    pub stale_for: Duration,
    /// `routes`: how many routes are kept. About 300 octets each. 100,000.
    pub routes: NonZeroUsize,
    /// `negatives`: how many refusals, passes and deferrals are kept, in a space of their own. 10,000.
    pub negatives: NonZeroUsize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cache_for: Duration::from_secs(60),
            negative_for: Duration::from_secs(30),
            stale_for: Duration::from_secs(3600),
            routes: const { NonZeroUsize::new(100_000).unwrap() },
            negatives: const { NonZeroUsize::new(10_000).unwrap() },
        }
    }
}

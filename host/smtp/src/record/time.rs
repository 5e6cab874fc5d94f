use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// A time that outlives the process: seconds since 1970.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixTime(pub u64);

impl UnixTime {
    /// The time that is later by `wait`, of which parts of a second count as a whole one.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        let part = u64::from(wait.subsec_nanos() > 0);
        Self(self.0.saturating_add(wait.as_secs()).saturating_add(part))
    }
}

impl From<SystemTime> for UnixTime {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs())
    }
}

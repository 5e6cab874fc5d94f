use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// A time that outlives the process: seconds since 1970.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixTime(pub u64);

/// The last second that a date is written of.
const LAST: u64 = 253_402_300_799;

impl UnixTime {
    /// The first second that is later by `wait` than any moment in this one: the clock may have
    /// stood at its very end.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        let parts = u64::from(!wait.is_zero()) + u64::from(wait.subsec_nanos() > 0);
        Self(self.0.saturating_add(wait.as_secs()).saturating_add(parts))
    }

    /// For how long this second has not come yet.
    pub(crate) fn still(self, now: SystemTime) -> Duration {
        let begin = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.0));
        begin.map_or(Duration::MAX, |begin| begin.duration_since(now).unwrap_or_default())
    }

    /// The time as a mail header has it (RFC 5322 section 3.3), in UTC. After the year 9999 it
    /// stands still.
    pub fn date(self) -> String {
        let seconds = i64::try_from(self.0.min(LAST)).unwrap_or_default();
        let time = OffsetDateTime::from_unix_timestamp(seconds);
        let date = time.ok().and_then(|time| time.format(&Rfc2822).ok());
        date.unwrap_or_default()
    }
}

impl From<SystemTime> for UnixTime {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{LAST, UnixTime};

    #[test]
    fn dates() {
        assert_eq!(UnixTime(0).date(), "Thu, 01 Jan 1970 00:00:00 +0000");
        assert_eq!(UnixTime(1_709_210_096).date(), "Thu, 29 Feb 2024 12:34:56 +0000");
        assert_eq!(UnixTime(LAST).date(), "Fri, 31 Dec 9999 23:59:59 +0000");
        assert_eq!(UnixTime(u64::MAX).date(), UnixTime(LAST).date());
    }

    #[test]
    fn a_wait_is_never_cut_short() {
        let almost_eight = SystemTime::UNIX_EPOCH + Duration::from_millis(7999);
        for wait in [0, 1, 999, 1000, 1001, 2000, 2001].map(Duration::from_millis) {
            let until = UnixTime::from(almost_eight).after(wait);
            assert!(until.still(almost_eight) >= wait, "{wait:?}: {until:?}");
        }
        assert_eq!(UnixTime(7).after(Duration::ZERO), UnixTime(7));
        assert_eq!(UnixTime(u64::MAX).after(Duration::MAX), UnixTime(u64::MAX));
    }

    #[test]
    fn a_second_begins_when_the_clock_comes_to_it() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(7900);
        assert_eq!(UnixTime(8).still(now), Duration::from_millis(100));
        assert_eq!(UnixTime(7).still(now), Duration::ZERO);
        assert!(UnixTime(u64::MAX).still(now) > Duration::from_secs(1 << 40));
    }
}

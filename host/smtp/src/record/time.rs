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
    /// The time that is later by `wait`, of which parts of a second count as a whole one.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        let part = u64::from(wait.subsec_nanos() > 0);
        Self(self.0.saturating_add(wait.as_secs()).saturating_add(part))
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
    use std::time::Duration;

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
        assert_eq!(UnixTime(7).after(Duration::from_secs(2)), UnixTime(9));
        assert_eq!(UnixTime(7).after(Duration::from_millis(2001)), UnixTime(10));
        assert_eq!(UnixTime(u64::MAX).after(Duration::MAX), UnixTime(u64::MAX));
    }
}

//! Whether an account of Active Directory is in use.

use waypost_sdk::{Answer, Entry, Failure, Host, Refusal, refuse};

/// The attributes that say so.
pub(crate) const ATTRIBUTES: [&str; 2] = [CONTROL, EXPIRES];
const CONTROL: &str = "userAccountControl";
const EXPIRES: &str = "accountExpires";

/// `ADS_UF_ACCOUNTDISABLE`.
const DISABLED: i64 = 2;
/// From 1601, where Active Directory's time begins, to 1970, in seconds.
const BEFORE_1970: i64 = 11_644_473_600;
/// Active Directory counts in tenths of a microsecond.
const TICKS: i64 = 10_000_000;
/// For how long an answer may be kept of an account that will expire, in seconds.
const KEEP: u64 = 300;

/// What an account's state makes of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// It is in use.
    InUse,
    /// It is in use now; for so many seconds an answer holds.
    For(u32),
    /// It is disabled, or has expired.
    Disabled,
}

impl Account {
    /// Reads it. The clock is read only where an account will expire, since such an answer is not
    /// kept for long.
    pub(crate) fn of(entry: &Entry, host: &dyn Host) -> Result<Self, Failure> {
        if number(entry, CONTROL)?.is_some_and(|control| control & DISABLED != 0) {
            return Ok(Self::Disabled);
        }
        match number(entry, EXPIRES)? {
            None | Some(0 | i64::MAX) => Ok(Self::InUse),
            Some(ticks) => {
                let at = u64::try_from(ticks / TICKS - BEFORE_1970).unwrap_or(0);
                match at.checked_sub(host.client().now()) {
                    None | Some(0) => Ok(Self::Disabled),
                    Some(left) => Ok(Self::For(u32::try_from(left.min(KEEP)).unwrap_or(0))),
                }
            }
        }
    }

    /// The answer, unless there is none for such an account.
    pub(crate) fn allow(&self, answer: impl FnOnce() -> Answer) -> Answer {
        match self {
            Self::InUse => answer(),
            Self::For(seconds) => Answer { cache_for: Some(*seconds), ..answer() },
            Self::Disabled => refuse(Refusal::DisabledUser),
        }
    }
}

fn number(entry: &Entry, name: &str) -> Result<Option<i64>, Failure> {
    let attribute = entry.attributes.iter().find(|it| it.name.eq_ignore_ascii_case(name));
    let Some(value) = attribute.and_then(|attribute| attribute.values.first()) else {
        return Ok(None);
    };
    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    let bad = || Failure::BadData(format!("{}: {name} is not a number", entry.dn));
    number.map(Some).ok_or_else(bad)
}

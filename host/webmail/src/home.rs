//! Where a browser's cookies come from: which back end has set them, for which user.
//!
//! A browser sends a host every cookie that anybody behind that host has set, and says neither who
//! that was nor for which paths. When the user changes or is moved, what the back end before has set
//! is not for the next one to see: it may be a session there. So a mark goes with each cookie that a
//! back end sets ([`crate::marks`]), which says for whom it was set and where.
//!
//! What bears no mark, a script has set, or another host of the domain, or a back end before Waypost
//! stood before it. Of that only the browser's *past* can say whose it is: as long as it has had one
//! user, on one target, it is theirs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use waypost_model::Address;

/// The length of a [`Home`], in octets.
pub const HOME_OCTETS: usize = 8;
/// The length of a [`Past`], in octets.
pub const PAST_OCTETS: usize = HOME_OCTETS + 8;

/// A user on a target, as a digest: short, since it stands in a cookie. It is sealed there, so that
/// nobody can look for two that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home([u8; HOME_OCTETS]);

/// Who a browser has belonged to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Whose back end has answered last; `None` before the first.
    pub home: Option<Home>,
    /// When it was last seen that there may be cookies of more than one home, to the second.
    pub mixed_at: Option<SystemTime>,
}

impl Home {
    /// The home of this user on a target, by the name that the log has for it. Upper and lower case
    /// of the address are the same: users do not write it always alike.
    pub fn of(address: &Address, target: &str) -> Self {
        let address = address.as_str().to_lowercase();
        let mut home = Self(shortened(&[address.as_bytes(), target.as_bytes()]));
        if home.0 == [0; HOME_OCTETS] {
            // That stands for none.
            home.0 = [1; HOME_OCTETS];
        }
        home
    }

    /// As it stands in a cookie.
    pub(crate) fn octets(home: Option<Self>) -> [u8; HOME_OCTETS] {
        home.map_or([0; HOME_OCTETS], |home| home.0)
    }

    pub(crate) fn from_octets(octets: [u8; HOME_OCTETS]) -> Option<Self> {
        (octets != [0; HOME_OCTETS]).then_some(Self(octets))
    }
}

impl Past {
    /// With cookies of more than one home.
    #[must_use]
    pub fn mixed(self, now: SystemTime) -> Self {
        Self { mixed_at: Some(now), ..self }
    }

    /// After an answer of this home.
    #[must_use]
    pub fn at(self, home: Home, now: SystemTime) -> Self {
        let known = if self.is_elsewhere(home) { self.mixed(now) } else { self };
        Self { home: Some(home), ..known }
    }

    /// Whether cookies without a mark are of this home. After `lifetime` they are taken for that
    /// again: what a script keeps for longer is its settings.
    pub fn is_only(&self, home: Home, now: SystemTime, lifetime: Duration) -> bool {
        let since = |at: SystemTime| now.duration_since(at).unwrap_or_default();
        !self.is_elsewhere(home) && self.mixed_at.is_none_or(|at| since(at) >= lifetime)
    }

    fn is_elsewhere(&self, home: Home) -> bool {
        self.home.is_some_and(|known| known != home)
    }

    /// As it stands in a cookie.
    pub(crate) fn octets(&self) -> [u8; PAST_OCTETS] {
        let mut octets = [0; PAST_OCTETS];
        let (home, mixed_at) = octets.split_at_mut(HOME_OCTETS);
        home.copy_from_slice(&Home::octets(self.home));
        mixed_at.copy_from_slice(&self.mixed_at.map_or(0, seconds).to_be_bytes());
        octets
    }

    pub(crate) fn from_octets(octets: [u8; PAST_OCTETS]) -> Option<Self> {
        let (home, mixed_at) = octets.split_first_chunk()?;
        let mixed_at = u64::from_be_bytes(mixed_at.try_into().ok()?);
        let at = UNIX_EPOCH.checked_add(Duration::from_secs(mixed_at))?;
        Some(Self { home: Home::from_octets(*home), mixed_at: (mixed_at != 0).then_some(at) })
    }
}

/// A time as it stands in a cookie.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The first octets of a digest over several parts, each with its length before it, so that no
/// two lists of parts are one text.
pub(crate) fn shortened<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut text = Vec::new();
    for part in parts {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part);
    }
    let digest = digest(&SHA256, &text);
    digest.as_ref().first_chunk().copied().unwrap_or([0; N])
}

//! The mark that goes with a back end's cookie: who has set it, for whom.

use super::SealKeys;
use super::envelope::{Kind, sealed_length};
use crate::home::{HOME_OCTETS, Home, shortened};

const VALUE_OCTETS: usize = 6;
/// How long a sealed mark is, in characters.
pub const MARK_LENGTH: usize = sealed_length(HOME_OCTETS + VALUE_OCTETS);

/// Says of a cookie by whose back end it was set, and with which value: there may be several of one
/// name, for other paths, and each has a mark of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    home: Home,
    value: [u8; VALUE_OCTETS],
}

impl Mark {
    /// The mark of a cookie with this value.
    pub fn new(home: Home, value: &[u8]) -> Self {
        Self { home, value: shortened(&[value]) }
    }

    /// Whether the cookie was set there.
    pub fn is_of(&self, home: Home) -> bool {
        self.home == home
    }

    /// Whether it was set to this value.
    pub fn is_for(&self, value: &[u8]) -> bool {
        self.value == shortened(&[value])
    }

    /// As the value of a cookie of its own, whose name is sealed with it: no mark is another
    /// cookie's.
    pub fn seal(&self, name: &[u8], keys: &SealKeys) -> Option<String> {
        let text = [&Home::octets(Some(self.home))[..], &self.value].concat();
        kind(name).seal(text, keys)
    }

    /// The mark that a cookie of this name holds, if we have sealed it.
    pub fn open(sealed: &[u8], name: &[u8], keys: &SealKeys) -> Option<Self> {
        if sealed.len() != MARK_LENGTH {
            return None;
        }
        let text = kind(name).open(sealed, keys).ok()?;
        let (home, value) = text.split_first_chunk()?;
        Some(Self { home: Home::from_octets(*home)?, value: value.try_into().ok()? })
    }
}

fn kind(name: &[u8]) -> Kind<'_> {
    Kind { purpose: b"waypost cookie mark", name, version: 1 }
}

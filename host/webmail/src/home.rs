//! Whose cookies a browser has: which back end set them, for which user.
//!
//! A browser sends a host every cookie that anybody behind that host has set. When the user changes
//! or is moved, what the back end before has set is not for the next one to see: it may be a
//! session there. So the route cookie says for whom and for which target the others are; when that
//! changes, those that the browser has then are *strangers*, remembered by a digest of name and
//! value, and none of them is passed on again. The new back end sets its own over them.
//!
//! Nothing is deleted in the browser: another answer, to a request that was on its way at the same
//! time, would delete what the new back end has just set.

use aws_lc_rs::digest::{SHA256, digest};
use waypost_model::Address;

/// The length of a [`Home`], in octets.
pub const HOME_OCTETS: usize = 8;
/// The length of what is kept of a stranger, in octets.
pub const STRANGER_OCTETS: usize = 6;
/// The most strangers that are remembered. Webmails set a handful of cookies.
pub const MAX_STRANGERS: usize = 32;

/// A user on a target, as a digest: short, since it stands in a cookie. It is sealed there, so that
/// nobody can look for two that are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home([u8; HOME_OCTETS]);

/// Cookies, by digests of name and value, that are not to be passed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strangers(Vec<[u8; STRANGER_OCTETS]>);

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

impl Strangers {
    /// Whether a cookie is one.
    pub fn contains(&self, name: &[u8], value: &[u8]) -> bool {
        !self.0.is_empty() && self.0.contains(&stranger(name, value))
    }

    /// Makes a cookie one. Beyond [`MAX_STRANGERS`] the first are forgotten.
    pub fn insert(&mut self, name: &[u8], value: &[u8]) {
        self.add(stranger(name, value));
    }

    /// Makes all of `others` some.
    pub fn extend(&mut self, others: &Self) {
        others.0.iter().for_each(|other| self.add(*other));
    }

    fn add(&mut self, stranger: [u8; STRANGER_OCTETS]) {
        if self.0.contains(&stranger) {
            return;
        }
        if self.0.len() == MAX_STRANGERS {
            self.0.remove(0);
        }
        self.0.push(stranger);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8; STRANGER_OCTETS]> {
        self.0.iter()
    }

    pub(crate) fn from_octets(octets: &[u8]) -> Option<Self> {
        let (strangers, rest) = octets.as_chunks();
        (rest.is_empty() && strangers.len() <= MAX_STRANGERS).then(|| Self(strangers.to_vec()))
    }
}

fn stranger(name: &[u8], value: &[u8]) -> [u8; STRANGER_OCTETS] {
    shortened(&[name, value])
}

/// The first octets of a digest over several parts, each with its length before it, so that no
/// two lists of parts are one text.
fn shortened<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut text = Vec::new();
    for part in parts {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part);
    }
    let digest = digest(&SHA256, &text);
    digest.as_ref().first_chunk().copied().unwrap_or([0; N])
}

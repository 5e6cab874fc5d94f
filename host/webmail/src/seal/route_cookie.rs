//! What the cookie holds, and how it is written.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thiserror::Error;
use waypost_model::{Address, MAX_ADDRESS};

use super::SealKeys;
use super::envelope::{Kind, sealed_length};
use crate::home::{PAST_OCTETS, Past, seconds};
use crate::proof::{PROOF_OCTETS, Proof};

const ROUTE_COOKIE: Kind<'_> = Kind { purpose: b"waypost route cookie", name: b"", version: 3 };
const PAST: Kind<'_> = Kind { purpose: b"waypost past", name: b"", version: 1 };

/// Seconds, past, proof.
const FIXED: usize = 8 + PAST_OCTETS + PROOF_OCTETS;
/// The longest sealed cookie, in characters. Browsers keep 4096 with name and attributes (RFC 6265
/// section 6.1).
pub const MAX_SEALED: usize = sealed_length(FIXED + MAX_ADDRESS);

/// What a browser remembers of its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteCookie {
    /// Whom it is for.
    pub address: Address,
    /// When it was sealed, to the second.
    pub sealed_at: SystemTime,
    /// Who else the browser has belonged to.
    pub past: Past,
    /// As whom the front has found its user's password right, if it has.
    pub proof: Option<Proof>,
}

/// Why a cookie is none. Whoever brings such a one is nobody, and asked anew.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum OpenError {
    /// Not something that Waypost ever wrote.
    #[error("it is not in the form of a route cookie")]
    Malformed,
    /// Another version of Waypost wrote it.
    #[error("it is in the form of another version")]
    Version,
    /// It was sealed with a key that is not in the file, or not any more.
    #[error("its key is not known")]
    Key,
    /// It was written or changed by somebody without the key.
    #[error("its seal is broken")]
    Seal,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
}

impl OpenError {
    /// The name in logs and metrics.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Version => "version",
            Self::Key => "key",
            Self::Seal => "seal",
            Self::Expired => "expired",
        }
    }
}

impl RouteCookie {
    /// One for a browser that no back end has been opened for yet.
    pub fn new(address: Address, now: SystemTime) -> Self {
        Self { address, sealed_at: now, past: Past::default(), proof: None }
    }

    /// The cookie's value, sealed with the first key: letters, digits, `-` and `_`, at most
    /// [`MAX_SEALED`] of them. `None` if the cryptographic library does not do its work.
    pub fn seal(&self, keys: &SealKeys) -> Option<String> {
        let mut text = Vec::with_capacity(FIXED + MAX_ADDRESS);
        text.extend_from_slice(&seconds(self.sealed_at).to_be_bytes());
        text.extend_from_slice(&self.past.octets());
        text.extend_from_slice(&Proof::octets(self.proof));
        text.extend_from_slice(self.address.as_str().as_bytes());
        ROUTE_COOKIE.seal(text, keys)
    }

    /// Opens what [`seal`](Self::seal) has written with any of `keys`, if it is younger than
    /// `lifetime`. What another node's clock dates ahead of `now` counts as written now.
    ///
    /// # Errors
    /// It is to be treated as if it were not there.
    pub fn open(
        text: &[u8],
        keys: &SealKeys,
        now: SystemTime,
        lifetime: Duration,
    ) -> Result<Self, OpenError> {
        if text.len() > MAX_SEALED {
            return Err(OpenError::Malformed);
        }
        let text = ROUTE_COOKIE.open(text, keys)?;
        let cookie = Self::read(&text).ok_or(OpenError::Malformed)?;
        match cookie.age(now) < lifetime {
            true => Ok(cookie),
            false => Err(OpenError::Expired),
        }
    }

    /// How long ago it was sealed.
    pub fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.sealed_at).unwrap_or_default()
    }

    /// Whether it is this user's. Upper and lower case are the same, as in a [`Home`](crate::home::Home).
    pub fn is_of(&self, address: &Address) -> bool {
        self.address.as_str().to_lowercase() == address.as_str().to_lowercase()
    }

    fn read(text: &[u8]) -> Option<Self> {
        let (seconds, text) = text.split_first_chunk()?;
        let (past, text) = text.split_first_chunk()?;
        let (proof, text) = text.split_first_chunk()?;
        let sealed_at = Duration::from_secs(u64::from_be_bytes(*seconds));
        Some(Self {
            address: Address::new(str::from_utf8(text).ok()?, None).ok()?,
            sealed_at: UNIX_EPOCH.checked_add(sealed_at)?,
            past: Past::from_octets(*past)?,
            proof: Proof::from_octets(*proof),
        })
    }
}

impl Past {
    /// What stays of a route cookie when its user is forgotten, as the value of a cookie of its own.
    pub fn seal(&self, keys: &SealKeys) -> Option<String> {
        PAST.seal(self.octets().to_vec(), keys)
    }

    /// Opens what [`seal`](Self::seal) has written with any of `keys`.
    pub fn open(sealed: &[u8], keys: &SealKeys) -> Option<Self> {
        let text = (sealed.len() <= MAX_SEALED).then(|| PAST.open(sealed, keys).ok())??;
        Self::from_octets(text.try_into().ok()?)
    }
}

//! What the cookie holds, and how it is written.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;
use waypost_model::{Address, MAX_ADDRESS};

use super::SealKeys;
use super::keys::{KeyId, NONCE_OCTETS, TAG_OCTETS};
use crate::home::{HOME_OCTETS, Home, MAX_STRANGERS, STRANGER_OCTETS, Strangers};
use crate::proof::{PROOF_OCTETS, Proof};

/// The version of what follows, the first octet.
const VERSION: u8 = 2;
/// What is sealed cannot be taken for anything else that the same key may seal one day.
const CONTEXT: &[u8] = b"waypost route cookie";

/// Version, key, nonce.
const HEAD: usize = 1 + size_of::<KeyId>() + NONCE_OCTETS;
/// Seconds, home, proof, number of strangers.
const FIXED: usize = 8 + HOME_OCTETS + PROOF_OCTETS + 1;
const MAX_OCTETS: usize = HEAD + FIXED + MAX_STRANGERS * STRANGER_OCTETS + MAX_ADDRESS + TAG_OCTETS;
/// The longest sealed cookie, in characters. Browsers keep 4096 with name and attributes (RFC 6265
/// section 6.1).
pub const MAX_SEALED: usize = MAX_OCTETS.div_ceil(3) * 4;

/// What a browser remembers of its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteCookie {
    /// Whom it is for.
    pub address: Address,
    /// When it was sealed, to the second.
    pub sealed_at: SystemTime,
    /// Whose cookies the browser has beside this one: `None` before the first back end was
    /// reached.
    pub home: Option<Home>,
    /// As whom the front has found its user's password right, if it has.
    pub proof: Option<Proof>,
    /// Cookies that another back end has left there, or another user.
    pub strangers: Strangers,
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
        Self { address, sealed_at: now, home: None, proof: None, strangers: Strangers::default() }
    }

    /// The cookie's value, sealed with the first key: letters, digits, `-` and `_`, at most
    /// [`MAX_SEALED`] of them. `None` if the cryptographic library does not do its work.
    pub fn seal(&self, keys: &SealKeys) -> Option<String> {
        let key = keys.newest()?;
        let mut text = Vec::with_capacity(MAX_OCTETS);
        text.extend_from_slice(&seconds(self.sealed_at).to_be_bytes());
        text.extend_from_slice(&Home::octets(self.home));
        text.extend_from_slice(&Proof::octets(self.proof));
        text.push(u8::try_from(self.strangers.iter().count()).ok()?);
        self.strangers.iter().for_each(|stranger| text.extend_from_slice(stranger));
        text.extend_from_slice(self.address.as_str().as_bytes());

        let nonce = key.seal(&context(key.id()), &mut text).ok()?;
        let mut sealed = Vec::with_capacity(HEAD + text.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&key.id());
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&text);
        Some(URL_SAFE_NO_PAD.encode(sealed))
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
        let mut octets = URL_SAFE_NO_PAD.decode(text).map_err(|_| OpenError::Malformed)?;
        let (version, rest) = octets.split_first_mut().ok_or(OpenError::Malformed)?;
        if *version != VERSION {
            return Err(OpenError::Version);
        }
        let (id, rest) = rest.split_first_chunk_mut().ok_or(OpenError::Malformed)?;
        let (nonce, sealed) = rest.split_first_chunk_mut().ok_or(OpenError::Malformed)?;
        let key = keys.find(*id).ok_or(OpenError::Key)?;
        let text = key.open(*nonce, &context(*id), sealed).ok_or(OpenError::Seal)?;
        let cookie = Self::read(text).ok_or(OpenError::Malformed)?;
        match cookie.age(now) < lifetime {
            true => Ok(cookie),
            false => Err(OpenError::Expired),
        }
    }

    /// How long ago it was sealed.
    pub fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.sealed_at).unwrap_or_default()
    }

    fn read(text: &[u8]) -> Option<Self> {
        let (seconds, text) = text.split_first_chunk()?;
        let (home, text) = text.split_first_chunk()?;
        let (proof, text) = text.split_first_chunk()?;
        let (strangers, text) = text.split_first()?;
        let (strangers, text) = text.split_at_checked(usize::from(*strangers) * STRANGER_OCTETS)?;
        let sealed_at = Duration::from_secs(u64::from_be_bytes(*seconds));
        Some(Self {
            address: Address::new(str::from_utf8(text).ok()?, None).ok()?,
            sealed_at: UNIX_EPOCH.checked_add(sealed_at)?,
            home: Home::from_octets(*home),
            proof: Proof::from_octets(*proof),
            strangers: Strangers::from_octets(strangers)?,
        })
    }
}

fn context(id: KeyId) -> Vec<u8> {
    [CONTEXT, &[VERSION], &id].concat()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

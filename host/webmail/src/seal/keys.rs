//! The keys that seal: a file with a line for each, the newest first.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use zeroize::Zeroizing;

/// The length of a key, in octets, before it is written in Base64.
pub const KEY_OCTETS: usize = 32;
/// The most keys that a file may hold. Each cookie names its own, so many cost nothing; a file
/// with more is not a file of keys.
pub const MAX_KEYS: usize = 16;

pub(super) const NONCE_OCTETS: usize = 12;
pub(super) const TAG_OCTETS: usize = 16;

/// Keys that several nodes share. The first seals, each opens what it has sealed, the last chooses
/// decoys.
pub struct SealKeys {
    /// Never empty.
    keys: Vec<Key>,
    decoy: hmac::Key,
}

/// Says which key has sealed something.
pub(super) type KeyId = [u8; 4];

pub(super) struct Key {
    id: KeyId,
    aead: RandomizedNonceKey,
}

/// Why a text holds no keys. None of it shows what is in a line.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SealKeysError {
    /// Nothing but empty lines and comments.
    #[error("no key is in it; make one with: openssl rand -base64 32")]
    Empty,
    /// A line that is not the Base64 of [`KEY_OCTETS`] octets.
    #[error(
        "line {line} is not a key, which is the Base64 of 32 random octets; make one with: \
         openssl rand -base64 32"
    )]
    NotAKey {
        /// Counted from one.
        line: usize,
    },
    /// The same key once more.
    #[error("the key in line {line} stands above already")]
    Twice {
        /// Counted from one.
        line: usize,
    },
    /// More than [`MAX_KEYS`].
    #[error("more than {MAX_KEYS} keys are in it; take out those whose cookies have expired")]
    TooMany,
    /// The cryptographic library does not do its work.
    #[error("the keys cannot be prepared")]
    Library,
}

impl SealKeys {
    /// Reads a text with a key in each line, in Base64. Empty lines, and lines that start with
    /// `#`, are left out.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn parse(text: &[u8]) -> Result<Self, SealKeysError> {
        let mut keys: Vec<Key> = Vec::new();
        let mut oldest = None;
        for (line, text) in (1..).zip(text.split(|octet| *octet == b'\n')) {
            let text = text.trim_ascii();
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            let root = root(text).ok_or(SealKeysError::NotAKey { line })?;
            let key = Key::new(&root).map_err(|Unspecified| SealKeysError::Library)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(SealKeysError::Twice { line });
            }
            if keys.len() == MAX_KEYS {
                return Err(SealKeysError::TooMany);
            }
            keys.push(key);
            oldest = Some(root);
        }
        let oldest = oldest.ok_or(SealKeysError::Empty)?;
        let decoy = decoy_key(&oldest).map_err(|Unspecified| SealKeysError::Library)?;
        Ok(Self { keys, decoy })
    }

    /// One key by chance, which nobody else has.
    pub fn random() -> Self {
        let mut root = Zeroizing::new([0; KEY_OCTETS]);
        let made = aws_lc_rs::rand::fill(&mut *root)
            .and_then(|()| Ok(Self { keys: vec![Key::new(&root)?], decoy: decoy_key(&root)? }));
        // The operating system's source of randomness does not fail once the process has started.
        made.expect("random keys can be made")
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// The one that seals.
    pub(super) fn newest(&self) -> Option<&Key> {
        self.keys.first()
    }

    /// The one that has sealed something.
    pub(super) fn find(&self, id: KeyId) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The key of the hash that chooses decoys: from the last line, so that a new first line does
    /// not move them. Were they all moved at once, it would show who is one.
    pub(crate) fn decoy(&self) -> &hmac::Key {
        &self.decoy
    }
}

impl fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealKeys({} keys)", self.keys.len())
    }
}

impl Key {
    fn new(root: &[u8; KEY_OCTETS]) -> Result<Self, Unspecified> {
        let root = extract(root);
        let id = derived(&root, b"key id")?;
        let aead = derived(&root, b"route cookie")?;
        let id = [id[0], id[1], id[2], id[3]];
        Ok(Self { id, aead: RandomizedNonceKey::new(&AES_256_GCM_SIV, &*aead)? })
    }

    pub(super) fn id(&self) -> KeyId {
        self.id
    }

    /// Encrypts `text` in place and appends the tag.
    pub(super) fn seal(&self, context: &[u8], text: &mut Vec<u8>) -> Result<Nonce, Unspecified> {
        self.aead.seal_in_place_append_tag(Aad::from(context), text)
    }

    /// The text that was sealed, decrypted in place.
    pub(super) fn open<'t>(
        &self,
        nonce: [u8; NONCE_OCTETS],
        context: &[u8],
        sealed: &'t mut [u8],
    ) -> Option<&'t [u8]> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self.aead.open_in_place(nonce, Aad::from(context), sealed);
        opened.ok().map(|text| &*text)
    }
}

fn root(text: &[u8]) -> Option<Zeroizing<[u8; KEY_OCTETS]>> {
    // Larger than any key: what is too long does not fit, and is refused.
    let mut octets = Zeroizing::new([0; 2 * KEY_OCTETS]);
    let length = STANDARD.decode_slice(text, &mut *octets).ok()?;
    let key: &[u8; KEY_OCTETS] = octets.get(..length)?.try_into().ok()?;
    Some(Zeroizing::new(*key))
}

fn decoy_key(root: &[u8; KEY_OCTETS]) -> Result<hmac::Key, Unspecified> {
    let key = derived(&extract(root), b"decoy")?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &*key))
}

fn extract(root: &[u8; KEY_OCTETS]) -> Prk {
    Salt::new(HKDF_SHA256, b"waypost webmail").extract(root)
}

/// A key for one use, so that none is used for two (RFC 5869 section 3.2).
fn derived(root: &Prk, purpose: &[u8]) -> Result<Zeroizing<[u8; KEY_OCTETS]>, Unspecified> {
    let mut key = Zeroizing::new([0; KEY_OCTETS]);
    root.expand(&[purpose], HKDF_SHA256)?.fill(&mut *key)?;
    Ok(key)
}

//! A sealed text, as it stands in a cookie: version, key, nonce, and what is encrypted.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::keys::{KeyId, NONCE_OCTETS, TAG_OCTETS};
use super::{OpenError, SealKeys};

const HEAD: usize = 1 + size_of::<KeyId>() + NONCE_OCTETS;

/// What one kind of text is sealed as, so that none can be taken for another.
#[derive(Clone, Copy)]
pub(super) struct Kind<'a> {
    /// What it is.
    pub(super) purpose: &'a [u8],
    /// What it belongs to, where that stands outside of it.
    pub(super) name: &'a [u8],
    /// The version of what stands in it.
    pub(super) version: u8,
}

/// How many characters a text of so many octets has when it is sealed.
pub(super) const fn sealed_length(octets: usize) -> usize {
    ((HEAD + octets + TAG_OCTETS) * 4).div_ceil(3)
}

impl Kind<'_> {
    /// Seals a text with the first key: letters, digits, `-` and `_`. `None` if the cryptographic
    /// library does not do its work.
    pub(super) fn seal(self, mut text: Vec<u8>, keys: &SealKeys) -> Option<String> {
        let key = keys.newest()?;
        let nonce = key.seal(&self.context(key.id()), &mut text).ok()?;
        let mut sealed = Vec::with_capacity(HEAD + text.len());
        sealed.push(self.version);
        sealed.extend_from_slice(&key.id());
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&text);
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens what [`seal`](Self::seal) has written with any of `keys`.
    pub(super) fn open(self, sealed: &[u8], keys: &SealKeys) -> Result<Vec<u8>, OpenError> {
        let mut octets = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| OpenError::Malformed)?;
        let (version, rest) = octets.split_first_mut().ok_or(OpenError::Malformed)?;
        if *version != self.version {
            return Err(OpenError::Version);
        }
        let (id, rest) = rest.split_first_chunk_mut().ok_or(OpenError::Malformed)?;
        let (nonce, sealed) = rest.split_first_chunk_mut().ok_or(OpenError::Malformed)?;
        let key = keys.find(*id).ok_or(OpenError::Key)?;
        let text = key.open(*nonce, &self.context(*id), sealed).ok_or(OpenError::Seal)?;
        Ok(text.to_vec())
    }

    fn context(self, id: KeyId) -> Vec<u8> {
        [self.purpose, &[self.version], &id, self.name].concat()
    }
}

//! A digest of password and salt, in base64: `{SHA}`, `{SSHA}` and their likes (RFC 2307 section
//! 5.3, and OpenLDAP's additions to it).

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use super::{Unusable, equal};

#[derive(Clone, Copy, Debug)]
pub(super) enum DigestAlgorithm {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

impl DigestAlgorithm {
    const fn len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn matches(self, password: &[u8], salt: &[u8], digest: &[u8]) -> bool {
        let algorithm = match self {
            Self::Md5 => {
                let hash = Md5::new_with_prefix(password).chain_update(salt).finalize();
                return equal(&hash, digest);
            }
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        };
        let mut hash = digest::Context::new(algorithm);
        hash.update(password);
        hash.update(salt);
        equal(hash.finish().as_ref(), digest)
    }
}

#[derive(Clone)]
pub(super) struct Digest {
    algorithm: DigestAlgorithm,
    /// The digest, and behind it the salt.
    octets: Vec<u8>,
}

impl Digest {
    pub(super) fn parse(
        base64: &[u8],
        algorithm: DigestAlgorithm,
        scheme: &'static str,
        salted: bool,
    ) -> Result<Self, Unusable> {
        let malformed = Unusable::Malformed(scheme);
        let octets = STANDARD.decode(base64).map_err(|_| malformed.clone())?;
        let fits = match salted {
            true => octets.len() > algorithm.len(),
            false => octets.len() == algorithm.len(),
        };
        if fits { Ok(Self { algorithm, octets }) } else { Err(malformed) }
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let parts = self.octets.split_at_checked(self.algorithm.len());
        parts.is_some_and(|(digest, salt)| self.algorithm.matches(password, salt, digest))
    }
}

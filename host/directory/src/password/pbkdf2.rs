//! `{PBKDF2-SHA256}` and its siblings as OpenLDAP and 389 Directory Server have them:
//! `ROUNDS$SALT$HASH`, in base64 with `.` for `+`, without padding.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{
    self, Algorithm, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA512,
};
use base64::Engine as _;
use base64::alphabet::Alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::Unusable;

const SCHEME: &str = "{PBKDF2}";
/// About a second.
const MAX_ROUNDS: u32 = 2_000_000;
const HASH: std::ops::RangeInclusive<usize> = 16..=256;

pub(super) const SHA1: Algorithm = PBKDF2_HMAC_SHA1;
pub(super) const SHA256: Algorithm = PBKDF2_HMAC_SHA256;
pub(super) const SHA512: Algorithm = PBKDF2_HMAC_SHA512;

const ALPHABET: Alphabet =
    match Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./") {
        Ok(alphabet) => alphabet,
        Err(_) => panic!("64 different characters"),
    };
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Clone)]
pub(super) struct Pbkdf2 {
    algorithm: Algorithm,
    rounds: NonZeroU32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Pbkdf2 {
    pub(super) fn parse(value: &[u8], algorithm: Algorithm) -> Result<Self, Unusable> {
        let malformed = || Unusable::Malformed(SCHEME);
        let mut fields = value.split(|octet| *octet == b'$');
        let (Some(rounds), Some(salt), Some(hash), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(malformed());
        };
        if rounds.is_empty() || !rounds.iter().all(u8::is_ascii_digit) {
            return Err(malformed());
        }
        let rounds = std::str::from_utf8(rounds).map_err(|_| malformed())?;
        // What has too many digits for a number is refused as too much.
        let rounds: u32 = rounds.parse().unwrap_or(u32::MAX);
        if rounds > MAX_ROUNDS {
            return Err(Unusable::TooCostly(SCHEME));
        }
        let rounds = NonZeroU32::new(rounds).ok_or_else(malformed)?;
        let decode = |text| BASE64.decode(text).map_err(|_| malformed());
        let (salt, hash) = (decode(salt)?, decode(hash)?);
        if !HASH.contains(&hash.len()) || salt.is_empty() {
            return Err(malformed());
        }
        Ok(Self { algorithm, rounds, salt, hash })
    }

    /// In constant time, as the library says.
    pub(super) fn verify(&self, password: &[u8]) -> bool {
        pbkdf2::verify(self.algorithm, self.rounds, &self.salt, password, &self.hash).is_ok()
    }
}

//! `$2a$`, `$2b$`, `$2y$`: bcrypt.

use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::{Unusable, equal};

const SCHEME: &str = "{CRYPT} with bcrypt";
/// Each step doubles the time: this one takes about two seconds.
const MAX_COST: u32 = 15;
const MIN_COST: u32 = 4;
/// What bcrypt looks at of a password and the NUL behind it.
const MAX_KEY: usize = 72;

/// The last digit of salt and hash has bits that mean nothing, and not every author leaves them
/// zero.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &BCRYPT,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

#[derive(Clone)]
pub(super) struct Bcrypt {
    cost: u32,
    salt: [u8; 16],
    /// All but the last octet of the hash, as bcrypt has it.
    hash: [u8; 23],
}

impl Bcrypt {
    /// Reads `COST$SALTHASH`.
    pub(super) fn parse(text: &str) -> Result<Self, Unusable> {
        let parsed = || {
            let (cost, rest) = text.split_once('$')?;
            let digits = cost.len() == 2 && cost.bytes().all(|b| b.is_ascii_digit());
            let cost: u32 = cost.parse().ok().filter(|cost| digits && *cost >= MIN_COST)?;
            let (salt, hash) = rest.split_at_checked(22)?;
            let salt = BASE64.decode(salt).ok()?.try_into().ok()?;
            let hash = BASE64.decode(hash).ok()?.try_into().ok()?;
            Some(Self { cost, salt, hash })
        };
        match parsed() {
            Some(bcrypt) if bcrypt.cost > MAX_COST => Err(Unusable::TooCostly(SCHEME)),
            Some(bcrypt) => Ok(bcrypt),
            None => Err(Unusable::Malformed(SCHEME)),
        }
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let mut key = Zeroizing::new(Vec::with_capacity(password.len().saturating_add(1)));
        key.extend_from_slice(password);
        key.push(0);
        key.truncate(MAX_KEY);
        let hash = bcrypt::bcrypt(self.cost, self.salt, &key);
        equal(hash.get(..self.hash.len()).unwrap_or_default(), &self.hash)
    }
}

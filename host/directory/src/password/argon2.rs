//! `$argon2i$`, `$argon2d$`, `$argon2id$` (RFC 9106), as the reference implementation writes them.

use argon2::{Config, ThreadMode, Variant, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{MAX_HASH_MEMORY, Unusable, equal};

const SCHEME: &str = "{ARGON2}";
/// Passes times memory, in KiB: about two seconds.
const MAX_WORK: u64 = 2 << 20;
/// Lanes are filled one behind the other here.
const MAX_LANES: u32 = 16;
const MAX_SALT: usize = 128;
const HASH: std::ops::RangeInclusive<usize> = 16..=128;

#[derive(Clone)]
pub(super) struct Argon2 {
    variant: Variant,
    version: Version,
    /// In KiB.
    memory: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Argon2 {
    /// Reads `$argon2id$v=19$m=65536,t=3,p=4$SALT$HASH`.
    pub(super) fn parse(value: &[u8]) -> Result<Self, Unusable> {
        let malformed = || Unusable::Malformed(SCHEME);
        let text = std::str::from_utf8(value).map_err(|_| malformed())?;
        let mut fields = text.strip_prefix('$').ok_or_else(malformed)?.split('$').peekable();
        let variant = match fields.next() {
            Some("argon2i") => Variant::Argon2i,
            Some("argon2d") => Variant::Argon2d,
            Some("argon2id") => Variant::Argon2id,
            _ => return Err(malformed()),
        };
        // Version 16 was written without its number.
        let version = match fields.next_if(|field| field.starts_with("v=")) {
            Some("v=19") => Version::Version13,
            Some("v=16") | None => Version::Version10,
            Some(_) => return Err(malformed()),
        };
        let (Some(costs), Some(salt), Some(hash), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(malformed());
        };
        let (memory, passes, lanes) = costs_of(costs).ok_or_else(malformed)?;
        let work = u64::from(memory).saturating_mul(passes.into());
        let octets = u64::from(memory).saturating_mul(1024);
        if octets > MAX_HASH_MEMORY || work > MAX_WORK || lanes > MAX_LANES {
            return Err(Unusable::TooCostly(SCHEME));
        }
        let decode = |text| STANDARD_NO_PAD.decode(text).map_err(|_| malformed());
        let (salt, hash) = (decode(salt)?, decode(hash)?);
        if !HASH.contains(&hash.len()) || !(8..=MAX_SALT).contains(&salt.len()) {
            return Err(malformed());
        }
        if passes == 0 || lanes == 0 || memory < lanes.saturating_mul(8) {
            return Err(malformed());
        }
        Ok(Self { variant, version, memory, passes, lanes, salt, hash })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let config = Config {
            ad: &[],
            hash_length: u32::try_from(self.hash.len()).unwrap_or(0),
            lanes: self.lanes,
            mem_cost: self.memory,
            secret: &[],
            thread_mode: ThreadMode::Sequential,
            time_cost: self.passes,
            variant: self.variant,
            version: self.version,
        };
        let hash = argon2::hash_raw(password, &self.salt, &config);
        hash.is_ok_and(|hash| equal(&hash, &self.hash))
    }

    pub(super) fn memory(&self) -> u64 {
        u64::from(self.memory).saturating_mul(1024)
    }
}

/// `m=65536,t=3,p=4`: memory in KiB, passes, lanes.
fn costs_of(text: &str) -> Option<(u32, u32, u32)> {
    let mut costs = text.split(',');
    let mut cost = |name: &str| {
        let digits = costs.next()?.strip_prefix(name)?;
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        // What has too many digits for a number is refused as too much.
        plain.then(|| digits.parse().unwrap_or(u32::MAX))
    };
    let found = (cost("m=")?, cost("t=")?, cost("p=")?);
    costs.next().is_none().then_some(found)
}

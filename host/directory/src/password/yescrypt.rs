//! yescrypt as crypt(3) of libxcrypt writes it: `$y$j9T$SALT$HASH`.

use yescrypt::{Mode, Params};

use super::{MAX_HASH_MEMORY, Unusable, crypt64, equal};

const SCHEME: &str = "{CRYPT}$y$";
/// The octets of a block for each unit of `r`, as in scrypt (RFC 7914 section 2).
const BLOCK: u64 = 128;
const MAX_SALT: usize = 64;
const HASH: usize = 32;

#[derive(Clone)]
pub(super) struct Yescrypt {
    params: Params,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Yescrypt {
    /// Reads what stands behind `$y$`.
    pub(super) fn parse(rest: &str) -> Result<Self, Unusable> {
        let malformed = || Unusable::Malformed(SCHEME);
        let mut fields = rest.split('$');
        let (Some(costs), Some(salt), Some(hash), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(malformed());
        };
        let (blocks, size) = costs_of(costs).ok_or_else(malformed)?;
        if memory(blocks, size) > MAX_HASH_MEMORY {
            return Err(Unusable::TooCostly(SCHEME));
        }
        let params = Params::new(Mode::default(), blocks, size, 1).map_err(|_| malformed())?;
        let salt = crypt64::decode(salt).ok_or_else(malformed)?;
        let hash = crypt64::decode(hash).ok_or_else(malformed)?;
        if salt.len() > MAX_SALT || hash.len() != HASH {
            return Err(malformed());
        }
        Ok(Self { params, salt, hash })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let mut hash = [0; HASH];
        let result = yescrypt::yescrypt(password, &self.salt, &self.params, &mut hash);
        result.is_ok() && equal(&hash, &self.hash)
    }

    pub(super) fn memory(&self) -> u64 {
        memory(self.params.n(), self.params.r())
    }
}

fn memory(blocks: u64, size: u32) -> u64 {
    blocks.saturating_mul(size.into()).saturating_mul(BLOCK)
}

/// The number of blocks and their size: `j9T` is 2¹² of 32. Other flavours than `j`, and what may
/// follow, nobody writes; numbers of more than one digit would be too costly.
fn costs_of(text: &str) -> Option<(u64, u32)> {
    let &[b'j', blocks, size] = text.as_bytes() else { return None };
    let number = |digit| crypt64::value(digit).filter(|value| *value < 48)?.checked_add(1);
    let blocks = 1_u64.checked_shl(number(blocks)?)?;
    Some((blocks, number(size)?))
}

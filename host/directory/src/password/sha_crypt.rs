//! `$5$` and `$6$`: SHA-256 and SHA-512 many times over (Drepper's "Unix crypt using SHA-256 and
//! SHA-512").

use sha_crypt::{Sha256Params, Sha512Params, sha256_crypt, sha512_crypt};

use super::{Unusable, crypt64, equal};

const SCHEME: &str = "{CRYPT} with SHA-256 or SHA-512";
/// As many rounds as take about a second.
const MAX_ROUNDS: u32 = 1_000_000;
const USUAL_ROUNDS: u32 = 5000;
/// What stands in the specification: fewer are taken for as many.
const MIN_ROUNDS: u32 = 1000;
/// A salt is cut at this length.
const MAX_SALT: usize = 16;

#[derive(Clone, Copy, Debug)]
pub(super) enum ShaCryptAlgorithm {
    Sha256,
    Sha512,
}

#[derive(Clone)]
pub(super) struct ShaCrypt {
    algorithm: ShaCryptAlgorithm,
    rounds: u32,
    salt: String,
    hash: Vec<u8>,
}

impl ShaCrypt {
    /// Reads `[rounds=N$]SALT$HASH`.
    pub(super) fn parse(text: &str, algorithm: ShaCryptAlgorithm) -> Result<Self, Unusable> {
        let malformed = || Unusable::Malformed(SCHEME);
        let (rounds, text) = match text.strip_prefix("rounds=") {
            Some(rest) => {
                let (rounds, rest) = rest.split_once('$').ok_or_else(malformed)?;
                let digits = !rounds.is_empty() && rounds.bytes().all(|b| b.is_ascii_digit());
                if !digits {
                    return Err(malformed());
                }
                // What has too many digits for a number is too much in any case.
                (rounds.parse().unwrap_or(u32::MAX), rest)
            }
            None => (USUAL_ROUNDS, text),
        };
        if rounds > MAX_ROUNDS {
            return Err(Unusable::TooCostly(SCHEME));
        }
        let (salt, hash) = text.split_once('$').ok_or_else(malformed)?;
        let hash = crypt64::decode(hash).ok_or_else(malformed)?;
        let hash = match algorithm {
            ShaCryptAlgorithm::Sha256 => unmix::<32>(&hash, order_256),
            ShaCryptAlgorithm::Sha512 => unmix::<64>(&hash, order_512),
        };
        let salt: String = salt.chars().take(MAX_SALT).collect();
        let hash = hash.ok_or_else(malformed)?;
        Ok(Self { algorithm, rounds: rounds.max(MIN_ROUNDS), salt, hash })
    }

    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let salt = self.salt.as_bytes();
        let Ok(rounds) = usize::try_from(self.rounds) else { return false };
        match self.algorithm {
            ShaCryptAlgorithm::Sha256 => Sha256Params::new(rounds)
                .and_then(|params| sha256_crypt(password, salt, &params))
                .is_ok_and(|hash| equal(&hash, &self.hash)),
            ShaCryptAlgorithm::Sha512 => Sha512Params::new(rounds)
                .and_then(|params| sha512_crypt(password, salt, &params))
                .is_ok_and(|hash| equal(&hash, &self.hash)),
        }
    }
}

/// Puts the octets, which are written three at a time in an order of their own, back in theirs.
fn unmix<const N: usize>(written: &[u8], order: impl Fn(usize) -> usize) -> Option<Vec<u8>> {
    if written.len() != N {
        return None;
    }
    let mut hash = vec![0; N];
    for (place, octet) in written.iter().enumerate() {
        *hash.get_mut(order(place))? = *octet;
    }
    Some(hash)
}

/// Which octet of the hash stands at a place of what is written. Each three are of one group, the
/// one with the lowest bits being the last of it; the groups begin at 0, 21, 12, 3, …
fn order_256(place: usize) -> usize {
    match place {
        30 => 30,
        31 => 31,
        _ => {
            let (group, within) = (place / 3, place % 3);
            // The first of each group: 0 10 20, 21 1 11, 12 22 2, 3 13 23, …
            let first = [0, 21, 12, 3, 24, 15, 6, 27, 18, 9].get(group).copied().unwrap_or(0);
            (first + 10 * (2 - within)) % 30
        }
    }
}

/// As [`order_256`], for 0 21 42, 22 43 1, 44 2 23, 3 24 45, …
fn order_512(place: usize) -> usize {
    if place == 63 {
        return 63;
    }
    let (group, within) = (place / 3, place % 3);
    let first = (group * 22) % 63;
    (first + 21 * (2 - within)) % 63
}

//! Digests of a challenge under the password: CRAM-MD5 (RFC 2195) and POP3's APOP (RFC 1939 section 7).
//! What they are digests of is for whoever knows the password to compute.

use super::{Mechanism, SaslError, name};
use crate::login::Credential;

/// The octets of an MD5 digest.
const LENGTH: usize = 16;

/// A challenge: `<UNIQUE.NUMBER@HOSTNAME>`, a message id (RFC 5322 section 3.6.4) that nobody has used.
/// `unique` is the session's, and never the same twice; `number` counts its challenges.
pub fn challenge(unique: u128, number: u32, hostname: &str) -> String {
    format!("<{unique:032x}.{number}@{hostname}>")
}

/// The challenges of one session.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Challenges {
    unique: u128,
    number: u32,
}

impl Challenges {
    pub(crate) fn new(unique: u128) -> Self {
        Self { unique, number: 0 }
    }

    /// The next one.
    pub(crate) fn next(&mut self, hostname: &str) -> String {
        let challenge = challenge(self.unique, self.number, hostname);
        self.number = self.number.wrapping_add(1);
        challenge
    }
}

/// Reads the client's answer to CRAM-MD5's challenge: `NAME SP DIGEST`, the digest in hexadecimal.
/// Names have spaces too.
pub fn cram_md5(message: &[u8], challenge: &str) -> Result<Credential, SaslError> {
    let space = memchr::memrchr(b' ', message).ok_or(SaslError::Malformed)?;
    let (user, digest) = message.split_at_checked(space).ok_or(SaslError::Malformed)?;
    credential(Some(Mechanism::CramMd5), user, digest.get(1..).unwrap_or_default(), challenge)
}

/// Reads what follows APOP: `NAME SP DIGEST`. The challenge is the greeting's.
pub fn apop(argument: &[u8], challenge: &str) -> Result<Credential, SaslError> {
    let space = memchr::memrchr(b' ', argument).ok_or(SaslError::Malformed)?;
    let (user, digest) = argument.split_at_checked(space).ok_or(SaslError::Malformed)?;
    credential(None, user, digest.get(1..).unwrap_or_default(), challenge)
}

fn credential(
    mechanism: Option<Mechanism>,
    user: &[u8],
    digest: &[u8],
    challenge: &str,
) -> Result<Credential, SaslError> {
    let digest = hexadecimal(digest).ok_or(SaslError::Malformed)?;
    let user = name(user)?.to_owned();
    Ok(Credential::Digest { mechanism, user, challenge: challenge.to_owned(), digest })
}

fn hexadecimal(text: &[u8]) -> Option<[u8; LENGTH]> {
    let mut octets = [0; LENGTH];
    if text.len() != 2 * LENGTH {
        return None;
    }
    for (octet, digits) in octets.iter_mut().zip(text.chunks(2)) {
        for digit in digits {
            let digit = char::from(*digit).to_digit(16)?;
            *octet = *octet << 4 | u8::try_from(digit).ok()?;
        }
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::{apop, challenge, cram_md5};
    use crate::sasl::SaslError;

    #[test]
    fn challenges_differ() {
        let one = challenge(1, 0, "mx.test");
        assert_eq!(one, "<00000000000000000000000000000001.0@mx.test>");
        assert_ne!(one, challenge(1, 1, "mx.test"));
    }

    #[test]
    fn name_and_digest() {
        let digest = "b913a602c7eda7a495b4e6e7334d3890";
        for name in ["tim", "tim@a.test", "tim b"] {
            for credential in [
                cram_md5(format!("{name} {digest}").as_bytes(), "<c>"),
                apop(format!("{name} {}", digest.to_uppercase()).as_bytes(), "<c>"),
            ] {
                assert_eq!(credential.unwrap().name(), name);
            }
        }
        for (message, error) in [
            ("", SaslError::Malformed),
            ("tim", SaslError::Malformed),
            ("tim b913a602c7eda7a495b4e6e7334d389", SaslError::Malformed),
            ("tim b913a602c7eda7a495b4e6e7334d389x", SaslError::Malformed),
            ("tim b913a602c7eda7a495b4e6e7334d38900", SaslError::Malformed),
            (" b913a602c7eda7a495b4e6e7334d3890", SaslError::Name),
            ("t\0m b913a602c7eda7a495b4e6e7334d3890", SaslError::Name),
        ] {
            assert_eq!(cram_md5(message.as_bytes(), "<c>"), Err(error), "{message:?}");
        }
    }
}

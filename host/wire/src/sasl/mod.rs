//! SASL (RFC 4422) as mail protocols carry it: the mechanisms, their messages and base64.
//!
//! A front runs an [`Exchange`]; a back end is sent what [`plain::encode`] and
//! [`token::with_user`] make of a [`Credential`](crate::login::Credential).

pub mod digest;
mod exchange;
pub mod external;
mod line;
mod mechanism;
pub mod plain;
pub mod scram;
pub mod token;

use thiserror::Error;

pub use exchange::{Exchange, Progress, Terms};
pub use line::{
    MAX_LINE, SaslResponse, decode, encode, encode_initial, encoded_len, initial_response, response,
};
pub use mechanism::Mechanism;

/// The longest user name, in octets. Longer than any address that routing takes.
pub const MAX_NAME: usize = 1024;

/// Why a client's message says no credential.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SaslError {
    /// Not base64, or not in its canonical form. RFC 3501 section 6.2.2 wants BAD for it.
    #[error("this is not base64")]
    Base64,
    /// Not a message of this mechanism.
    #[error("this is not a message of this mechanism")]
    Malformed,
    /// A name that is empty, too long, not UTF-8, or holds a control character.
    #[error("this cannot be a user name")]
    Name,
    /// A password that is empty or holds a control character.
    #[error("this cannot be a password")]
    Password,
    /// An authorisation identity beside the authentication identity, where none is allowed.
    #[error("an authorisation identity is not allowed here")]
    Authorisation,
    /// EXTERNAL: an authorisation identity that is not the name in the client's certificate.
    #[error("the client's certificate is for another name")]
    AnotherName,
}

/// A user name as a client may say it: 1 to [`MAX_NAME`] octets of UTF-8 without control
/// characters, so that it can be neither cut short nor split by whatever sees it later.
pub fn name(octets: &[u8]) -> Result<&str, SaslError> {
    if octets.is_empty() || octets.len() > MAX_NAME {
        return Err(SaslError::Name);
    }
    let name = str::from_utf8(octets).map_err(|_| SaslError::Name)?;
    if name.chars().any(char::is_control) { Err(SaslError::Name) } else { Ok(name) }
}

/// Checks that a client may say this password: not empty, since a directory takes an empty one for an
/// anonymous bind (RFC 4513 section 5.1.2), and without ASCII control characters, which would end
/// a line or a field further on. It need not be UTF-8.
pub fn password(octets: &[u8]) -> Result<(), SaslError> {
    if octets.is_empty() || octets.iter().any(u8::is_ascii_control) {
        return Err(SaslError::Password);
    }
    Ok(())
}

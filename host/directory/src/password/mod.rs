//! Passwords as directories store them: what a value says, and whether a password is the one.
//!
//! Everything here is a pure function. A stored value comes from outside and may be hostile: what it
//! demands of memory and time is bounded when it is read ([`StoredPassword::parse`]), before
//! anything is computed. Comparing takes the same time whether the first octet differs or the last.

mod argon2;
mod bcrypt;
mod crypt64;
mod digest;
mod pbkdf2;
mod sha_crypt;
mod yescrypt;

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest as hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use waypost_model::Secret;

use self::argon2::Argon2;
use self::bcrypt::Bcrypt;
use self::digest::{Digest, DigestAlgorithm};
use self::pbkdf2::Pbkdf2;
use self::sha_crypt::{ShaCrypt, ShaCryptAlgorithm};
use self::yescrypt::Yescrypt;

/// The longest stored value that is read, in octets.
pub const MAX_STORED: usize = 1024;
/// The longest password that can be right, in octets: as for libxcrypt, whose hashing takes time by
/// the password's length too.
pub const MAX_PASSWORD: usize = 512;
/// The most memory that one hash may demand, in octets.
pub const MAX_HASH_MEMORY: u64 = 256 << 20;

/// How a value without a `{SCHEME}` is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BarePassword {
    /// As the password itself.
    #[default]
    Clear,
    /// As the password in base64 (RFC 4648 section 4).
    Base64,
    /// Not at all: it lets nobody in.
    Refused,
}

/// A value of a password attribute, read and found usable.
#[derive(Clone)]
pub struct StoredPassword(Scheme);

#[derive(Clone)]
enum Scheme {
    Clear(Secret),
    Digest(Digest),
    ShaCrypt(ShaCrypt),
    Bcrypt(Bcrypt),
    Argon2(Argon2),
    Pbkdf2(Pbkdf2),
    Yescrypt(Yescrypt),
}

/// Why a stored value can let nobody in. It quotes nothing of the value but its scheme's name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Unusable {
    /// No value at all.
    #[error("the value is empty")]
    Empty,
    /// Longer than [`MAX_STORED`].
    #[error("the value is longer than {MAX_STORED} octets")]
    TooLong,
    /// A scheme that is not known here.
    #[error("the scheme {0} is not known here")]
    Scheme(String),
    /// A value without a scheme, where none is read so.
    #[error("the value has no {{SCHEME}}, and `bare-passwords` refuses such values")]
    Bare,
    /// Not what its scheme says; the scheme.
    #[error("the value is not what its scheme {0} says")]
    Malformed(&'static str),
    /// It demands more memory or time than one login may take; the scheme.
    #[error("the value demands more memory or time than is allowed: {0}")]
    TooCostly(&'static str),
}

/// Shows nothing of it.
impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredPassword").finish_non_exhaustive()
    }
}

impl StoredPassword {
    /// Reads a value of a password attribute.
    ///
    /// The scheme's name may be in any case. What looks like a hash of crypt(3) is read as one, with
    /// or without `{CRYPT}`: were it taken for a password in clear, whoever has seen the hash could
    /// log in with it. For the same reason a value that begins with an unknown `{SCHEME}` is never
    /// a password in clear.
    ///
    /// # Errors
    /// See [`Unusable`]. Nothing costly has been done then.
    pub fn parse(value: &[u8], bare: BarePassword) -> Result<Self, Unusable> {
        if value.is_empty() {
            return Err(Unusable::Empty);
        }
        if value.len() > MAX_STORED {
            return Err(Unusable::TooLong);
        }
        let scheme = match split_scheme(value) {
            Some((name, rest)) => with_scheme(name, rest)?,
            None if looks_like_crypt(value) => crypt(value)?,
            None => match bare {
                BarePassword::Clear => Scheme::Clear(Secret::from(value)),
                BarePassword::Base64 => base64_clear(value)?,
                BarePassword::Refused => return Err(Unusable::Bare),
            },
        };
        Ok(Self(scheme))
    }

    /// Whether `password` is the one. Takes time and memory if the value [is
    /// expensive](Self::is_expensive). An empty password never is.
    pub fn verify(&self, password: &[u8]) -> bool {
        if password.is_empty() || password.len() > MAX_PASSWORD {
            return false;
        }
        match &self.0 {
            Scheme::Clear(clear) => equal_whatever_length(clear.expose(), password),
            Scheme::Digest(digest) => digest.verify(password),
            Scheme::ShaCrypt(crypt) => crypt.verify(password),
            Scheme::Bcrypt(bcrypt) => bcrypt.verify(password),
            Scheme::Argon2(argon2) => argon2.verify(password),
            Scheme::Pbkdf2(pbkdf2) => pbkdf2.verify(password),
            Scheme::Yescrypt(yescrypt) => yescrypt.verify(password),
        }
    }

    /// Whether [`verify`](Self::verify) takes so long that it has no place on a thread with other
    /// work: milliseconds up to about two seconds.
    pub fn is_expensive(&self) -> bool {
        !matches!(self.0, Scheme::Clear(_) | Scheme::Digest(_))
    }

    /// How much memory [`verify`](Self::verify) takes, in octets.
    pub fn memory(&self) -> u64 {
        match &self.0 {
            Scheme::Argon2(argon2) => argon2.memory(),
            Scheme::Yescrypt(yescrypt) => yescrypt.memory(),
            _ => 0,
        }
    }

    /// The password itself, where it is stored so that it can be known: what challenge-response
    /// mechanisms need.
    pub fn clear(&self) -> Option<&Secret> {
        match &self.0 {
            Scheme::Clear(clear) => Some(clear),
            _ => None,
        }
    }
}

/// `{NAME}rest`. A brace that begins no name begins a password.
fn split_scheme(value: &[u8]) -> Option<(&str, &[u8])> {
    let inside = value.strip_prefix(b"{")?;
    let end = inside.iter().position(|octet| *octet == b'}')?;
    let (name, rest) = inside.split_at_checked(end)?;
    let in_name = |octet: &u8| octet.is_ascii_alphanumeric() || b"-_./".contains(octet);
    if name.is_empty() || name.len() > 32 || !name.iter().all(in_name) {
        return None;
    }
    Some((std::str::from_utf8(name).ok()?, rest.get(1..)?))
}

/// The names of OpenLDAP and 389 Directory Server, and of Dovecot for the same.
fn with_scheme(name: &str, rest: &[u8]) -> Result<Scheme, Unusable> {
    use DigestAlgorithm::{Md5, Sha1, Sha256, Sha512};
    let digest = |algorithm, scheme, salted| {
        Digest::parse(rest, algorithm, scheme, salted).map(Scheme::Digest)
    };
    match name.to_ascii_uppercase().as_str() {
        "CLEAR" | "CLEARTEXT" | "PLAIN" if rest.is_empty() => Err(Unusable::Empty),
        "CLEAR" | "CLEARTEXT" | "PLAIN" => Ok(Scheme::Clear(Secret::from(rest))),
        "BASE64" => base64_clear(rest),
        "SHA" | "SHA1" => digest(Sha1, "{SHA}", false),
        "SSHA" => digest(Sha1, "{SSHA}", true),
        "SHA256" => digest(Sha256, "{SHA256}", false),
        "SSHA256" => digest(Sha256, "{SSHA256}", true),
        "SHA512" => digest(Sha512, "{SHA512}", false),
        "SSHA512" => digest(Sha512, "{SSHA512}", true),
        "MD5" => digest(Md5, "{MD5}", false),
        "SMD5" => digest(Md5, "{SMD5}", true),
        "CRYPT" | "SHA256-CRYPT" | "SHA512-CRYPT" | "BLF-CRYPT" => crypt(rest),
        "ARGON2" | "ARGON2I" | "ARGON2ID" => Argon2::parse(rest).map(Scheme::Argon2),
        "PBKDF2-SHA256" => Pbkdf2::parse(rest, pbkdf2::SHA256).map(Scheme::Pbkdf2),
        "PBKDF2-SHA512" => Pbkdf2::parse(rest, pbkdf2::SHA512).map(Scheme::Pbkdf2),
        "PBKDF2" | "PBKDF2-SHA1" => Pbkdf2::parse(rest, pbkdf2::SHA1).map(Scheme::Pbkdf2),
        _ => Err(Unusable::Scheme(format!("{{{name}}}"))),
    }
}

/// Whether a value without a scheme is what crypt(3) makes.
fn looks_like_crypt(value: &[u8]) -> bool {
    let Some(rest) = value.strip_prefix(b"$") else { return false };
    let id = rest.split(|octet| *octet == b'$').next().unwrap_or_default();
    id.len() < rest.len() && !id.is_empty() && id.iter().all(u8::is_ascii_alphanumeric)
}

/// The methods of crypt(3) that are of use today.
fn crypt(value: &[u8]) -> Result<Scheme, Unusable> {
    use ShaCryptAlgorithm::{Sha256, Sha512};
    // Whether an account is locked is the directory's to say; such a hash fits no password.
    let text = std::str::from_utf8(value).map_err(|_| Unusable::Malformed("{CRYPT}"))?;
    let Some((id, rest)) = text.strip_prefix('$').and_then(|rest| rest.split_once('$')) else {
        return Err(Unusable::Scheme("{CRYPT} without $method$".to_owned()));
    };
    match id {
        "5" => ShaCrypt::parse(rest, Sha256).map(Scheme::ShaCrypt),
        "6" => ShaCrypt::parse(rest, Sha512).map(Scheme::ShaCrypt),
        // 2x is the hash of a bug, and 2 has another.
        "2a" | "2b" | "2y" => Bcrypt::parse(rest).map(Scheme::Bcrypt),
        "y" => Yescrypt::parse(rest).map(Scheme::Yescrypt),
        "argon2i" | "argon2d" | "argon2id" => Argon2::parse(value).map(Scheme::Argon2),
        _ => {
            let id: String = id.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
            Err(Unusable::Scheme(format!("{{CRYPT}}${id}$")))
        }
    }
}

fn base64_clear(value: &[u8]) -> Result<Scheme, Unusable> {
    let mut decoded = vec![0; base64::decoded_len_estimate(value.len())];
    let length = STANDARD.decode_slice(value, &mut decoded);
    decoded.truncate(*length.as_ref().unwrap_or(&0));
    // Taken over before anything can fail, so that it is overwritten.
    let clear = Secret::new(decoded);
    match length {
        Ok(0) => Err(Unusable::Empty),
        Ok(_) => Ok(Scheme::Clear(clear)),
        Err(_) => Err(Unusable::Malformed("base64")),
    }
}

/// Compares two hashes of one length in constant time.
fn equal(one: &[u8], other: &[u8]) -> bool {
    verify_slices_are_equal(one, other).is_ok()
}

/// Compares two passwords in a time that tells nothing of their lengths either.
fn equal_whatever_length(one: &[u8], other: &[u8]) -> bool {
    let digest = |octets| hash::digest(&hash::SHA256, octets);
    equal(digest(one).as_ref(), digest(other).as_ref())
}

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use super::ParameterError;
use crate::smtp::xtext;

/// The longest value of ORCPT, in octets as it is encoded (RFC 3461 section 4.2): as the client
/// encodes it, and as it is written here, which may take more.
const MAX_ENCODED: usize = 500;
/// The type of addresses whose value is not xtext (RFC 6533 section 3).
const UTF_8: &str = "utf-8";

/// Whom the sender first meant, before anybody rewrote the recipient.
///
/// `Display` and `FromStr` are the value on the wire; `Display`'s is ASCII, and so is good for any
/// server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginalRecipient {
    address_type: String,
    address: String,
}

impl OriginalRecipient {
    /// The type of the address: `rfc822`, `utf-8` or another; letters, digits and hyphens.
    pub fn address_type(&self) -> &str {
        &self.address_type
    }

    /// The address as it is meant, without control characters; ASCII unless its type is `utf-8`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The value may hold UTF-8 as it is; whether the transaction allows it is the caller's to say.
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let value = str::from_utf8(value).ok().filter(|value| value.len() <= MAX_ENCODED)?;
        let (address_type, encoded) = value.split_once(';')?;
        let is_type = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
        if address_type.is_empty() || !address_type.bytes().all(is_type) {
            return None;
        }
        let address = if address_type.eq_ignore_ascii_case(UTF_8) {
            decode_utf8(encoded)?
        } else {
            let octets = xtext::decode(encoded.as_bytes())?;
            String::from_utf8(octets).ok().filter(|address| address.is_ascii())?
        };
        if address.is_empty() || address.contains(char::is_control) {
            return None;
        }
        let original = Self { address_type: address_type.to_owned(), address };
        Some(original).filter(|original| original.to_string().len() <= MAX_ENCODED)
    }
}

impl fmt::Display for OriginalRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};", self.address_type)?;
        if self.address_type.eq_ignore_ascii_case(UTF_8) {
            for c in self.address.chars() {
                if is_plain(c) {
                    write!(f, "{c}")?
                } else {
                    write!(f, "\\x{{{:02X}}}", u32::from(c))?
                }
            }
            return Ok(());
        }
        let mut value = String::with_capacity(self.address.len());
        xtext::encode(self.address.as_bytes(), &mut value);
        f.write_str(&value)
    }
}

impl FromStr for OriginalRecipient {
    type Err = ParameterError;

    fn from_str(value: &str) -> Result<Self, ParameterError> {
        Self::parse(value.as_bytes()).ok_or(ParameterError::Value("ORCPT"))
    }
}

/// utf-8-addr-xtext and utf-8-addr-unitext (RFC 6533 section 3): plain characters and `\x{20AC}`.
fn decode_utf8(encoded: &str) -> Option<String> {
    let mut address = String::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some(c) = rest.chars().next() {
        if let Some(escaped) = rest.strip_prefix("\\x{") {
            let (digits, behind) = escaped.split_once('}')?;
            if !(1..=6).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return None;
            }
            address.push(u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)?);
            rest = behind;
        } else if is_plain(c) || !c.is_ascii() {
            address.push(c);
            rest = rest.get(c.len_utf8()..)?;
        } else {
            return None;
        }
    }
    Some(address)
}

/// RFC 6533 section 3: QCHAR.
fn is_plain(c: char) -> bool {
    c.is_ascii_graphic() && !matches!(c, '+' | '=' | '\\')
}

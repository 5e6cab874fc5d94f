use std::fmt;

use serde::de::{Deserialize, Deserializer};

use crate::text;

/// The description of an attribute (RFC 4512 section 2.5): a name or an OID, with options.
///
/// ```
/// use waypost_sdk::AttributeName;
///
/// assert!(AttributeName::new("mailHost").is_some());
/// assert!(AttributeName::new("2.5.4.3").is_some());
/// assert!(AttributeName::new("*").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeName(String);

impl AttributeName {
    /// The text, or `None` where it describes no single attribute; `*` and `+` do not.
    pub fn new(text: &str) -> Option<Self> {
        if text.len() > 255 {
            return None;
        }
        let mut parts = text.split(';');
        let kind = parts.next()?;
        let is_kind = if kind.starts_with(|c: char| c.is_ascii_digit()) {
            kind.contains('.') && kind.split('.').all(is_number)
        } else {
            kind.starts_with(|c: char| c.is_ascii_alphabetic()) && is_keyword(kind)
        };
        (is_kind && parts.all(is_keyword)).then(|| Self(text.into()))
    }

    /// The description as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AttributeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const WHAT: &str = "the name of an attribute, such as \"mailHost\",";
        text(deserializer, WHAT, |text| {
            Self::new(text).ok_or_else(|| format!("{WHAT} was expected, here is {text:?}"))
        })
    }
}

fn is_keyword(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// One number of an OID (RFC 4512 section 1.4).
fn is_number(text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && (text.len() == 1 || !text.starts_with('0'))
}

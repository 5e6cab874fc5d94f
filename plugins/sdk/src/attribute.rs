use std::fmt;

use crate::{Place, Setting, Value};

/// The description of an attribute (RFC 4512 section 2.5): a name or an OID, with options.
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

impl Setting for AttributeName {
    fn read(value: &Value, place: &mut Place<'_>) -> Option<Self> {
        const WHAT: &str = "the name of an attribute, such as \"mailHost\",";
        let text = place.text(WHAT, value)?;
        Self::new(text).or_else(|| place.problem(format!("{WHAT} was expected, here is {text:?}")))
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

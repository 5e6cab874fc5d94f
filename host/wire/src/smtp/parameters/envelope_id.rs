use std::fmt;
use std::str::FromStr;

use super::ParameterError;
use crate::smtp::xtext;

/// The longest value of ENVID, in octets as it is encoded (RFC 3461 section 4.4): as the client
/// encodes it, and as it is written here, which may take more.
const MAX_ENCODED: usize = 100;

/// What the sender calls a transaction: printable ASCII, 1 to 100 octets.
///
/// `Display` and `FromStr` are the value on the wire, which is xtext.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EnvelopeId(String);

impl EnvelopeId {
    /// What it means, as a report's `Original-Envelope-Id` has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let meant =
            Some(value).filter(|value| value.len() <= MAX_ENCODED).and_then(xtext::decode)?;
        let text = String::from_utf8(meant).ok()?;
        let printable = text.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic());
        let id = Some(Self(text)).filter(|id| printable && !id.0.is_empty());
        id.filter(|id| id.to_string().len() <= MAX_ENCODED)
    }
}

impl fmt::Display for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = String::with_capacity(self.0.len());
        xtext::encode(self.0.as_bytes(), &mut value);
        f.write_str(&value)
    }
}

impl FromStr for EnvelopeId {
    type Err = ParameterError;

    fn from_str(value: &str) -> Result<Self, ParameterError> {
        Self::parse(value.as_bytes()).ok_or(ParameterError::Value("ENVID"))
    }
}

//! The parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), RET,
//! ENVID, NOTIFY and ORCPT (RFC 3461, RFC 6533).

mod envelope_id;
mod original;
mod parse;

pub use envelope_id::EnvelopeId;
pub use original::OriginalRecipient;
pub(crate) use parse::Offers;
pub(super) use parse::number;
use thiserror::Error;

use super::{EnhancedCode, Reply};

/// What a client says of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// How large it is, in octets, or rather will be. A number beyond all numbers is the largest.
    pub size: Option<u64>,
    /// What is in it.
    pub body: Option<Body>,
    /// Whether addresses, headers and replies may hold UTF-8.
    pub smtputf8: bool,
    /// What a report is to carry.
    pub ret: Option<Ret>,
    /// What a report is to call the transaction.
    pub envelope_id: Option<EnvelopeId>,
}

/// What a client says of a recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipientParameters {
    /// When to report; `None` leaves it to whoever reports.
    pub notify: Option<Notify>,
    /// What a report is to call the recipient.
    pub original_recipient: Option<OriginalRecipient>,
}

/// `BODY=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// ASCII.
    SevenBit,
    /// Octets beyond ASCII, in lines.
    EightBitMime,
}

/// `RET=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    /// The whole message.
    Full,
    /// Its header alone.
    Headers,
}

/// `NOTIFY=`: what is to be reported. Nothing of it is `NEVER`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// That the message has been delivered.
    pub success: bool,
    /// That it could not be.
    pub failure: bool,
    /// That it takes long.
    pub delay: bool,
}

/// Why a parameter is not taken.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ParameterError {
    /// Not `NAME` and not `NAME=VALUE`.
    #[error("this is not a parameter")]
    Syntax,
    /// A value that this parameter cannot have, or none where there must be one.
    #[error("the value of {0} is not one that it can have")]
    Value(&'static str),
    /// The same twice.
    #[error("{0} stands there twice")]
    Twice(&'static str),
    /// Not one of an extension that is offered.
    #[error("the parameter is unknown")]
    Unknown,
    /// `BODY=BINARYMIME` (RFC 3030), which is not offered.
    #[error("BINARYMIME is not offered")]
    BinaryMime,
}

impl Body {
    /// The value on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
        }
    }
}

impl Ret {
    /// The value on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        }
    }
}

impl Notify {
    /// Whether nothing is ever to be reported.
    pub const fn is_never(self) -> bool {
        !(self.success || self.failure || self.delay)
    }

    /// The value on the wire.
    pub const fn as_str(self) -> &'static str {
        match (self.success, self.failure, self.delay) {
            (false, false, false) => "NEVER",
            (true, false, false) => "SUCCESS",
            (false, true, false) => "FAILURE",
            (false, false, true) => "DELAY",
            (true, true, false) => "SUCCESS,FAILURE",
            (true, false, true) => "SUCCESS,DELAY",
            (false, true, true) => "FAILURE,DELAY",
            (true, true, true) => "SUCCESS,FAILURE,DELAY",
        }
    }
}

impl ParameterError {
    /// What the client is told.
    pub const fn reply(self) -> Reply {
        let code = EnhancedCode::new(5, 5, 4);
        match self {
            Self::Syntax => Reply::new(501, code, "A parameter is NAME or NAME=VALUE."),
            Self::Value(_) => Reply::new(501, code, "A parameter has a value that it cannot have."),
            Self::Twice(_) => Reply::new(501, code, "A parameter stands there twice."),
            Self::Unknown => Reply::new(555, code, "A parameter is unknown here."),
            Self::BinaryMime => Reply::new(555, code, "BINARYMIME is not offered."),
        }
    }
}

#[cfg(test)]
mod tests;

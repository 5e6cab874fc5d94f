//! The paths of MAIL and RCPT: who sends and who receives (RFC 5321 sections 4.1.2 and 4.1.3,
//! RFC 6531 section 3.3).

mod parse;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use waypost_model::{Address, AddressError};

use super::{EnhancedCode, Reply};

/// A mailbox as an envelope names it.
///
/// Neither half is empty, and neither holds a control character. The local part is what it means,
/// without quotes and backslashes, and keeps its case; what a written mailbox looks like is said by
/// its `Display`, which quotes where it must. The domain is ASCII, and otherwise as it was written:
/// a name, which need not be one that the DNS could hold, or an address literal in its brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox {
    local_part: String,
    domain: String,
}

/// Where reports on a message go to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: nowhere (RFC 5321 section 4.5.5).
    Null,
    /// To whoever sent it.
    Mailbox(Mailbox),
}

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>`, in any case and without a domain (RFC 5321 section 4.5.1).
    Postmaster,
    /// Everybody else.
    Mailbox(Mailbox),
}

/// Why a path is none, or none that is taken.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PathError {
    /// No `<`, or no `>` where the address ends.
    #[error("the address is not in angle brackets")]
    Brackets,
    /// `<>` where somebody must be named.
    #[error("there is no address")]
    Missing,
    /// Not a mailbox.
    #[error("this is not a mail address")]
    Syntax,
    /// `""`, or nothing, before the `@`.
    #[error("the local part is empty")]
    Empty,
    /// A bare name.
    #[error("the address has no domain")]
    NoDomain,
    /// A local part or a domain beyond [`MAX_LOCAL_PART`](waypost_model::MAX_LOCAL_PART) or
    /// [`MAX_DOMAIN`](waypost_model::MAX_DOMAIN).
    #[error("the address is too long")]
    TooLong,
    /// Octets outside of ASCII in a transaction without SMTPUTF8.
    #[error("the address is not ASCII, and SMTPUTF8 was not said")]
    NonAscii,
    /// A recipient whose local part may be the address of somebody elsewhere.
    #[error("the local part holds another address")]
    Relay,
}

impl Mailbox {
    /// What stands before the `@`, as it is meant.
    pub fn local_part(&self) -> &str {
        &self.local_part
    }

    /// What stands behind the `@`, in ASCII; an address literal keeps its brackets.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The address to route by. `Err`: the domain is none that could be served, such as an address
    /// literal.
    pub fn address(&self) -> Result<Address, AddressError> {
        Address::from_parts(&self.local_part, waypost_model::Domain::new(&self.domain)?)
    }

    /// Whether it may be named in a transaction without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.local_part.is_ascii()
    }

    /// Whether the local part may be an address by itself (`user%host`, `host!user`, `"user@host"`),
    /// which the next server might relay to.
    pub fn may_relay(&self) -> bool {
        self.local_part.contains(['%', '!', '@'])
    }
}

impl From<&Address> for Mailbox {
    fn from(address: &Address) -> Self {
        Self {
            local_part: address.local_part().to_owned(),
            domain: address.domain().as_str().to_owned(),
        }
    }
}

impl ReversePath {
    /// The mailbox; `None` is the null path.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Whether it may be named in a transaction without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }
}

impl ForwardPath {
    /// The mailbox; `None` is the postmaster.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Postmaster => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Whether it may be named in a transaction without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }
}

impl PathError {
    /// What a client is told that named such a sender.
    pub const fn sender_reply(self) -> Reply {
        let code = EnhancedCode::new(5, 1, 7);
        match self {
            Self::Brackets | Self::Missing => {
                Reply::new(501, EnhancedCode::new(5, 5, 4), "Syntax: MAIL FROM:<address>")
            }
            Self::Syntax => Reply::new(501, code, "This sender is not a mail address."),
            Self::Empty => Reply::new(553, code, "The sender's local part is empty."),
            Self::NoDomain => Reply::new(501, code, "The sender's address has no domain."),
            Self::TooLong => Reply::new(501, code, "The sender's address is too long."),
            Self::NonAscii => NON_ASCII,
            Self::Relay => Reply::new(553, code, "The sender's local part holds another address."),
        }
    }

    /// What a client is told that named such a recipient.
    pub const fn recipient_reply(self) -> Reply {
        let code = EnhancedCode::new(5, 1, 3);
        match self {
            Self::Brackets => {
                Reply::new(501, EnhancedCode::new(5, 5, 4), "Syntax: RCPT TO:<address>")
            }
            Self::Missing => Reply::new(501, code, "There is no recipient."),
            Self::Syntax => Reply::new(501, code, "This recipient is not a mail address."),
            Self::Empty => Reply::new(553, code, "The recipient's local part is empty."),
            Self::NoDomain => Reply::new(501, code, "The recipient's address has no domain."),
            Self::TooLong => Reply::new(501, code, "The recipient's address is too long."),
            Self::NonAscii => NON_ASCII,
            Self::Relay => {
                Reply::new(553, code, "The recipient's local part holds another address.")
            }
        }
    }
}

const NON_ASCII: Reply =
    Reply::new(553, EnhancedCode::new(5, 6, 7), "Without SMTPUTF8 an address is ASCII.");

/// With quotes where the local part needs them (RFC 5321 section 4.1.2), so that a space or a `>`
/// stands between quotes only.
impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if parse::is_dot_string(&self.local_part) {
            f.write_str(&self.local_part)?;
        } else {
            f.write_str("\"")?;
            let mut rest = self.local_part.as_str();
            while let Some(place) = rest.find(['"', '\\']) {
                let (plain, behind) = rest.split_at(place);
                let (sign, behind) = behind.split_at(1);
                write!(f, "{plain}\\{sign}")?;
                rest = behind;
            }
            write!(f, "{rest}\"")?;
        }
        write!(f, "@{}", self.domain)
    }
}

/// In its angle brackets, as it goes to a back end: no control character, and a space or a `>`
/// inside a quoted string only.
impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

/// As [`ReversePath`]'s.
impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("<Postmaster>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

impl FromStr for ReversePath {
    type Err = PathError;

    /// Reads what `Display` wrote. A client's MAIL may say more.
    fn from_str(text: &str) -> Result<Self, PathError> {
        match Self::parse(text.as_bytes())? {
            (path, []) => Ok(path),
            _ => Err(PathError::Syntax),
        }
    }
}

impl FromStr for ForwardPath {
    type Err = PathError;

    /// Reads what `Display` wrote. A client's RCPT may say more.
    fn from_str(text: &str) -> Result<Self, PathError> {
        match Self::parse(text.as_bytes())? {
            (path, []) => Ok(path),
            _ => Err(PathError::Syntax),
        }
    }
}

#[cfg(test)]
mod tests;

//! What the login driver says to any front and any back end.
//!
//! A dialogue is fed the octets that its peer sent and have not been consumed yet; it appends
//! what is to be sent to `out` and says with an [`Advance`] how much it consumed and what is to be
//! done. What it did not consume must come again at the start of the next input. Dialogues hold
//! no input of their own, so what stands behind a login belongs to the relay without further ado.
//!
//! The loop around a dialogue, in short:
//!
//! 1. `advance(unread, out)`; drop `consumed` octets from `unread`;
//! 2. `Read` with `consumed == 0`: send `out`, read more behind `unread`, again from 1;
//!    `Read` with `consumed > 0`: again from 1;
//! 3. anything else is done as its documentation says, then again from 1, with or without input.
//!
//! Every dialogue consumes something, acts or closes when [`MAX_UNREAD`] octets are unread.

mod back;
mod front;

pub(crate) use back::Introduction;
pub use back::{Accepted, BackAction, BackFailure, BackSettings, ClientIdentity, Rejection};
pub use front::{Answer, Bye, CloseReason, FrontAction, FrontSettings};
use waypost_model::Secret;

pub use crate::sasl::{Mechanism, SaslResponse};

/// The most that a dialogue ever wants to see at once, in octets: the room that `unread` needs.
pub const MAX_UNREAD: usize = 16 * 1024;

/// The longest text of a person's or server's words that is passed on, in octets.
pub const MAX_TEXT: usize = 400;

/// What a step of a dialogue came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Advance<A> {
    /// How many octets of the input are done with.
    pub consumed: usize,
    /// What to do.
    pub action: A,
}

/// What a client says to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A name and a password: the protocol's own login, PLAIN or LOGIN.
    Password {
        /// `None` is the protocol's own login.
        mechanism: Option<Mechanism>,
        /// Whose password it is, as the client sent it.
        authentication_id: String,
        /// In whose name to act, where the client said so and it is not the above.
        authorisation_id: Option<String>,
        /// The password: not empty, without control characters, not necessarily UTF-8.
        password: Secret,
    },
    /// A token mechanism, whose messages are relayed one by one.
    Token {
        /// Which.
        mechanism: Mechanism,
        /// The user that the first message names.
        user: String,
        /// The first message, decoded.
        initial_response: Secret,
    },
    /// A digest of a challenge under the password: CRAM-MD5 or APOP.
    Digest {
        /// `None` is APOP.
        mechanism: Option<Mechanism>,
        /// Whose password it is, as the client sent it.
        user: String,
        /// What the client was asked.
        challenge: String,
        /// What it answered.
        digest: [u8; 16],
    },
    /// The client's certificate, which TLS has verified: EXTERNAL. There is nothing that could be
    /// passed on.
    Certificate {
        /// The name that it is for.
        name: String,
    },
}

impl Credential {
    /// The name to route by, as the client sent it: 1 to [`MAX_NAME`](crate::sasl::MAX_NAME)
    /// octets without control characters.
    pub fn name(&self) -> &str {
        match self {
            Self::Password { authorisation_id: Some(name), .. }
            | Self::Password { authentication_id: name, authorisation_id: None, .. }
            | Self::Token { user: name, .. }
            | Self::Digest { user: name, .. }
            | Self::Certificate { name } => name,
        }
    }

    /// Who authenticates, where that is not [`Credential::name`].
    pub fn authentication_id(&self) -> Option<&str> {
        match self {
            Self::Password { authentication_id, authorisation_id: Some(_), .. } => {
                Some(authentication_id)
            }
            _ => None,
        }
    }

    /// The mechanism; `None` is the protocol's own login.
    pub fn mechanism(&self) -> Option<Mechanism> {
        match self {
            Self::Password { mechanism, .. } | Self::Digest { mechanism, .. } => *mechanism,
            Self::Token { mechanism, .. } => Some(*mechanism),
            Self::Certificate { .. } => Some(Mechanism::External),
        }
    }

    /// The password, for the host to verify; tokens, digests and certificates have none.
    pub fn password(&self) -> Option<&Secret> {
        match self {
            Self::Password { password, .. } => Some(password),
            Self::Token { .. } | Self::Digest { .. } | Self::Certificate { .. } => None,
        }
    }
}

/// Words of a back end, made fit to be put on a line of Waypost's own: printable ASCII, everything
/// else replaced by `?`, at most [`MAX_TEXT`] octets.
pub fn printable(text: &[u8]) -> String {
    text.iter()
        .take(MAX_TEXT)
        .map(
            |&octet| {
                if octet == b' ' || octet.is_ascii_graphic() { char::from(octet) } else { '?' }
            },
        )
        .collect()
}

use thiserror::Error;

use crate::smtp::{Reply, ReplyError};

/// Why nothing more comes of a connection.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BackFailure {
    /// It greets with a refusal, temporary or not.
    #[error("the back end greets with: {0}")]
    Greeting(Reply),
    /// It refuses EHLO, LHLO and, where that may be said, HELO.
    #[error("the back end refuses our greeting: {0}")]
    Hello(Reply),
    /// TLS is demanded and not offered.
    #[error("the back end does not offer STARTTLS")]
    StarttlsNotOffered,
    /// TLS is offered and then refused.
    #[error("the back end refuses to start TLS: {0}")]
    StarttlsRefused(Reply),
    /// Octets behind the agreement to start TLS: somebody else may have put them there.
    #[error("the back end sent plain text behind its agreement to start TLS")]
    PlaintextAfterStarttls,
    /// It answers what was not asked, or talks into the message.
    #[error("the back end answers what it was not asked")]
    Unasked,
    /// It says 421, as a reply or unasked.
    #[error("the back end says goodbye: {0}")]
    Goodbye(Reply),
    /// A reply that cannot be one to this command.
    #[error("the back end answers {0} with: {1}")]
    Unexpected(&'static str, Reply),
    /// Not the protocol; what was expected.
    #[error("the back end does not speak the protocol: {0} was expected")]
    Protocol(&'static str),
    /// What looks like a reply is none.
    #[error("the back end does not speak the protocol: {0}")]
    Rubbish(ReplyError),
    /// A line or a reply beyond its limit.
    #[error("the back end's reply is too long")]
    TooLong,
}

impl BackFailure {
    /// The name in logs and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Greeting(_) => "greeting",
            Self::Hello(_) => "hello",
            Self::StarttlsNotOffered => "starttls-not-offered",
            Self::StarttlsRefused(_) => "starttls-refused",
            Self::PlaintextAfterStarttls => "plaintext-after-starttls",
            Self::Unasked => "unasked",
            Self::Goodbye(_) => "goodbye",
            Self::Unexpected(..) => "unexpected",
            Self::Protocol(_) | Self::Rubbish(_) => "protocol",
            Self::TooLong => "too-long",
        }
    }

    /// The reply with which the back end failed, where there is one.
    pub const fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Greeting(reply)
            | Self::Hello(reply)
            | Self::StarttlsRefused(reply)
            | Self::Goodbye(reply)
            | Self::Unexpected(_, reply) => Some(reply),
            Self::StarttlsNotOffered
            | Self::PlaintextAfterStarttls
            | Self::Unasked
            | Self::Protocol(_)
            | Self::Rubbish(_)
            | Self::TooLong => None,
        }
    }
}

impl From<ReplyError> for BackFailure {
    fn from(error: ReplyError) -> Self {
        match error {
            ReplyError::TooLong => Self::TooLong,
            error => Self::Rubbish(error),
        }
    }
}

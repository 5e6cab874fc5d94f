use std::io;

use thiserror::Error;
use waypost_net::session::EndReason;
use waypost_net::tls::TlsError;
use waypost_session::{Broken, UpgradeError};
use waypost_wire::login::{Bye, CloseReason};

use crate::delivering::Lost;

/// Why a session has ended.
#[derive(Debug, Error)]
pub(crate) enum Ended {
    #[error("{}", .0.as_str())]
    Front(CloseReason),
    /// The client was silent for too long.
    #[error("the client said nothing for too long")]
    Timeout,
    #[error("{}", .0.as_str())]
    FromOutside(EndReason),
    #[error("TLS with the client: {0}")]
    ClientTls(TlsError),
    #[error("the listener has no certificate")]
    NoTls,
    #[error("as many messages as one session may bring")]
    TooManyMessages,
    /// The client has gone without a word.
    #[error("{0}")]
    Gone(io::Error),
    #[error("{0}")]
    Broken(Broken),
}

impl From<UpgradeError> for Ended {
    fn from(error: UpgradeError) -> Self {
        match error {
            UpgradeError::Plaintext => Self::Front(CloseReason::PlaintextAfterStarttls),
            UpgradeError::NoTls => Self::NoTls,
            UpgradeError::Broken(broken) => Self::Broken(broken),
            UpgradeError::Tls(error) => Self::ClientTls(error),
            UpgradeError::Timeout => Self::Timeout,
        }
    }
}

impl Ended {
    /// Why the session ends with a message; `None`: it goes on.
    pub(crate) fn with_message(lost: Lost) -> Option<Self> {
        match lost {
            Lost::Reset => None,
            Lost::Closed(reason) => Some(Self::Front(reason)),
            Lost::Gone(error) => Some(Self::Gone(error)),
            Lost::Timeout => Some(Self::Timeout),
            Lost::Ended(reason) => Some(Self::FromOutside(reason)),
        }
    }

    /// The name in logs and metrics.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Front(reason) => reason.as_str(),
            Self::Timeout => "timeout",
            Self::FromOutside(reason) => reason.as_str(),
            Self::ClientTls(_) => "client-tls",
            Self::NoTls => "no-tls",
            Self::TooManyMessages => "too-many-messages",
            Self::Gone(_) | Self::Broken(_) => "client-left",
        }
    }

    /// What the client is told, where there is anything left to say.
    pub(crate) const fn goodbye(&self) -> Option<Bye> {
        match self {
            Self::Timeout | Self::FromOutside(EndReason::Idle) => Some(Bye::Timeout),
            Self::FromOutside(EndReason::Shutdown) => Some(Bye::Shutdown),
            Self::FromOutside(EndReason::Killed) => {
                Some(Bye::Limit("The session is ended by the operator."))
            }
            Self::TooManyMessages => Some(Bye::Limit("Too many messages in one session.")),
            // The front has said what there is to say.
            Self::Front(_) | Self::ClientTls(_) | Self::NoTls | Self::Gone(_) | Self::Broken(_) => {
                None
            }
        }
    }
}

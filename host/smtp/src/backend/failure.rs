use std::io;

use thiserror::Error;
use waypost_model::Protocol;
use waypost_net::connect::ConnectError;
use waypost_net::tls::TlsError;
use waypost_wire::smtp::{BackFailure, Reply};

use crate::outcome::Loss;

/// Why an open connection is of no more use.
#[derive(Debug, Error)]
pub(crate) enum Broken {
    /// The network's word; the end of what the back end sends among it.
    #[error("talking with the back end: {0}")]
    Io(#[from] io::Error),
    /// What it said, or what it did not understand.
    #[error("{0}")]
    Dialogue(#[from] BackFailure),
    /// It has not answered in time.
    #[error("the back end did not answer in time")]
    Timeout,
}

/// Why a target came to nothing, before it had a word on the message.
#[derive(Debug, Error)]
pub(crate) enum TargetFailure {
    #[error("{0}")]
    Connect(#[from] ConnectError),
    #[error("TLS with the back end: {0}")]
    Tls(#[from] TlsError),
    #[error("{0}")]
    Broken(#[from] Broken),
    /// It does not take MAIL now, or not from us.
    #[error("the back end refuses MAIL: {0}")]
    Mail(Reply),
    #[error("mail cannot be delivered over {0}")]
    NoDialogue(Protocol),
}

impl Broken {
    /// The name in logs and metrics.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Io(_) => "broken",
            Self::Dialogue(failure) => failure.kind(),
            Self::Timeout => "timeout",
        }
    }

    /// What it means for a leg.
    pub(crate) const fn loss(&self) -> Loss {
        match self {
            Self::Io(_) | Self::Dialogue(BackFailure::Goodbye(_)) => Loss::Closed,
            Self::Dialogue(_) => Loss::Nonsense,
            Self::Timeout => Loss::Silent,
        }
    }

    /// Whether the back end has gone, rather than said something that it should not.
    pub(crate) const fn is_gone(&self) -> bool {
        matches!(self.loss(), Loss::Closed)
    }
}

impl TargetFailure {
    /// The name in logs and metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Connect(error) => error.label(),
            Self::Tls(_) => "tls",
            Self::Broken(broken) => broken.kind(),
            Self::Mail(_) => "mail",
            Self::NoDialogue(_) => "no-dialogue",
        }
    }

    /// Whether the back end has not said a word.
    pub(crate) const fn is_silence(&self) -> bool {
        matches!(self, Self::Broken(Broken::Timeout | Broken::Io(_)) | Self::Tls(TlsError::Timeout))
    }
}

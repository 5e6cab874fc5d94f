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

    /// The text for the log; without the back end's own words where users are not to be named.
    pub(crate) fn detail(&self, clear: bool) -> String {
        match self {
            Self::Dialogue(failure) if !clear => match failure.reply() {
                Some(reply) => without_words(&failure.to_string(), reply),
                None => failure.to_string(),
            },
            _ => self.to_string(),
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

    /// The text for the log; without the back end's own words where users are not to be named.
    pub(crate) fn detail(&self, clear: bool) -> String {
        match self {
            Self::Broken(broken) => broken.detail(clear),
            Self::Mail(reply) if !clear => without_words(&self.to_string(), reply),
            _ => self.to_string(),
        }
    }

    /// Whether the back end has not said a word.
    pub(crate) const fn is_silence(&self) -> bool {
        matches!(self, Self::Broken(Broken::Timeout | Broken::Io(_)) | Self::Tls(TlsError::Timeout))
    }
}

/// A text that ends with a reply, with no more of that than its codes: back ends like to quote
/// addresses.
fn without_words(text: &str, reply: &Reply) -> String {
    let own = text.strip_suffix(&reply.to_string()).unwrap_or_default();
    match reply.enhanced() {
        Some(enhanced) => format!("{own}{} {enhanced}", reply.code()),
        None => format!("{own}{}", reply.code()),
    }
}

#[cfg(test)]
mod tests {
    use waypost_wire::smtp::{BackFailure, Reply};

    use super::{Broken, TargetFailure};

    #[test]
    fn only_the_codes_of_a_reply_are_shown_where_nobody_is_to_be_named() {
        let reply = Reply::plain(452, "<user1@example.test> is over quota");
        let mail = TargetFailure::Mail(reply.clone());
        let broken = TargetFailure::from(Broken::from(BackFailure::Unexpected("DATA", reply)));
        for (failure, own) in [
            (mail, "the back end refuses MAIL: 452"),
            (broken, "the back end answers DATA with: 452"),
        ] {
            assert!(failure.detail(false).starts_with(own), "{}", failure.detail(false));
            assert!(!failure.detail(false).contains("user1"), "{}", failure.detail(false));
            assert!(failure.detail(true).contains("user1"), "{}", failure.detail(true));
        }
    }
}

use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;
use waypost_model::Encryption;

use super::{Answer, Mechanism};

/// What a dialogue with a back end is made with.
#[derive(Clone, Debug)]
pub struct BackSettings {
    /// `Implicit`: TLS is up before the first octet. `Starttls`: nothing but the way to TLS is
    /// said before it.
    pub encryption: Encryption,
    /// What to tell the back end of the client, where it offers to hear it (IMAP ID, POP3 and
    /// submission XCLIENT).
    pub client: Option<ClientIdentity>,
    /// IMAP and POP3: how many further proxies the session may pass, to be told where nothing else
    /// of the client is; for sessions of which a proxy in front has told it.
    pub ttl: Option<u8>,
    /// Submission: our own name, for EHLO before TLS and where the client's is of no use.
    pub hostname: Arc<str>,
    /// Submission: what the client called itself in EHLO. One that is neither a host name nor an
    /// address literal is not passed on.
    pub hello: Option<Arc<str>>,
}

impl Default for BackSettings {
    fn default() -> Self {
        Self {
            encryption: Encryption::Starttls,
            client: None,
            ttl: None,
            hostname: Arc::from("localhost"),
            hello: None,
        }
    }
}

impl BackSettings {
    /// What there is to tell the back end, if anything.
    pub(crate) fn introduction(&self) -> Option<Introduction<'_>> {
        match &self.client {
            Some(client) => Some(Introduction { client: Some(client), ttl: client.ttl }),
            None => self.ttl.map(|ttl| Introduction { client: None, ttl }),
        }
    }
}

/// What a back end is told of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Introduction<'a> {
    pub(crate) client: Option<&'a ClientIdentity>,
    /// How many further proxies the session may pass.
    pub(crate) ttl: u8,
}

/// What a back end that trusts Waypost is told of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// Where the client is.
    pub client: SocketAddr,
    /// Where it connected to.
    pub local: SocketAddr,
    /// The session's id in the log.
    pub session: Arc<str>,
    /// How many further proxies the session may pass.
    pub ttl: u8,
}

/// What the driver is to do for a back end.
#[derive(Debug, PartialEq, Eq)]
pub enum BackAction {
    /// Send the output and read more.
    Read,
    /// The server agreed: start TLS, then call `tls_started`. Octets that the driver has read
    /// beyond the agreement fail the target; where they are in the same input, the dialogue says
    /// so itself with [`BackFailure::PlaintextAfterStarttls`].
    StartTls,
    /// All that comes before the credential is done: call `login`. The last moment to fail over.
    Ready,
    /// A token mechanism's challenge, decoded: pass it on, come back with `respond`.
    Challenge(Vec<u8>),
    /// The client is in. Input behind it is the relay's.
    Accepted(Accepted),
    /// The back end's own no.
    Rejected(Rejection),
    /// The target failed; nothing more comes of this connection.
    Failed(BackFailure),
}

/// What a back end said as it let the client in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Its words, printable ASCII; may be empty.
    pub text: String,
    /// IMAP: untagged responses to pass on first, as they came, each whole and ended with CRLF.
    pub untagged: Vec<u8>,
    /// IMAP: its capabilities after login, separated by spaces, without those that have no
    /// meaning there.
    pub capabilities: Option<String>,
}

/// A back end's own no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The response code without brackets, in upper case where it has no arguments; printable ASCII.
    /// Submission: the reply code and, if there is one, the enhanced code, such as `550 5.7.1`.
    pub code: Option<String>,
    /// Its words, printable ASCII; may be empty.
    pub text: String,
}

impl Rejection {
    /// What the client is told: a rejection that says no more than that the login failed is
    /// answered in Waypost's one wording, every other in the back end's.
    pub fn into_answer(self) -> Answer {
        match self.code.as_deref() {
            None | Some("AUTHENTICATIONFAILED" | "AUTH") => Answer::Rejected,
            Some(_) => Answer::RejectedByBackend(self),
        }
    }
}

/// Why a target failed. To the client each is a temporary error.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BackFailure {
    /// It greets as if somebody had logged in already.
    #[error("the back end greets with PREAUTH")]
    Preauth,
    /// It says goodbye, in the greeting or later; its words.
    #[error("the back end says goodbye: {0}")]
    Bye(String),
    /// Submission: it does not take EHLO; its words.
    #[error("the back end refuses EHLO: {0}")]
    Hello(String),
    /// It answers what was not asked yet.
    #[error("the back end answers what it was not asked")]
    EarlyReply,
    /// Not the protocol; what was expected.
    #[error("the back end does not speak the protocol: {0} was expected")]
    Protocol(&'static str),
    /// A line, a literal, or all of a reply beyond its limit.
    #[error("the back end's reply is too long")]
    TooLong,
    /// TLS is demanded and not offered.
    #[error("the back end does not offer STARTTLS")]
    StarttlsNotOffered,
    /// TLS is offered and then refused; its words.
    #[error("the back end refuses to start TLS: {0}")]
    StarttlsRefused(String),
    /// Octets behind the agreement to start TLS: somebody else may have put them there.
    #[error("the back end sent plain text behind its agreement to start TLS")]
    PlaintextAfterStarttls,
    /// None of its ways to log in fits the credential, this one being the last resort; `None` is
    /// the protocol's own login.
    #[error("the back end does not offer {}, and no other way fits", .0.map_or("its own login", Mechanism::as_str))]
    MechanismNotOffered(Option<Mechanism>),
    /// It offers SCRAM with channel binding (RFC 5802 section 6): the channel ends at Waypost, and a
    /// client that could bind would rightly take that for an attack.
    #[error("the back end offers SCRAM with channel binding, which cannot be passed through")]
    ChannelBinding,
    /// The name to log in with cannot be said in this protocol.
    #[error("the name to log in with holds what this protocol cannot carry")]
    Name,
    /// It cannot say now whether the login is right; its words.
    #[error("the back end is temporarily unavailable: {0}")]
    Temporary(String),
    /// It wants TLS before it hears a password, and none is configured; its words.
    #[error("the back end wants TLS before a login: {0}")]
    PrivacyRequired(String),
    /// It says that the mailbox is elsewhere; its words.
    #[error("the back end refers the client elsewhere: {0}")]
    Elsewhere(String),
    /// It does not take the login for a command; its words.
    #[error("the back end does not understand the login: {0}")]
    Refused(String),
}

impl BackFailure {
    /// The text without the back end's own words, which may name users.
    pub fn without_words(&self) -> String {
        let mut own = self.clone();
        own.words().into_iter().for_each(String::clear);
        own.to_string().trim_end_matches(": ").to_owned()
    }

    /// The back end's own words, where there are any.
    pub fn words(&mut self) -> Option<&mut String> {
        match self {
            Self::Bye(words)
            | Self::Hello(words)
            | Self::StarttlsRefused(words)
            | Self::Temporary(words)
            | Self::PrivacyRequired(words)
            | Self::Elsewhere(words)
            | Self::Refused(words) => Some(words),
            Self::Preauth
            | Self::EarlyReply
            | Self::Protocol(_)
            | Self::TooLong
            | Self::StarttlsNotOffered
            | Self::PlaintextAfterStarttls
            | Self::MechanismNotOffered(_)
            | Self::ChannelBinding
            | Self::Name => None,
        }
    }

    /// The name in logs and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Preauth => "preauth",
            Self::Bye(_) => "bye",
            Self::Hello(_) => "hello",
            Self::EarlyReply => "early-reply",
            Self::Protocol(_) => "protocol",
            Self::TooLong => "too-long",
            Self::StarttlsNotOffered => "starttls-not-offered",
            Self::StarttlsRefused(_) => "starttls-refused",
            Self::PlaintextAfterStarttls => "plaintext-after-starttls",
            Self::MechanismNotOffered(_) => "mechanism-not-offered",
            Self::ChannelBinding => "channel-binding",
            Self::Name => "name",
            Self::Temporary(_) => "temporary",
            Self::PrivacyRequired(_) => "privacy-required",
            Self::Elsewhere(_) => "elsewhere",
            Self::Refused(_) => "refused",
        }
    }
}

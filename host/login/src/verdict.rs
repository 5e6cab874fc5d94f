use std::net::SocketAddr;
use std::sync::Arc;

use waypost_model::{Failure, Protocol, Refusal, Target, Trouble};
use waypost_net::connect::ConnectError;
use waypost_net::limits::LimitReached;
use waypost_net::session::EndReason;
use waypost_net::tls::TlsError;
use waypost_routing::{LoginNameError, Routed, Source};
use waypost_session::{Broken, Conversation, UpgradeError};
use waypost_verify::{TooMany, Unverified};
use waypost_wire::Back;
use waypost_wire::login::{Accepted, Answer, BackFailure, Bye, CloseReason, Mechanism, Rejection};

use crate::entry::NoEntry;

/// What came of one login.
pub(crate) enum Verdict {
    /// The back end has let the client in.
    Accepted(Box<Entered>),
    /// Not now, or not at all.
    No(Reason),
    /// There is nobody left to answer, or nothing that could be answered.
    ClientLeft(Broken),
}

/// A back end that has accepted the login.
pub(crate) struct Entered {
    pub(crate) back: Conversation<Back>,
    pub(crate) accepted: Accepted,
    /// How it was found.
    pub(crate) way: Way,
    pub(crate) arrival: Arrival,
    /// Whose session it is: the address that was asked for.
    pub(crate) user: Arc<str>,
    pub(crate) address: SocketAddr,
}

/// How a target was found: for the log.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) policy: Arc<str>,
    pub(crate) source: Source,
    pub(crate) target: String,
}

/// How somebody came in: for the line that says so, and no longer.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// How the client has logged in; `None`: by the protocol's own command.
    pub(crate) mechanism: Option<Mechanism>,
    /// The name that the back end was told.
    pub(crate) name: Option<String>,
    /// With what the back end was entered: `enter`.
    pub(crate) entry: &'static str,
}

impl Way {
    pub(crate) fn new<T>(routed: &Routed<T>, target: &Target) -> Self {
        let Routed { policy, source, .. } = routed;
        Self { policy: policy.clone(), source: *source, target: target.to_string() }
    }
}

/// Why a login is answered with no.
#[derive(Debug)]
pub(crate) enum Reason {
    /// The name cannot be one.
    Name(LoginNameError),
    /// No policy serves the domain.
    NotServed,
    /// Every policy passed.
    UnknownUser,
    /// A policy's word.
    Refused(Refusal),
    /// The back end's word.
    Rejected(Rejection),
    /// The front has not found the password right, or cannot say.
    Unverified(Unverified),
    /// The policy has the front check the password, and what the client sent is none.
    NotForTheFront,
    /// A digest of a challenge, which only who knows the password can check: the front, where the
    /// policy has it compare and the directory stores it in clear.
    NeedsClearPassword,
    /// The policy has the front check the password, and the client logs in in another's name.
    OnBehalf,
    /// The session has passed as many proxies as it may.
    Loop,
    /// Too many logins of the user, or from the client's network, are undecided.
    TooMany,
    /// The client took back what it began.
    Cancelled,
    /// A policy cannot answer now.
    Trouble(Trouble),
    /// No target could be tried to the end; what the last one said.
    Target(String, TargetFailure),
    /// A route without target, which no policy can give.
    NoTarget,
}

/// Why a target came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetFailure {
    #[error("{0}")]
    Connect(#[from] ConnectError),
    #[error("TLS with the back end: {0}")]
    Tls(#[from] TlsError),
    #[error("{0}")]
    Dialogue(#[from] BackFailure),
    #[error("talking with the back end: {0}")]
    Broken(#[from] Broken),
    #[error("the back end did not answer in time")]
    Timeout,
    #[error("{0}")]
    Entry(#[from] NoEntry),
    #[error("the back end refuses what its `enter` says: {0}")]
    EntryRefused(String),
    #[error("sessions cannot be logged in over {0}")]
    NoDialogue(Protocol),
}

impl TargetFailure {
    /// The name in logs and metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Connect(error) => error.label(),
            Self::Tls(_) => "tls",
            Self::Dialogue(failure) => failure.kind(),
            Self::Broken(_) => "broken",
            Self::Timeout => "timeout",
            Self::Entry(_) => "no-entry-configured",
            Self::EntryRefused(_) => "entry-refused",
            Self::NoDialogue(_) => "no-dialogue",
        }
    }

    /// The text without the back end's own words, which may name users.
    pub(crate) fn without_words(&self) -> String {
        match self {
            Self::Dialogue(failure) => failure.without_words(),
            Self::EntryRefused(_) => "the back end refuses what its `enter` says".to_owned(),
            _ => self.to_string(),
        }
    }

    /// Whether target health knows of it, and has said so.
    pub(crate) fn is_watched(&self) -> bool {
        matches!(self, Self::Connect(error) if error.is_watched())
    }

    /// Whether the back end has not said a word.
    pub(crate) const fn is_silence(&self) -> bool {
        matches!(self, Self::Timeout | Self::Broken(_) | Self::Tls(TlsError::Timeout))
    }
}

impl Reason {
    /// What the client is told.
    ///
    /// A refusal by a policy sounds like a wrong password, since nothing has been verified yet.
    pub(crate) fn answer(&self) -> Answer {
        match self {
            Self::Name(_) | Self::NotServed | Self::UnknownUser | Self::Refused(_) => {
                Answer::Rejected
            }
            Self::Cancelled | Self::NotForTheFront => Answer::Rejected,
            Self::NeedsClearPassword | Self::OnBehalf => Answer::Rejected,
            Self::Rejected(rejection) => rejection.clone().into_answer(),
            Self::Unverified(Unverified::Wrong) => Answer::Rejected,
            Self::Unverified(Unverified::Denied(_)) => Answer::Denied,
            Self::Unverified(_) | Self::TooMany | Self::Loop => Answer::Unavailable,
            Self::Trouble(_) | Self::Target(..) | Self::NoTarget => Answer::Unavailable,
        }
    }

    /// Whether asking again a moment later may bring another answer.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Self::Trouble(_) | Self::NoTarget => true,
            Self::Target(_, TargetFailure::Entry(_)) => false,
            Self::Target(..) => true,
            Self::Unverified(why) => why.is_temporary(),
            _ => false,
        }
    }

    /// Whether the operator has something to put right, and nothing else says so.
    pub(crate) fn is_for_the_operator(&self) -> bool {
        match self {
            Self::Trouble(Trouble::Failure(failure)) => matches!(
                failure,
                Failure::BadData(_) | Failure::Misconfigured(_) | Failure::Ambiguous(_)
            ),
            Self::Trouble(trouble) => !matches!(trouble, Trouble::Deferred(_)),
            Self::Unverified(Unverified::Unusable(_) | Unverified::NoDirectory(_)) => true,
            Self::NoTarget => true,
            _ => false,
        }
    }

    /// Whether somebody who knows has said no to the credential: with a route from the cache it may
    /// have been the wrong one to ask.
    pub(crate) fn is_rejection(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Unverified(Unverified::Wrong))
    }

    /// Whether it counts as a failed login: whoever guesses names and passwords hears these.
    pub(crate) fn is_failure(&self) -> bool {
        match self {
            Self::Name(_) | Self::NotServed | Self::UnknownUser | Self::Refused(_) => true,
            Self::NotForTheFront | Self::NeedsClearPassword | Self::OnBehalf => true,
            Self::Rejected(rejection) => rejection.clone().into_answer() == Answer::Rejected,
            Self::Unverified(why) => *why == Unverified::Wrong,
            _ => false,
        }
    }

    /// The name in logs and metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::NotServed => "not-served",
            Self::UnknownUser => "unknown-user",
            Self::Refused(refusal) => refusal.kind(),
            Self::Rejected(_) => "rejected",
            Self::Unverified(why) => why.kind(),
            Self::NotForTheFront => "not-for-the-front",
            Self::NeedsClearPassword => "needs-clear-password",
            Self::OnBehalf => "on-behalf",
            Self::Loop => "loop",
            Self::TooMany => "too-many-attempts",
            Self::Cancelled => "cancelled",
            Self::Trouble(trouble) => trouble.kind(),
            Self::Target(_, failure) => failure.kind(),
            Self::NoTarget => "no-target",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::NotServed => f.write_str("no policy serves the domain"),
            Self::UnknownUser => f.write_str("every policy passed"),
            Self::Refused(Refusal::Other(text)) => write!(f, "the policy refuses: {text}"),
            Self::Refused(refusal) => write!(f, "the policy refuses: {}", refusal.kind()),
            Self::Rejected(Rejection { code, text }) => {
                write!(f, "the back end says no: ")?;
                code.iter().try_for_each(|code| write!(f, "[{code}] "))?;
                f.write_str(text)
            }
            Self::Unverified(why) => why.fmt(f),
            Self::NotForTheFront => f.write_str(
                "the policy has the front check the password, which this mechanism does not show it",
            ),
            Self::NeedsClearPassword => f.write_str(
                "CRAM-MD5 and APOP need verification by password, and a password that is stored in \
                 clear",
            ),
            Self::OnBehalf => f.write_str(
                "the policy has the front check the password, and who logs in in another's name has \
                 none in that one's entry",
            ),
            Self::Loop => f.write_str("the session has passed as many proxies as it may"),
            Self::TooMany => TooMany.fmt(f),
            Self::Cancelled => f.write_str("the client cancelled the exchange"),
            Self::Trouble(trouble) => trouble.fmt(f),
            Self::Target(target, failure) => write!(f, "{target}: {failure}"),
            Self::NoTarget => f.write_str("the route has no target"),
        }
    }
}

/// Why a session ended before its hand-over.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("{}", .0.as_str())]
    Front(CloseReason),
    #[error("not logged in in time")]
    LoginTimeout,
    #[error("{}", .0.as_str())]
    FromOutside(EndReason),
    #[error("TLS with the client: {0}")]
    ClientTls(#[from] TlsError),
    #[error("the listener has no certificate")]
    NoTls,
    #[error("nobody logs in over the listener's protocol")]
    NoDialogue,
    /// With the user as the log shows them.
    #[error("{0}: {1}")]
    UserLimit(LimitReached, String),
    #[error("{0}")]
    Broken(#[from] Broken),
}

impl From<UpgradeError> for Ended {
    fn from(error: UpgradeError) -> Self {
        match error {
            UpgradeError::Plaintext => Self::Front(CloseReason::PlaintextAfterStarttls),
            UpgradeError::NoTls => Self::NoTls,
            UpgradeError::Broken(broken) => Self::Broken(broken),
            UpgradeError::Tls(error) => Self::ClientTls(error),
            UpgradeError::Timeout => Self::LoginTimeout,
        }
    }
}

impl Ended {
    /// The name in logs and metrics.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Front(reason) => reason.as_str(),
            Self::LoginTimeout => "login-timeout",
            Self::FromOutside(reason) => reason.as_str(),
            Self::ClientTls(_) => "client-tls",
            Self::NoTls => "no-tls",
            Self::NoDialogue => "no-dialogue",
            Self::UserLimit(reached, _) => reached.as_str(),
            Self::Broken(_) => "client-left",
        }
    }

    /// What the client is told, where it is not the front that ends the session.
    pub(crate) const fn goodbye(&self) -> Bye {
        match self {
            Self::FromOutside(EndReason::Shutdown) => Bye::Shutdown,
            Self::FromOutside(EndReason::Killed) => Bye::Limit("ended by the operator"),
            _ => Bye::Timeout,
        }
    }
}

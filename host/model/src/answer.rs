use std::sync::Arc;
use std::time::Duration;

use crate::{ContextReads, Target, Trouble};

/// An entry that one of a decision's own searches returned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    /// The directory's name in the configuration.
    pub directory: Arc<str>,
    /// The entry's distinguished name.
    pub dn: Arc<str>,
}

/// How the password is checked before the back end is opened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Verification {
    /// By the back end itself.
    ByBackend,
    /// By binding as the entry.
    ByBind(Principal),
    /// Against the entry's password attribute, which the plugin never sees.
    ByPassword(Principal),
}

impl Verification {
    /// The name in configuration, logs and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ByBackend => "backend",
            Self::ByBind(_) => "bind",
            Self::ByPassword(_) => "password",
        }
    }
}

/// The ways of checking passwords that the operator lets a policy ask for. Default: the back end's
/// alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VerificationGrant {
    /// By the back end itself.
    pub backend: bool,
    /// By binding as an entry.
    pub bind: bool,
    /// Against an entry's password attribute.
    pub password: bool,
}

impl VerificationGrant {
    /// Every way.
    pub const ALL: Self = Self { backend: true, bind: true, password: true };

    /// Whether a policy may ask for this one.
    pub const fn allows(&self, verification: &Verification) -> bool {
        match verification {
            Verification::ByBackend => self.backend,
            Verification::ByBind(_) => self.bind,
            Verification::ByPassword(_) => self.password,
        }
    }
}

impl Default for VerificationGrant {
    fn default() -> Self {
        Self { backend: true, bind: false, password: false }
    }
}

/// Where a mailbox lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// In the order in which they are to be tried; never empty.
    pub targets: Vec<Target>,
    /// The name to log in with, or the recipient to pass on; `None` keeps the client's.
    pub identity: Option<Arc<str>>,
    /// How the password is checked.
    pub verification: Verification,
}

/// A no for good.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// There is no such user.
    UnknownUser,
    /// There is one, who may not log in or receive mail.
    DisabledUser,
    /// Not this way, or not from there.
    Denied,
    /// In the plugin's words, for the log; answered like `Denied`.
    Other(String),
}

impl Refusal {
    /// The name in logs and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::UnknownUser => "unknown-user",
            Self::DisabledUser => "disabled-user",
            Self::Denied => "denied",
            Self::Other(_) => "other",
        }
    }
}

/// A policy's answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// There.
    Route(Arc<Route>),
    /// Nowhere, for good.
    Refuse(Refusal),
    /// There, but not now; why, in the plugin's words, for the log.
    Defer(String),
    /// Not mine: ask the domain's next policy.
    Pass,
}

/// A decision with how long it may be reused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The decision.
    pub decision: Decision,
    /// For how long; `None` takes the operator's time.
    pub cache_for: Option<Duration>,
}

/// One search that a decision made, for `waypost route` and the debug log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The directory's name in the configuration.
    pub directory: Arc<str>,
    /// The base as it was sent.
    pub base: String,
    /// The filter as it was sent, parameters bound and escaped.
    pub filter: String,
    /// How many entries came back, or the error in the connector's words.
    pub result: Result<usize, String>,
    /// From the call to its end.
    pub took: Duration,
}

/// Everything that came of asking one policy once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consultation {
    /// The answer, or why there is none.
    pub result: Result<Answer, Trouble>,
    /// Which getters of the context were read.
    pub reads: ContextReads,
    /// A host call ended in `unavailable` or `timeout`: the answer holds for this asker only.
    pub degraded: bool,
    /// The searches, in order; filled only where the asker wants to explain.
    pub searches: Vec<Search>,
}

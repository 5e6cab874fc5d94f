use std::sync::Arc;
use std::time::Duration;

use waypost_model::{Refusal, Route, Trouble};

/// What came of a lookup.
///
/// `T` is what the operator grants a policy in targets, see [`Decide`](crate::Decide).
#[derive(Clone, Debug)]
pub enum Resolution<T> {
    /// There.
    Route(Routed<T>),
    /// A policy says no, for good.
    Refused {
        /// Its word.
        refusal: Refusal,
        /// Its name.
        policy: Arc<str>,
        /// Where the answer came from: fresh or cached.
        source: Source,
    },
    /// Every policy of the domain passed: there is no such user.
    Unknown {
        /// Cached if no policy had to be asked.
        source: Source,
    },
    /// No policy serves the domain, or none serves it for this purpose.
    NotServed,
    /// Nobody can say now, or the policy puts the client off.
    Temporary {
        /// The name of the policy.
        policy: Arc<str>,
        /// Why.
        trouble: Trouble,
    },
}

/// A route and what the log and the connector need beside it.
#[derive(Clone, Debug)]
pub struct Routed<T> {
    /// Where the mailbox lives.
    pub route: Arc<Route>,
    /// The name of the policy that says so.
    pub policy: Arc<str>,
    /// The targets that this policy may name. The connector checks each resolved address.
    pub targets: Arc<T>,
    /// Where the route came from.
    pub source: Source,
    /// How long ago the policy decided.
    pub age: Duration,
    /// The policy decided without a directory that it had wanted to ask.
    pub degraded: bool,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The policy was asked, by this lookup or by another that was under way.
    Fresh,
    /// An answer given before, in its time.
    Cached,
    /// A route past its time, because the directory cannot be asked.
    Stale,
}

impl Source {
    /// The name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Cached => "cached",
            Self::Stale => "stale",
        }
    }
}

impl<T> Resolution<T> {
    /// The name in logs and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Route(_) => "route",
            Self::Refused { .. } => "refused",
            Self::Unknown { .. } => "unknown",
            Self::NotServed => "not-served",
            Self::Temporary { .. } => "temporary",
        }
    }

    /// Where the answer came from; a temporary one counts as fresh.
    pub const fn source(&self) -> Source {
        match self {
            Self::Route(routed) => routed.source,
            Self::Refused { source, .. } | Self::Unknown { source } => *source,
            Self::NotServed | Self::Temporary { .. } => Source::Fresh,
        }
    }
}

/// What came of asking again after a back end had rejected what a route led to.
#[derive(Clone, Debug)]
pub enum Renewal<T> {
    /// The route is what the policy says now: the rejection stands.
    Unchanged,
    /// The user lives elsewhere now: the new route is tried, once.
    Changed(Routed<T>),
    /// There is no such user any more, or the policy refuses: the rejection stands.
    Withdrawn,
    /// Nobody can say now, or the policy puts the client off, who is told to come back.
    Temporary {
        /// The name of the policy.
        policy: Arc<str>,
        /// Why.
        trouble: Trouble,
    },
}

impl<T> Renewal<T> {
    /// The name in logs and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Changed(_) => "changed",
            Self::Withdrawn => "withdrawn",
            Self::Temporary { .. } => "temporary",
        }
    }
}

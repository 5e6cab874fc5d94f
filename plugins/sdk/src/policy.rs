use serde::de::DeserializeOwned;

use crate::{
    Answer, Decision, Failure, Host, Lookup, Problems, Refusal, Route, Target, Verification,
};

/// What a plugin is: settings that were read once, and an answer to each question.
///
/// The host keeps the memory that [`configure`](Self::configure) leaves and starts every decision
/// from it, so tables and compiled patterns belong into the value. What a decision changes is gone
/// afterwards.
pub trait Policy: Sized + Send + Sync + 'static {
    /// The `settings` table as the operator writes it: a struct that derives `Deserialize`, with
    /// `#[serde(rename_all = "kebab-case")]` as the rest of the configuration has it. What does not
    /// fit is a problem with its place, and so is a key that no field asks for; the policy does not
    /// come to see them.
    type Settings: DeserializeOwned;

    /// Makes the policy of its settings, or says everything that is wrong with them beyond their
    /// types.
    ///
    /// No host is at hand: the host may run this when no directory can be reached.
    fn configure(settings: Self::Settings) -> Result<Self, Problems>;

    /// Answers one question. A panic in here is a fault to the host and a temporary error to the
    /// client; what can go wrong with the directory's data is better said as a [`Failure`].
    fn route(&self, lookup: &Lookup, host: &dyn Host) -> Result<Answer, Failure>;
}

/// An answer that names targets, in the order in which they are to be tried; the back end checks
/// the password. `identity` is the name to pass on; `None` keeps the client's.
///
/// ```
/// use waypost_sdk::{Decision, HostList, route};
///
/// let hosts: HostList = "mail1,mail2".parse().unwrap();
/// let answer = route(hosts.targets(), Some("user1".into()));
/// assert!(matches!(answer.decision, Decision::Route(route) if route.targets.len() == 2));
/// ```
pub fn route(targets: Vec<Target>, identity: Option<String>) -> Answer {
    answer(Decision::Route(Route { targets, identity, verification: Verification::ByBackend }))
}

/// A no for good.
pub fn refuse(refusal: Refusal) -> Answer {
    answer(Decision::Refuse(refusal))
}

/// Puts the client off: the mailbox must not be opened now, while it is being moved, say. Unlike a
/// [`Failure`] this is an answer, so that no route from before takes its place. `why` is for the
/// log.
pub fn defer(why: impl Into<String>) -> Answer {
    answer(Decision::Defer(why.into()))
}

/// Leaves the question to the domain's next policy.
pub fn pass() -> Answer {
    answer(Decision::Pass)
}

fn answer(decision: Decision) -> Answer {
    Answer { decision, cache_for: None, hints: Vec::new() }
}

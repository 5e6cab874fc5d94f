use crate::{
    Answer, Decision, Failure, Host, Lookup, Refusal, Route, Settings, Target, Verification,
};

/// What a plugin is: settings that were read once, and an answer to each question.
///
/// The host keeps the memory that [`configure`](Self::configure) leaves and starts every decision
/// from it, so tables and compiled patterns belong into the value. What a decision changes is gone
/// afterwards.
pub trait Policy: Sized + Send + Sync + 'static {
    /// Reads the settings. Every fault is left with `settings` as a problem, so that the operator
    /// sees all of them at once; `None` says that there is no policy because of them. A key that
    /// nothing here has asked for is a problem too.
    ///
    /// No host is at hand: the host may run this when no directory can be reached.
    fn configure(settings: &mut Settings) -> Option<Self>;

    /// Answers one question. A panic in here is a fault to the host and a temporary error to the
    /// client; what can go wrong with the directory's data is better said as a [`Failure`].
    fn route(&self, lookup: &Lookup, host: &dyn Host) -> Result<Answer, Failure>;
}

/// An answer that names targets, in the order in which they are to be tried; the back end checks
/// the password. `identity` is the name to pass on; `None` keeps the client's.
pub fn route(targets: Vec<Target>, identity: Option<String>) -> Answer {
    answer(Decision::Route(Route { targets, identity, verification: Verification::ByBackend }))
}

/// A no for good.
pub fn refuse(refusal: Refusal) -> Answer {
    answer(Decision::Refuse(refusal))
}

/// Leaves the question to the domain's next policy.
pub fn pass() -> Answer {
    answer(Decision::Pass)
}

fn answer(decision: Decision) -> Answer {
    Answer { decision, cache_for: None, hints: Vec::new() }
}

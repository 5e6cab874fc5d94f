use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use waypost_model::{Consultation, Decision, Failure, Trouble};

use crate::cache::Entry;
use crate::decide::Decide;
use crate::domains::OnFault;
use crate::flight::Landed;
use crate::resolution::{Resolution, Routed, Source};
use crate::router::Demand;

/// What came of one policy.
pub(crate) struct Outcome {
    pub(crate) result: Result<Decision, Trouble>,
    pub(crate) source: Source,
    pub(crate) age: Duration,
    /// The directory could not be asked.
    pub(crate) unavailable: bool,
    /// This lookup had the policy asked; others may wait for the same.
    pub(crate) is_first: bool,
}

impl Outcome {
    pub(crate) fn cached(entry: &Entry, now: Instant) -> Self {
        Self {
            result: Ok(entry.decision.clone()),
            source: Source::Cached,
            age: entry.age(now),
            unavailable: false,
            is_first: false,
        }
    }

    /// Where only a new answer will do, one that was given without the directory is none.
    pub(crate) fn fresh(landed: &Landed, demand: Demand, is_first: bool) -> Self {
        let result = match &landed.result {
            Ok(_) if landed.unavailable && demand == Demand::Anew => {
                Err(Trouble::Failure(Failure::DirectoryUnavailable))
            }
            result => result.clone(),
        };
        let unavailable = landed.unavailable;
        Self { result, source: Source::Fresh, age: Duration::ZERO, unavailable, is_first }
    }

    /// As if nothing were known yet.
    pub(crate) fn uncached(consultation: &Consultation) -> Self {
        Self {
            result: consultation.result.clone().map(|answer| answer.decision),
            source: Source::Fresh,
            age: Duration::ZERO,
            unavailable: consultation.degraded,
            is_first: true,
        }
    }

    pub(crate) fn trouble(trouble: Trouble) -> Self {
        Self {
            result: Err(trouble),
            source: Source::Fresh,
            age: Duration::ZERO,
            unavailable: false,
            is_first: false,
        }
    }

    pub(crate) fn lost() -> Self {
        let what = "the decision was given up, its worker is being stopped".to_owned();
        Self::trouble(Trouble::Failure(Failure::Other(what)))
    }

    /// Whether a stale route of a later policy says more. A pass without the directory goes on to
    /// the later policies anyway.
    pub(crate) fn loses_to_a_stale_route(&self) -> bool {
        self.unavailable && !matches!(self.result, Ok(Decision::Pass))
    }
}

/// Goes through a domain's policies, outcome by outcome.
pub(crate) struct Walk {
    on_fault: OnFault,
    /// The first policy that faulted and was passed over.
    fault: Option<(Arc<str>, Trouble)>,
    source: Source,
}

impl Walk {
    pub(crate) fn new(on_fault: OnFault) -> Self {
        Self { on_fault, fault: None, source: Source::Cached }
    }

    /// Takes one policy's outcome; breaks with what it means where the next is not to be asked.
    pub(crate) fn step<P: Decide>(
        &mut self,
        policy: &Arc<P>,
        outcome: Outcome,
    ) -> ControlFlow<Resolution<P::Targets>> {
        if outcome.source == Source::Fresh {
            self.source = Source::Fresh;
        }
        match outcome.result {
            Ok(Decision::Pass) => ControlFlow::Continue(()),
            Err(trouble @ Trouble::Fault(_)) if self.on_fault == OnFault::Next => {
                self.fault.get_or_insert_with(|| (policy.name().clone(), trouble));
                ControlFlow::Continue(())
            }
            Ok(Decision::Refuse(_)) if self.fault.is_some() => ControlFlow::Break(self.close()),
            _ => ControlFlow::Break(Self::settle(policy, outcome)),
        }
    }

    /// What it means that no policy is left.
    pub(crate) fn end<T>(mut self) -> Resolution<T> {
        self.close()
    }

    /// What one outcome means by itself.
    pub(crate) fn settle<P: Decide>(policy: &Arc<P>, outcome: Outcome) -> Resolution<P::Targets> {
        let Outcome { result, source, age, unavailable, .. } = outcome;
        let name = policy.name().clone();
        match result {
            Ok(Decision::Route(route)) => Resolution::Route(Routed {
                route,
                policy: name,
                targets: policy.targets().clone(),
                source,
                age,
                degraded: unavailable,
            }),
            Ok(Decision::Refuse(refusal)) => Resolution::Refused { refusal, policy: name, source },
            Ok(Decision::Pass) => Resolution::Unknown { source },
            Ok(Decision::Defer(why)) => {
                Resolution::Temporary { policy: name, trouble: Trouble::Deferred(why) }
            }
            Err(trouble) => Resolution::Temporary { policy: name, trouble },
        }
    }

    /// A no, unless a policy that faulted might have known better.
    fn close<T>(&mut self) -> Resolution<T> {
        match self.fault.take() {
            Some((policy, trouble)) => Resolution::Temporary { policy, trouble },
            None => Resolution::Unknown { source: self.source },
        }
    }
}

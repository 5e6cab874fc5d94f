use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use waypost_model::{Consultation, Context, Decision, Lookup};

use crate::decide::Decide;
use crate::domains::{DomainPattern, DomainTable};
use crate::resolution::{Resolution, Source};
use crate::router::{Question, Router};
use crate::walk::{Outcome, Walk};

/// What would happen to a lookup, and why.
#[derive(Clone, Debug)]
pub struct Explanation<T> {
    /// The entry of the domain table that serves the address.
    pub domain: Option<DomainPattern>,
    /// The policies that were asked, in order.
    pub steps: Vec<Step>,
    /// What came of it.
    pub resolution: Resolution<T>,
}

/// One policy that was asked.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name.
    pub policy: Arc<str>,
    /// Its answer with every search that it made.
    pub consultation: Consultation,
    /// What the cache would have answered in its place.
    pub known: Option<KnownDecision>,
}

/// A decision in the cache.
#[derive(Clone, Debug)]
pub struct KnownDecision {
    /// What was decided.
    pub decision: Decision,
    /// Cached or stale.
    pub source: Source,
    /// How long ago.
    pub age: Duration,
}

impl Router {
    /// Asks the policies as [`resolve`](Self::resolve) would with an empty cache, one after the
    /// other, for their reasons. Leaves no trace in the cache.
    pub async fn explain<P: Decide>(
        &self,
        domains: &DomainTable<P>,
        lookup: &Arc<Lookup>,
        context: &Arc<Context>,
    ) -> Explanation<P::Targets> {
        let Some(served) = domains.find(lookup) else {
            let steps = Vec::new();
            return Explanation { domain: None, steps, resolution: Resolution::NotServed };
        };
        let question = Question { lookup, context };
        let mut walk = Walk::new(served.on_fault);
        let mut steps = Vec::new();
        let mut settled = None;
        for policy in &served.policies {
            let known = self.known_decision(&**policy, question);
            let consultation = policy.decide(lookup.clone(), context.clone(), true).await;
            let outcome = Outcome::uncached(&consultation);
            steps.push(Step { policy: policy.name().clone(), consultation, known });
            if let ControlFlow::Break(resolution) = walk.step(policy, outcome) {
                settled = Some(resolution);
                break;
            }
        }
        let resolution = settled.unwrap_or_else(|| walk.end());
        Explanation { domain: Some(served.pattern.clone()), steps, resolution }
    }

    fn known_decision<P: Decide>(
        &self,
        policy: &P,
        question: Question<'_>,
    ) -> Option<KnownDecision> {
        let now = Instant::now();
        let entry = self.peek(policy, question)?;
        let source = if entry.is_fresh(now) { Source::Cached } else { Source::Stale };
        Some(KnownDecision { source, age: entry.age(now), decision: entry.decision })
    }
}

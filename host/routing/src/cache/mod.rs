//! The route cache: what was decided, for whom it may be used again, and for how long.

mod space;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use waypost_model::{Answer, Context, ContextField, ContextReads, Decision, Lookup};

use self::space::Space;
use crate::decide::PolicyIdentity;
use crate::interner::Interner;
use crate::metrics::Metrics;
use crate::seen::Seen;
use crate::settings::Settings;

/// Nothing is taken for fresh for longer, whoever says so.
const MAX_CACHE_FOR: Duration = Duration::from_secs(24 * 3600);

/// The part of the key that is known before anybody is asked. The other part is what a decision
/// saw of the client.
#[derive(Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) policy: PolicyIdentity,
    pub(crate) lookup: &'a Arc<Lookup>,
}

/// A decision that may be used again.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) decision: Decision,
    pub(crate) decided_at: Instant,
    /// The policy was asked again in vain at this time.
    pub(crate) failed_at: Option<Instant>,
    fresh_until: Instant,
    keep_until: Instant,
}

impl Entry {
    pub(crate) fn is_fresh(&self, now: Instant) -> bool {
        now < self.fresh_until
    }

    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.decided_at)
    }
}

/// What the cache knows of a question.
pub(crate) struct Known {
    /// The youngest decision that this asker may share: in its time, or past it and a route.
    pub(crate) entry: Option<Entry>,
    /// What the decisions for this address have read of their askers, as far as they are kept.
    pub(crate) reads: ContextReads,
}

pub(crate) struct Cache {
    routes: Space,
    negatives: Space,
    interner: Interner,
    settings: Settings,
}

impl Cache {
    pub(crate) fn new(settings: Settings, metrics: &Metrics) -> Self {
        let space = |capacity, name| {
            Space::new(capacity, metrics.cache_size(name), metrics.cache_evictions(name))
        };
        Self {
            routes: space(settings.routes, "routes"),
            negatives: space(settings.negatives, "negatives"),
            interner: Interner::default(),
            settings,
        }
    }

    /// What is known. A fresh route is found with one hash and without an allocation.
    pub(crate) fn find(&self, key: Key<'_>, context: &Context, now: Instant) -> Known {
        let routes = self.routes.find(key, context, now);
        if let Some(entry) = routes.entry.as_ref().filter(|entry| entry.is_fresh(now)) {
            return Known { entry: Some(entry.clone()), reads: routes.reads };
        }
        let negatives = self.negatives.find(key, context, now);
        Known {
            entry: negatives.entry.or(routes.entry),
            reads: routes.reads.union(negatives.reads),
        }
    }

    /// Takes in what a policy decided: whatever the same asker would have found before is wrong
    /// now. An answer that must not be reused leaves nothing in its place. Gives the decision back,
    /// its route shared with all that equal it.
    ///
    /// Must not be called with the answer of a degraded decision, which contradicts nothing.
    pub(crate) fn store(
        &self,
        key: Key<'_>,
        context: &Context,
        reads: ContextReads,
        answer: &Answer,
        now: Instant,
    ) -> Decision {
        let (keep_in, clear, decision) = match &answer.decision {
            Decision::Route(route) => {
                let route = self.interner.intern(route.clone());
                (&self.routes, &self.negatives, Decision::Route(route))
            }
            decision => (&self.negatives, &self.routes, decision.clone()),
        };
        clear.remove(key, context);
        match self.entry(decision.clone(), answer.cache_for, reads, now) {
            Some(entry) => keep_in.insert(key, context, Seen::of(context, reads), entry, now),
            None => keep_in.remove(key, context),
        }
        decision
    }

    /// Notes that a question was asked in vain, so that renewals do not ask it at once again.
    pub(crate) fn note_failure(&self, key: Key<'_>, context: &Context, now: Instant) {
        self.routes.update(key, context, |entry| entry.failed_at = Some(now));
        self.negatives.update(key, context, |entry| entry.failed_at = Some(now));
    }

    fn entry(
        &self,
        decision: Decision,
        cache_for: Option<Duration>,
        reads: ContextReads,
        now: Instant,
    ) -> Option<Entry> {
        let read_time = reads.contains(ContextField::Now);
        let cache_for = match cache_for {
            Some(time) => time,
            None if read_time => return None,
            None => self.settings.cache_for,
        };
        let (most, stale_for) = match decision {
            Decision::Route(_) => (MAX_CACHE_FOR, self.settings.stale_for),
            Decision::Refuse(_) | Decision::Defer(_) | Decision::Pass => {
                (self.settings.negative_for, Duration::ZERO)
            }
        };
        let fresh_for = cache_for.min(most).min(MAX_CACHE_FOR);
        if fresh_for.is_zero() {
            return None;
        }
        let fresh_until = now.checked_add(fresh_for)?;
        let keep_until = fresh_until.checked_add(stale_for).unwrap_or(fresh_until);
        Some(Entry { decision, decided_at: now, failed_at: None, fresh_until, keep_until })
    }
}

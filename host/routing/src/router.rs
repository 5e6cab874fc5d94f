use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use waypost_model::{
    Consultation, Context, ContextReads, Decision, Failure, Fault, Lookup, Trouble,
};

use crate::cache::{Cache, Entry, Key};
use crate::decide::Decide;
use crate::domains::{DomainTable, Served};
use crate::flight::{FlightKey, Flights, Landed, Lost, Waiting};
use crate::metrics::Metrics;
use crate::outage::{Outages, Standing};
use crate::resolution::{Resolution, Source};
use crate::seen::{Seen, everything};
use crate::settings::Settings;
use crate::shadow::Shadows;
use crate::walk::{Outcome, Walk};

/// The longest that any decision takes, whatever the policy's own limits are. Nothing on the way
/// of a session waits without a deadline.
pub(crate) const DECISION_DEADLINE: Duration = Duration::from_secs(30);

/// For one question, a back end's rejections cause no more than one fresh lookup in this time, so
/// that wrong passwords do not hammer the directory.
const RENEW_INTERVAL: Duration = Duration::from_secs(1);

/// From lookups to decisions, whoever asks. Lives as long as the process and is shared by all
/// workers; cheap to clone. Which policies there are comes with each question, in the
/// [`DomainTable`] of the current generation.
#[derive(Clone)]
pub struct Router(Arc<Shared>);

struct Shared {
    cache: Cache,
    flights: Arc<Flights>,
    outages: Outages,
    shadows: Shadows,
    metrics: Metrics,
}

/// What is asked.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) lookup: &'a Arc<Lookup>,
    pub(crate) context: &'a Arc<Context>,
}

impl Question<'_> {
    fn key<P: Decide>(&self, policy: &P) -> Key<'_> {
        Key { policy: policy.identity(), lookup: self.lookup }
    }
}

/// What came of asking a domain's policies.
pub(crate) struct Asked<T> {
    pub(crate) resolution: Resolution<T>,
    /// A policy was asked because of this lookup, and not because of another that asked the same.
    pub(crate) is_first: bool,
}

/// What kind of answer will do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Any that may be used: cached ones, and stale ones while the directory cannot be asked.
    Usable,
    /// One that is not older than [`RENEW_INTERVAL`].
    Anew,
}

impl Router {
    /// An empty cache.
    pub fn new(settings: Settings, metrics: Metrics) -> Self {
        let cache = Cache::new(settings, &metrics);
        Self(Arc::new(Shared {
            cache,
            flights: Arc::default(),
            outages: Outages::default(),
            shadows: Shadows::new(metrics.clone()),
            metrics,
        }))
    }

    /// Answers a lookup: from the cache where it can, else by asking the domain's policies in
    /// order. Ends within the policies' limits of time.
    pub async fn resolve<P: Decide>(
        &self,
        domains: &DomainTable<P>,
        lookup: &Arc<Lookup>,
        context: &Arc<Context>,
    ) -> Resolution<P::Targets> {
        let question = Question { lookup, context };
        let served = domains.find(lookup);
        let Asked { resolution, is_first } = match served {
            Some(served) => self.ask_in_order(served, question, Demand::Usable).await,
            None => Asked { resolution: Resolution::NotServed, is_first: false },
        };
        self.0.metrics.lookup(resolution.kind(), resolution.source().as_str());
        if let Some(served) = served.filter(|_| is_first) {
            self.0.shadows.follow(served, question, &resolution);
        }
        resolution
    }

    pub(crate) async fn ask_in_order<P: Decide>(
        &self,
        served: &Served<P>,
        question: Question<'_>,
        demand: Demand,
    ) -> Asked<P::Targets> {
        let mut walk = Walk::new(served.on_fault);
        let mut is_first = false;
        for (position, policy) in served.policies.iter().enumerate() {
            let outcome = self.consult(policy, question, demand).await;
            is_first |= outcome.is_first;
            if outcome.loses_to_a_stale_route() && demand == Demand::Usable {
                let following = served.policies.iter().skip(position + 1);
                if let Some((policy, entry)) = self.known_to(following, question) {
                    let stale = self.stale(policy, &entry, Instant::now());
                    return Asked { resolution: Walk::settle(policy, stale), is_first: false };
                }
            }
            if let ControlFlow::Break(resolution) = walk.step(policy, outcome) {
                return Asked { resolution, is_first };
            }
        }
        Asked { resolution: walk.end(), is_first }
    }

    /// Asks one policy, or the cache in its place.
    async fn consult<P: Decide>(
        &self,
        policy: &Arc<P>,
        question: Question<'_>,
        demand: Demand,
    ) -> Outcome {
        let now = Instant::now();
        let known = self.0.cache.find(question.key(&**policy), question.context, now);
        let stale = match known.entry {
            Some(entry) if demand == Demand::Anew => {
                if let Some(outcome) = unless_renewable(&entry, now) {
                    return outcome;
                }
                None
            }
            Some(entry) if entry.is_fresh(now) => return Outcome::cached(&entry, now),
            entry => entry,
        };
        if let Some(entry) = &stale
            && let Standing::Down { probe } = self.0.outages.standing(policy.identity(), now)
        {
            if probe {
                self.board(policy, question, known.reads);
            }
            return self.stale(policy, entry, now);
        }
        match (self.decide(policy, question, known.reads).await, stale) {
            (Ok((landed, _)), Some(entry)) if landed.unavailable => {
                self.stale(policy, &entry, Instant::now())
            }
            (Ok((landed, is_first)), _) => Outcome::fresh(&landed, demand, is_first),
            (Err(Lost), _) => Outcome::lost(),
        }
    }

    /// Waits for a decision that holds for this asker: one that is under way, where it turns out
    /// not to depend on whose it is, or one of its own. Also says whether it was its own.
    async fn decide<P: Decide>(
        &self,
        policy: &Arc<P>,
        question: Question<'_>,
        known_reads: ContextReads,
    ) -> Result<(Arc<Landed>, bool), Lost> {
        let (waiting, is_first) = self.board(policy, question, known_reads);
        let landed = waiting.landed().await?;
        if landed.seen().matches(question.context) {
            return Ok((landed, is_first));
        }
        // It read something in which the two askers differ. Others wait like this one, and some
        // may be equal in that.
        let reads = known_reads.union(landed.seen().reads());
        let (waiting, is_first) = self.board(policy, question, reads);
        let landed = waiting.landed().await?;
        if landed.seen().matches(question.context) {
            return Ok((landed, is_first));
        }
        let (waiting, is_first) = self.board(policy, question, everything());
        Ok((waiting.landed().await?, is_first))
    }

    /// Also says whether the decision was begun with this.
    fn board<P: Decide>(
        &self,
        policy: &Arc<P>,
        question: Question<'_>,
        reads: ContextReads,
    ) -> (Waiting, bool) {
        let key = FlightKey {
            policy: policy.identity(),
            lookup: question.lookup.clone(),
            seen: Seen::of(question.context, reads),
        };
        let (waiting, shared) = self.0.flights.board(key, || {
            let (router, policy) = (self.clone(), policy.clone());
            let (lookup, context) = (question.lookup.clone(), question.context.clone());
            async move {
                let decision = policy.decide(lookup.clone(), context.clone(), false);
                let consultation = timeout(DECISION_DEADLINE, decision).await;
                let consultation = consultation.unwrap_or_else(|_| overdue());
                let question = Question { lookup: &lookup, context: &context };
                router.land(&*policy, question, &consultation, Instant::now())
            }
        });
        self.0.metrics.flight(shared);
        (waiting, !shared)
    }

    /// Draws the conclusions from a decision that has come in.
    fn land<P: Decide>(
        &self,
        policy: &P,
        question: Question<'_>,
        consultation: &Consultation,
        now: Instant,
    ) -> Landed {
        let Shared { cache, outages, .. } = &*self.0;
        let unavailable = self.is_unavailable(policy, consultation, now);
        let key = question.key(policy);
        let result = match &consultation.result {
            Ok(answer) if !unavailable => {
                Ok(cache.store(key, question.context, consultation.reads, answer, now))
            }
            Ok(answer) => Ok(answer.decision.clone()),
            Err(trouble) => Err(trouble.clone()),
        };
        if unavailable {
            if outages.failed(policy.identity(), now) {
                tracing::warn!(
                    target: "waypost::routing",
                    policy = &**policy.name(),
                    "the directory cannot be asked; known users go by their stale routes"
                );
            }
        } else if result.is_ok()
            && let Some(time) = outages.answered(policy.identity(), now)
        {
            tracing::info!(
                target: "waypost::routing",
                policy = &**policy.name(),
                seconds = time.as_secs(),
                "the directory can be asked again"
            );
        }
        if unavailable || result.is_err() {
            cache.note_failure(key, question.context, now);
        }
        Landed::new(consultation, result, unavailable, question.context)
    }

    /// Whether what came of it says nothing about the user but only that the directory could not
    /// be asked.
    fn is_unavailable<P: Decide>(
        &self,
        policy: &P,
        consultation: &Consultation,
        now: Instant,
    ) -> bool {
        if consultation.degraded {
            return true;
        }
        match consultation.result {
            Err(Trouble::Failure(Failure::DirectoryUnavailable)) => true,
            // A directory that hangs makes decisions pile up behind those that wait for it.
            Err(Trouble::Fault(Fault::Saturated | Fault::Deadline)) => {
                self.0.outages.is_likely(policy.identity(), now)
            }
            _ => false,
        }
    }

    /// A policy that cannot be asked may be one that passes for this user. What one of the
    /// following said last is what the user is known by.
    fn known_to<'p, P: Decide>(
        &self,
        mut policies: impl Iterator<Item = &'p Arc<P>>,
        question: Question<'_>,
    ) -> Option<(&'p Arc<P>, Entry)> {
        let now = Instant::now();
        policies.find_map(|policy| {
            let known = self.0.cache.find(question.key(&**policy), question.context, now);
            let entry = known.entry.filter(|entry| matches!(entry.decision, Decision::Route(_)))?;
            Some((policy, entry))
        })
    }

    fn stale<P: Decide>(&self, policy: &Arc<P>, entry: &Entry, now: Instant) -> Outcome {
        self.0.metrics.stale_use(policy.name());
        tracing::info!(
            target: "waypost::routing",
            policy = &**policy.name(),
            age = entry.age(now).as_secs(),
            "a stale route is used"
        );
        Outcome { source: Source::Stale, ..Outcome::cached(entry, now) }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn peek<P: Decide>(&self, policy: &P, question: Question<'_>) -> Option<Entry> {
        self.0.cache.find(question.key(policy), question.context, Instant::now()).entry
    }
}

/// What a renewal makes of what is known: an answer young enough stands, a failure young enough is
/// not provoked again, anything else is asked anew.
fn unless_renewable(entry: &Entry, now: Instant) -> Option<Outcome> {
    if entry.age(now) < RENEW_INTERVAL {
        return Some(Outcome::cached(entry, now));
    }
    let failed_at = entry.failed_at?;
    let just_failed = now.saturating_duration_since(failed_at) < RENEW_INTERVAL;
    just_failed.then(|| Outcome::trouble(Trouble::Failure(Failure::DirectoryUnavailable)))
}

fn overdue() -> Consultation {
    Consultation {
        result: Err(Trouble::Fault(Fault::Deadline)),
        reads: everything(),
        degraded: false,
        searches: Vec::new(),
    }
}

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use waypost_model::{Consultation, Decision, Fault, Trouble};

use crate::breaker::BreakerState;
use crate::code_cache::Found;

/// What policies do, for Prometheus.
#[derive(Clone, Debug)]
pub struct Metrics {
    decisions: Family<OutcomeLabels, Counter>,
    failures: Family<KindLabels, Counter>,
    faults: Family<KindLabels, Counter>,
    decision_seconds: Histograms,
    guest_seconds: Histograms,
    queue_seconds: Histograms,
    searches: Family<SearchLabels, Counter>,
    breaker: Family<PolicyLabels, Gauge>,
    log_lines_dropped: Family<PolicyLabels, Counter>,
    code_cache: Family<CodeLabels, Counter>,
}

type Histograms = Family<PolicyLabels, Histogram, fn() -> Histogram>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PolicyLabels {
    policy: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    policy: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    policy: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SearchLabels {
    policy: String,
    directory: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    outcome: &'static str,
}

impl Metrics {
    /// Declares every metric of this crate in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::unregistered();
        registry.register(
            "waypost_policy_decisions",
            "Consultations of a policy by outcome: route, refuse, defer, pass, failure, target-denied, verification-denied, fault",
            metrics.decisions.clone(),
        );
        registry.register(
            "waypost_policy_failures",
            "Failures that a policy reported itself, by kind",
            metrics.failures.clone(),
        );
        registry.register(
            "waypost_policy_faults",
            "Faults that the host saw in a policy, by kind",
            metrics.faults.clone(),
        );
        registry.register(
            "waypost_policy_decision_seconds",
            "Time from the start of a decision to its end, directory included, queue excluded",
            metrics.decision_seconds.clone(),
        );
        registry.register(
            "waypost_policy_guest_seconds",
            "Time of a decision in which the host ran the plugin, searches excluded",
            metrics.guest_seconds.clone(),
        );
        registry.register(
            "waypost_policy_queue_seconds",
            "Time for which a decision waited for its turn, where it had to wait",
            metrics.queue_seconds.clone(),
        );
        registry.register(
            "waypost_policy_searches",
            "Searches of a policy by directory and outcome: found, none, or the error",
            metrics.searches.clone(),
        );
        registry.register(
            "waypost_policy_breaker",
            "Whether a policy is held back: 0 no, 1 the next decision tells, 2 yes",
            metrics.breaker.clone(),
        );
        registry.register(
            "waypost_policy_log_lines_dropped",
            "Log lines of a policy's plugin beyond what it may write",
            metrics.log_lines_dropped.clone(),
        );
        registry.register(
            "waypost_policy_code_cache",
            "Uses of the code cache by outcome: hit, miss, bad, stored, not-stored",
            metrics.code_cache.clone(),
        );
        metrics
    }

    /// The same metrics where nobody reads them: tools and tests.
    pub fn unregistered() -> Self {
        Self {
            decisions: Family::default(),
            failures: Family::default(),
            faults: Family::default(),
            decision_seconds: Family::new_with_constructor(durations),
            guest_seconds: Family::new_with_constructor(durations),
            queue_seconds: Family::new_with_constructor(durations),
            searches: Family::default(),
            breaker: Family::default(),
            log_lines_dropped: Family::default(),
            code_cache: Family::default(),
        }
    }

    pub(crate) fn code_looked_up(&self, found: &Found) {
        self.code_cache_outcome(match found {
            Found::Genuine(_) => "hit",
            Found::Nothing => "miss",
            Found::Bad => "bad",
        });
    }

    pub(crate) fn code_stored(&self, is_stored: bool) {
        self.code_cache_outcome(if is_stored { "stored" } else { "not-stored" });
    }

    fn code_cache_outcome(&self, outcome: &'static str) {
        self.code_cache.get_or_create(&CodeLabels { outcome }).inc();
    }

    /// One policy's share, labels resolved.
    pub(crate) fn of_policy(&self, policy: &Arc<str>) -> PolicyMetrics {
        let labels = PolicyLabels { policy: policy.to_string() };
        let outcome = |outcome| {
            self.decisions
                .get_or_create_owned(&OutcomeLabels { policy: policy.to_string(), outcome })
        };
        // Present from the start, so that a rate can be taken of the first fault.
        for kind in Fault::KINDS {
            let _ = self.faults.get_or_create(&KindLabels { policy: policy.to_string(), kind });
        }
        PolicyMetrics {
            routes: outcome("route"),
            refusals: outcome("refuse"),
            deferrals: outcome("defer"),
            passes: outcome("pass"),
            failed: outcome("failure"),
            denied: outcome("target-denied"),
            verification_denied: outcome("verification-denied"),
            faulted: outcome("fault"),
            decision_seconds: self.decision_seconds.get_or_create_owned(&labels),
            guest_seconds: self.guest_seconds.get_or_create_owned(&labels),
            queue_seconds: self.queue_seconds.get_or_create_owned(&labels),
            breaker: self.breaker.get_or_create_owned(&labels),
            log_lines_dropped: self.log_lines_dropped.get_or_create_owned(&labels),
            labels,
            all: self.clone(),
        }
    }
}

/// From 5 µs, an instance that does nothing, to 10 s, twice the longest decision.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(5e-6, 2.0, 22))
}

/// One policy's metrics.
#[derive(Clone, Debug)]
pub(crate) struct PolicyMetrics {
    labels: PolicyLabels,
    all: Metrics,
    routes: Counter,
    refusals: Counter,
    deferrals: Counter,
    passes: Counter,
    failed: Counter,
    denied: Counter,
    verification_denied: Counter,
    faulted: Counter,
    decision_seconds: Histogram,
    guest_seconds: Histogram,
    queue_seconds: Histogram,
    breaker: Gauge,
    log_lines_dropped: Counter,
}

impl PolicyMetrics {
    /// Counts what came of a consultation.
    pub(crate) fn consulted(&self, consultation: &Consultation) {
        match &consultation.result {
            Ok(answer) => match answer.decision {
                Decision::Route(_) => self.routes.inc(),
                Decision::Refuse(_) => self.refusals.inc(),
                Decision::Defer(_) => self.deferrals.inc(),
                Decision::Pass => self.passes.inc(),
            },
            Err(Trouble::TargetDenied(_)) => self.denied.inc(),
            Err(Trouble::VerificationDenied(_)) => self.verification_denied.inc(),
            Err(Trouble::Deferred(_)) => self.deferrals.inc(),
            Err(Trouble::Failure(failure)) => {
                self.all.failures.get_or_create(&self.kind(failure.kind())).inc();
                self.failed.inc()
            }
            Err(Trouble::Fault(fault)) => {
                self.all.faults.get_or_create(&self.kind(fault.kind())).inc();
                self.faulted.inc()
            }
        };
    }

    /// Notes what a decision that was made took, in all and in the plugin.
    pub(crate) fn took(&self, whole: Duration, guest: Duration) {
        self.decision_seconds.observe(whole.as_secs_f64());
        self.guest_seconds.observe(guest.as_secs_f64());
    }

    pub(crate) fn queued(&self, wait: Duration) {
        self.queue_seconds.observe(wait.as_secs_f64());
    }

    pub(crate) fn searched(&self, directory: &str, outcome: &'static str) {
        let policy = self.labels.policy.clone();
        let labels = SearchLabels { policy, directory: directory.to_owned(), outcome };
        self.all.searches.get_or_create(&labels).inc();
    }

    pub(crate) fn breaker(&self, state: BreakerState) {
        self.breaker.set(match state {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        });
    }

    pub(crate) fn log_lines_dropped(&self, lines: u64) {
        self.log_lines_dropped.inc_by(lines);
    }

    fn kind(&self, kind: &'static str) -> KindLabels {
        KindLabels { policy: self.labels.policy.clone(), kind }
    }
}

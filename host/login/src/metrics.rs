use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use waypost_model::Protocol;

/// What this crate counts. Cheap to clone; all clones count together. `Metrics::default()` counts
/// without being shown anywhere.
#[derive(Clone, Debug)]
pub struct Metrics {
    logins: Family<Outcome, Counter>,
    login_seconds: Histogram,
    target_failures: Family<Outcome, Counter>,
    retries: Counter,
    sessions_ended: Family<Outcome, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    protocol: &'static str,
    outcome: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 5.0, 10.0];
        Self {
            logins: Family::default(),
            login_seconds: Histogram::new(seconds),
            target_failures: Family::default(),
            retries: Counter::default(),
            sessions_ended: Family::default(),
        }
    }
}

impl Metrics {
    /// Declares them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("waypost_logins", "Logins, by what came of them", metrics.logins.clone());
        registry.register(
            "waypost_login_seconds",
            "From a complete credential to the back end's yes, in seconds",
            metrics.login_seconds.clone(),
        );
        registry.register(
            "waypost_login_target_failures",
            "Targets that came to nothing, by why",
            metrics.target_failures.clone(),
        );
        registry.register(
            "waypost_login_retries",
            "Logins tried again after a temporary outcome",
            metrics.retries.clone(),
        );
        registry.register(
            "waypost_sessions_ended",
            "Sessions that have ended, by why",
            metrics.sessions_ended.clone(),
        );
        metrics
    }

    pub(crate) fn login(&self, protocol: Protocol, outcome: &'static str) {
        self.logins.get_or_create(&Outcome { protocol: protocol.as_str(), outcome }).inc();
    }

    pub(crate) fn accepted(&self, protocol: Protocol, took: Duration) {
        self.login(protocol, "accepted");
        self.login_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn target_failed(&self, protocol: Protocol, outcome: &'static str) {
        let labels = Outcome { protocol: protocol.as_str(), outcome };
        self.target_failures.get_or_create(&labels).inc();
    }

    pub(crate) fn retried(&self) {
        self.retries.inc();
    }

    pub(crate) fn session_ended(&self, protocol: Protocol, outcome: &'static str) {
        let labels = Outcome { protocol: protocol.as_str(), outcome };
        self.sessions_ended.get_or_create(&labels).inc();
    }
}

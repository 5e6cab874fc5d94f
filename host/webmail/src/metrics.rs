use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// What this crate counts. Cheap to clone; all clones count together. `Metrics::default()` counts
/// without being shown anywhere.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<Outcome, Counter>,
    answer_seconds: Histogram,
    target_failures: Family<Outcome, Counter>,
    connections: Family<Outcome, Counter>,
    cookies: Family<Outcome, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0];
        Self {
            requests: Family::default(),
            answer_seconds: Histogram::new(seconds),
            target_failures: Family::default(),
            connections: Family::default(),
            cookies: Family::default(),
        }
    }
}

impl Metrics {
    /// Declares them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "waypost_web_requests",
            "Requests for webmail, by what came of them",
            metrics.requests.clone(),
        );
        registry.register(
            "waypost_web_answer_seconds",
            "From the head of a request to the head of the back end's answer, in seconds",
            metrics.answer_seconds.clone(),
        );
        registry.register(
            "waypost_web_target_failures",
            "Webmail targets that came to nothing, by why",
            metrics.target_failures.clone(),
        );
        registry.register(
            "waypost_web_backend_connections",
            "Requests that went to a back end over a new connection, or over a kept one",
            metrics.connections.clone(),
        );
        registry.register(
            "waypost_web_cookies_refused",
            "Route cookies that were none, by why",
            metrics.cookies.clone(),
        );
        metrics
    }

    pub(crate) fn request(&self, outcome: &'static str) {
        self.requests.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn answered(&self, took: Duration) {
        self.answer_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn target_failed(&self, outcome: &'static str) {
        self.target_failures.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn connection(&self, outcome: &'static str) {
        self.connections.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn cookie(&self, outcome: &'static str) {
        self.cookies.get_or_create(&Outcome { outcome }).inc();
    }
}

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// What this crate counts. Clones count together; `Metrics::default()` counts without being shown
/// anywhere.
#[derive(Clone, Debug)]
pub struct Metrics {
    verifications: Family<Labels, Counter>,
    seconds: Histogram,
    spared: Counter,
    delayed: Counter,
    turned_away: Counter,
    remembered: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    how: &'static str,
    outcome: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds =
            [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
        Self {
            verifications: Family::default(),
            seconds: Histogram::new(seconds),
            spared: Counter::default(),
            delayed: Counter::default(),
            turned_away: Counter::default(),
            remembered: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Declares them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "waypost_verifications",
            "Passwords checked at the front, by how and by what came of it",
            metrics.verifications.clone(),
        );
        registry.register(
            "waypost_verification_seconds",
            "How long checking a password at the front took, in seconds",
            metrics.seconds.clone(),
        );
        registry.register(
            "waypost_verifications_spared",
            "Binds and hashes that were spared since the password had been right shortly before",
            metrics.spared.clone(),
        );
        registry.register(
            "waypost_login_attempts_delayed",
            "Logins held back because of failures before them",
            metrics.delayed.clone(),
        );
        registry.register(
            "waypost_login_attempts_turned_away",
            "Logins turned away because too many of the same user or network were undecided",
            metrics.turned_away.clone(),
        );
        registry.register(
            "waypost_login_failures_remembered",
            "Users and networks whose failed logins are remembered",
            metrics.remembered.clone(),
        );
        metrics
    }

    pub(crate) fn verified(&self, how: &'static str, outcome: &'static str, took: Duration) {
        self.verifications.get_or_create(&Labels { how, outcome }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn spared(&self) {
        self.spared.inc();
    }

    pub(crate) fn delayed(&self) {
        self.delayed.inc();
    }

    pub(crate) fn turned_away(&self) {
        self.turned_away.inc();
    }

    pub(crate) fn remembered(&self, count: usize) {
        self.remembered.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

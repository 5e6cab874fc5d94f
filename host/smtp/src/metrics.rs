use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use waypost_model::Protocol;

/// What this crate counts. Cheap to clone; all clones count together. `Metrics::default()` counts
/// without being shown anywhere.
#[derive(Clone, Debug)]
pub struct Metrics {
    sessions_ended: Family<Ended, Counter>,
    recipients: Family<Outcome, Counter>,
    messages: Family<Outcome, Counter>,
    message_seconds: Histogram,
    target_failures: Family<Reason, Counter>,
    legs_lost: Family<Reason, Counter>,
    late_legs: Gauge,
    spool_failures: Counter,
    retries: Family<Reason, Counter>,
    reports: Family<Reason, Counter>,
    queued: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    protocol: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    protocol: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    outcome: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 600.0];
        Self {
            sessions_ended: Family::default(),
            recipients: Family::default(),
            messages: Family::default(),
            message_seconds: Histogram::new(seconds),
            target_failures: Family::default(),
            legs_lost: Family::default(),
            late_legs: Gauge::default(),
            spool_failures: Counter::default(),
            retries: Family::default(),
            reports: Family::default(),
            queued: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Declares them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "waypost_mail_sessions_ended",
            "Sessions that brought mail and have ended, by why",
            metrics.sessions_ended.clone(),
        );
        registry.register(
            "waypost_mail_recipients",
            "Recipients that clients named, by what came of them",
            metrics.recipients.clone(),
        );
        registry.register(
            "waypost_mail_messages",
            "Messages that clients brought, by what came of them",
            metrics.messages.clone(),
        );
        registry.register(
            "waypost_mail_message_seconds",
            "From the client's DATA to its answer, in seconds",
            metrics.message_seconds.clone(),
        );
        registry.register(
            "waypost_mail_target_failures",
            "Targets that came to nothing before they had a word on a message, by why",
            metrics.target_failures.clone(),
        );
        registry.register(
            "waypost_mail_legs_lost",
            "Back ends that did not finish a message, by why",
            metrics.legs_lost.clone(),
        );
        registry.register(
            "waypost_mail_late_legs",
            "Back ends that are still heard after the client was answered",
            metrics.late_legs.clone(),
        );
        registry.register(
            "waypost_mail_spool_failures",
            "Copies and records that could not be written or read",
            metrics.spool_failures.clone(),
        );
        registry.register(
            "waypost_mail_retries",
            "Recipients of kept messages that were tried again, by what came of it",
            metrics.retries.clone(),
        );
        registry.register(
            "waypost_mail_reports",
            "Reports to senders, by what came of them",
            metrics.reports.clone(),
        );
        registry.register("waypost_mail_queued", "Messages that are kept", metrics.queued.clone());
        metrics
    }

    pub(crate) fn session_ended(&self, protocol: Protocol, reason: &'static str) {
        let labels = Ended { protocol: protocol.as_str(), reason };
        self.sessions_ended.get_or_create(&labels).inc();
    }

    pub(crate) fn recipient(&self, protocol: Protocol, outcome: &'static str) {
        let labels = Outcome { protocol: protocol.as_str(), outcome };
        self.recipients.get_or_create(&labels).inc();
    }

    pub(crate) fn message(&self, protocol: Protocol, outcome: &'static str, took: Duration) {
        let labels = Outcome { protocol: protocol.as_str(), outcome };
        self.messages.get_or_create(&labels).inc();
        self.message_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn target_failed(&self, outcome: &'static str) {
        self.target_failures.get_or_create(&Reason { outcome }).inc();
    }

    pub(crate) fn leg_lost(&self, outcome: &'static str) {
        self.legs_lost.get_or_create(&Reason { outcome }).inc();
    }

    pub(crate) fn late_legs(&self) -> &Gauge {
        &self.late_legs
    }

    pub(crate) fn spool_failed(&self) {
        self.spool_failures.inc();
    }

    pub(crate) fn retried(&self, outcome: &'static str) {
        self.retries.get_or_create(&Reason { outcome }).inc();
    }

    pub(crate) fn reported(&self, outcome: &'static str) {
        self.reports.get_or_create(&Reason { outcome }).inc();
    }

    pub(crate) fn queued(&self, messages: usize) {
        self.queued.set(i64::try_from(messages).unwrap_or(i64::MAX));
    }
}

//! What this crate counts.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::storage::Operation;

/// The metrics of the spool. Cheap to clone; all clones count together. `Metrics::default()` counts
/// without being shown anywhere.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) messages: Gauge,
    pub(crate) bytes: Gauge,
    pub(crate) reserved: Gauge,
    pub(crate) oldest_age: Gauge,
    pub(crate) sync_seconds: Histogram,
    pub(crate) full: Counter,
    failures: Family<OperationLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        // A disk with a safe cache answers within a tenth of a millisecond, a turning one within
        // ten; whatever takes a second is about to fail.
        let seconds = [0.0001, 0.00025, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];
        Self {
            messages: Gauge::default(),
            bytes: Gauge::default(),
            reserved: Gauge::default(),
            oldest_age: Gauge::default(),
            sync_seconds: Histogram::new(seconds),
            full: Counter::default(),
            failures: Family::default(),
        }
    }
}

impl Metrics {
    /// Declares every metric in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "waypost_spool_messages",
            "Messages that are kept in the spool",
            metrics.messages.clone(),
        );
        registry.register(
            "waypost_spool_bytes",
            "Bytes that kept messages take of the spool's limit",
            metrics.bytes.clone(),
        );
        registry.register(
            "waypost_spool_reserved_bytes",
            "Bytes of the spool's limit that are reserved for messages under way",
            metrics.reserved.clone(),
        );
        registry.register(
            "waypost_spool_oldest_age_seconds",
            "Age of the oldest message that is kept, 0 if there is none",
            metrics.oldest_age.clone(),
        );
        registry.register(
            "waypost_spool_sync_seconds",
            "Time that files and the folder took to get to stable storage",
            metrics.sync_seconds.clone(),
        );
        registry.register(
            "waypost_spool_full",
            "Reservations refused since the spool or its file system was full",
            metrics.full.clone(),
        );
        registry.register(
            "waypost_spool_failures",
            "File system operations that failed, by operation",
            metrics.failures.clone(),
        );
        metrics
    }

    pub(crate) fn failure(&self, operation: Operation) {
        let labels = OperationLabels { operation: operation.as_str() };
        self.failures.get_or_create(&labels).inc();
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::Metrics;
    use crate::storage::Operation;

    #[test]
    fn what_is_counted_is_shown_under_its_name() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        metrics.messages.set(3);
        metrics.full.inc();
        metrics.failure(Operation::SyncFolder);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "waypost_spool_messages 3",
            "waypost_spool_full_total 1",
            "waypost_spool_failures_total{operation=\"sync-folder\"} 1",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}

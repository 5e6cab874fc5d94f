//! What this crate counts.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The metrics of listeners, TLS, sessions, connecting, name resolution and target health. Cheap to
/// clone; all clones count together. `Metrics::default()` counts without being shown anywhere.
#[derive(Clone, Debug)]
pub struct Metrics {
    accepted: Family<ListenerLabels, Counter>,
    open: Family<ListenerLabels, Gauge>,
    refused: Family<RefusedLabels, Counter>,
    accept_errors: Family<ListenerLabels, Counter>,
    connects: Family<OutcomeLabels, Counter>,
    pub(crate) connect_seconds: Histogram,
    resolves: Family<OutcomeLabels, Counter>,
    probes: Family<OutcomeLabels, Counter>,
    pub(crate) addresses_down: Gauge,
    handshakes: Family<HandshakeLabels, Counter>,
    certificate_ends: Family<FileLabels, Gauge>,
    relayed: Family<RelayedLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListenerLabels {
    listener: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    listener: Arc<str>,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandshakeLabels {
    /// `TLSv1.3`, or the error's kind.
    outcome: &'static str,
    /// `full`, `resumed` or `failed`.
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FileLabels {
    file: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RelayedLabels {
    from: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        // A name that resolves and a host that answers take milliseconds; a dead host takes the
        // connect timeout, five seconds unless set.
        let seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 5.0, 10.0];
        Self {
            accepted: Family::default(),
            open: Family::default(),
            refused: Family::default(),
            accept_errors: Family::default(),
            connects: Family::default(),
            connect_seconds: Histogram::new(seconds),
            resolves: Family::default(),
            probes: Family::default(),
            addresses_down: Gauge::default(),
            handshakes: Family::default(),
            certificate_ends: Family::default(),
            relayed: Family::default(),
        }
    }
}

impl Metrics {
    /// Declares every metric in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "waypost_net_connections_accepted",
            "Connections that a listener accepted, those refused right away included",
            metrics.accepted.clone(),
        );
        registry.register(
            "waypost_net_connections_open",
            "Connections of mail clients that are open",
            metrics.open.clone(),
        );
        registry.register(
            "waypost_net_connections_refused",
            "Connections closed before their session began, by reason",
            metrics.refused.clone(),
        );
        registry.register(
            "waypost_net_accept_errors",
            "Errors of accept that made a listener pause, most often for want of descriptors",
            metrics.accept_errors.clone(),
        );
        registry.register(
            "waypost_net_connects",
            "Attempts to reach a target, by outcome",
            metrics.connects.clone(),
        );
        registry.register(
            "waypost_net_connect_seconds",
            "Time to reach a target, resolution included, successful attempts only",
            metrics.connect_seconds.clone(),
        );
        registry.register(
            "waypost_net_resolves",
            "Names of targets looked up, by outcome",
            metrics.resolves.clone(),
        );
        registry.register(
            "waypost_net_probes",
            "Probes of target addresses that are down, by outcome",
            metrics.probes.clone(),
        );
        registry.register(
            "waypost_net_addresses_down",
            "Target addresses that are skipped until a probe finds them up",
            metrics.addresses_down.clone(),
        );
        registry.register(
            "waypost_net_tls_handshakes",
            "TLS handshakes with mail clients, by version or by what went wrong",
            metrics.handshakes.clone(),
        );
        registry.register(
            "waypost_net_certificate_end_timestamp_seconds",
            "When each certificate shown to mail clients expires, in seconds since 1970",
            metrics.certificate_ends.clone(),
        );
        registry.register(
            "waypost_net_relayed_bytes",
            "Bytes passed on behind logins, counted when their session ends",
            metrics.relayed.clone(),
        );
        metrics
    }

    /// The counters of one listener, looked up once.
    pub(crate) fn listener(&self, name: &Arc<str>) -> ListenerMetrics {
        let labels = ListenerLabels { listener: name.clone() };
        ListenerMetrics {
            accepted: self.accepted.get_or_create(&labels).clone(),
            open: self.open.get_or_create(&labels).clone(),
            accept_errors: self.accept_errors.get_or_create(&labels).clone(),
            refused: self.refused.clone(),
            name: name.clone(),
        }
    }

    pub(crate) fn connect(&self, outcome: &'static str) {
        self.connects.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    pub(crate) fn resolve(&self, outcome: &'static str) {
        self.resolves.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    pub(crate) fn probe(&self, outcome: &'static str) {
        self.probes.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    pub(crate) fn handshake(&self, outcome: &'static str, kind: &'static str) {
        self.handshakes.get_or_create(&HandshakeLabels { outcome, kind }).inc();
    }

    pub(crate) fn certificate_end(&self, file: String, seconds: i64) {
        self.certificate_ends.get_or_create(&FileLabels { file }).set(seconds);
    }

    /// The counter of bytes that come `from` the `client` or the `backend`, looked up once.
    pub(crate) fn relayed(&self, from: &'static str) -> Counter {
        self.relayed.get_or_create(&RelayedLabels { from }).clone()
    }
}

/// The counters of one listener.
#[derive(Clone, Debug)]
pub(crate) struct ListenerMetrics {
    pub(crate) accepted: Counter,
    pub(crate) open: Gauge,
    pub(crate) accept_errors: Counter,
    refused: Family<RefusedLabels, Counter>,
    name: Arc<str>,
}

impl ListenerMetrics {
    pub(crate) fn refused(&self, reason: &'static str) {
        let labels = RefusedLabels { listener: self.name.clone(), reason };
        self.refused.get_or_create(&labels).inc();
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::Metrics;

    #[test]
    fn what_is_counted_is_shown_under_its_name() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let listener = metrics.listener(&"imaps".into());
        listener.accepted.inc();
        listener.refused("address-limit");
        metrics.connect("timeout");
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "waypost_net_connections_accepted_total{listener=\"imaps\"} 1",
            "waypost_net_connections_refused_total{listener=\"imaps\",reason=\"address-limit\"} 1",
            "waypost_net_connects_total{outcome=\"timeout\"} 1",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::domains::DomainPattern;

/// What this crate counts. Cheap to clone; each clone counts in the same place.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Families>);

#[derive(Default)]
struct Families {
    lookups: Family<LookupLabels, Counter>,
    cache_size: Family<SpaceLabels, Gauge>,
    cache_evictions: Family<SpaceLabels, Counter>,
    stale_uses: Family<PolicyLabels, Counter>,
    flights: Counter,
    flights_shared: Counter,
    renewals: Family<RenewalLabels, Counter>,
    shadows: Family<ShadowLabels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LookupLabels {
    result: &'static str,
    source: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SpaceLabels {
    space: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PolicyLabels {
    policy: Arc<str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RenewalLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShadowLabels {
    domain: String,
    policy: Arc<str>,
    result: &'static str,
}

impl Metrics {
    /// Declares every metric in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let families = &metrics.0;
        registry.register(
            "waypost_routing_lookups",
            "Lookups by result and by where the answer came from",
            families.lookups.clone(),
        );
        registry.register(
            "waypost_routing_cache_entries",
            "Decisions in the cache",
            families.cache_size.clone(),
        );
        registry.register(
            "waypost_routing_cache_evictions",
            "Decisions that had to leave the cache because it was full",
            families.cache_evictions.clone(),
        );
        registry.register(
            "waypost_routing_stale_uses",
            "Routes used past their time because the directory could not be asked",
            families.stale_uses.clone(),
        );
        registry.register(
            "waypost_routing_flights",
            "Decisions asked for, each shared by all who waited for it",
            families.flights.clone(),
        );
        registry.register(
            "waypost_routing_flights_shared",
            "Lookups that waited for a decision that another lookup had asked for",
            families.flights_shared.clone(),
        );
        registry.register(
            "waypost_routing_renewals",
            "Fresh lookups after a back end had rejected what a cached route led to",
            families.renewals.clone(),
        );
        registry.register(
            "waypost_routing_shadows",
            "Decisions that were compared with a shadow's: same, different, trouble of the shadow, \
             left-out because too many were under way",
            families.shadows.clone(),
        );
        metrics
    }

    pub(crate) fn lookup(&self, result: &'static str, source: &'static str) {
        self.0.lookups.get_or_create(&LookupLabels { result, source }).inc();
    }

    pub(crate) fn cache_size(&self, space: &'static str) -> Gauge {
        self.0.cache_size.get_or_create_owned(&SpaceLabels { space })
    }

    pub(crate) fn cache_evictions(&self, space: &'static str) -> Counter {
        self.0.cache_evictions.get_or_create_owned(&SpaceLabels { space })
    }

    pub(crate) fn stale_use(&self, policy: &Arc<str>) {
        self.0.stale_uses.get_or_create(&PolicyLabels { policy: policy.clone() }).inc();
    }

    pub(crate) fn flight(&self, shared: bool) {
        if shared { &self.0.flights_shared } else { &self.0.flights }.inc();
    }

    pub(crate) fn shadow(&self, domain: &DomainPattern, policy: &Arc<str>, result: &'static str) {
        let labels = ShadowLabels { domain: domain.to_string(), policy: policy.clone(), result };
        self.0.shadows.get_or_create(&labels).inc();
    }

    pub(crate) fn renewal(&self, result: &'static str) {
        self.0.renewals.get_or_create(&RenewalLabels { result }).inc();
    }
}

//! The metrics of directories, each declared once.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::{Page, SearchError};

/// Upper bounds in seconds: an LDIF directory answers within microseconds, a server within
/// milliseconds.
const SECONDS: [f64; 13] =
    [2e-6, 5e-6, 2e-5, 1e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 5e-2, 0.25, 1.0, 5.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DirectoryLabel {
    directory: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    directory: String,
    outcome: &'static str,
}

/// The metrics of every directory. Clones share their values.
#[derive(Clone, Debug)]
pub struct Metrics {
    searches: Family<OutcomeLabels, Counter>,
    seconds: Family<DirectoryLabel, Histogram, fn() -> Histogram>,
    connections: Family<DirectoryLabel, Gauge>,
    connects: Family<OutcomeLabels, Counter>,
    abandons: Family<DirectoryLabel, Counter>,
}

impl Metrics {
    /// Declares the metrics in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            searches: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            connections: Family::default(),
            connects: Family::default(),
            abandons: Family::default(),
        };
        registry.register(
            "waypost_directory_searches",
            "Searches by how they ended",
            metrics.searches.clone(),
        );
        registry.register(
            "waypost_directory_search_seconds",
            "Time from asking to the answer, waiting for a connection included",
            metrics.seconds.clone(),
        );
        registry.register(
            "waypost_directory_connections",
            "Connections to LDAP servers that are open and logged in",
            metrics.connections.clone(),
        );
        registry.register(
            "waypost_directory_connects",
            "Attempts to connect and log in to an LDAP server by how they ended",
            metrics.connects.clone(),
        );
        registry.register(
            "waypost_directory_abandons",
            "Searches that the server was asked to abandon, since nobody waited any more",
            metrics.abandons.clone(),
        );
        metrics
    }

    /// The metrics of one directory, looked up once.
    pub(crate) fn directory(&self, name: &str) -> DirectoryMetrics {
        let directory = DirectoryLabel { directory: name.to_owned() };
        let outcome = |outcome| OutcomeLabels { directory: name.to_owned(), outcome };
        let search = |kind| self.searches.get_or_create_owned(&outcome(kind));
        let connect = |kind| self.connects.get_or_create_owned(&outcome(kind));
        DirectoryMetrics {
            answered: search("ok"),
            bad_request: search("bad-request"),
            unavailable: search("unavailable"),
            timeout: search("timeout"),
            too_large: search("too-large"),
            other: search("other"),
            seconds: self.seconds.get_or_create_owned(&directory),
            connections: self.connections.get_or_create_owned(&directory),
            connected: connect("ok"),
            connect_failed: connect("failed"),
            abandons: self.abandons.get_or_create_owned(&directory),
        }
    }
}

/// Metrics that nobody reads.
impl Default for Metrics {
    fn default() -> Self {
        Self::register(&mut Registry::default())
    }
}

/// The metrics of one directory.
#[derive(Clone, Debug)]
pub(crate) struct DirectoryMetrics {
    answered: Counter,
    bad_request: Counter,
    unavailable: Counter,
    timeout: Counter,
    too_large: Counter,
    other: Counter,
    seconds: Histogram,
    pub(crate) connections: Gauge,
    pub(crate) connected: Counter,
    pub(crate) connect_failed: Counter,
    pub(crate) abandons: Counter,
}

impl DirectoryMetrics {
    /// Counts a search.
    pub(crate) fn record(&self, took: Duration, result: &Result<Page, SearchError>) {
        self.seconds.observe(took.as_secs_f64());
        let counter = match result {
            Ok(_) => &self.answered,
            Err(SearchError::BadRequest(_)) => &self.bad_request,
            Err(SearchError::Unavailable(_)) => &self.unavailable,
            Err(SearchError::Timeout) => &self.timeout,
            Err(SearchError::TooLarge) => &self.too_large,
            Err(SearchError::Other(_)) => &self.other,
        };
        counter.inc();
    }
}

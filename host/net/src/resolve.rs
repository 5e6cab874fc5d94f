//! From the name of a target to its addresses.
//!
//! `/etc/hosts` first, then DNS, A and AAAA at once. Answers are kept for their TTL, so that a name
//! costs one question in that time, whoever asks; those who ask while the question is under way
//! wait for its answer. Names that do not exist are remembered briefly.
//!
//! When an answer has expired and cannot be renewed, because no name server answers or none can,
//! the old addresses stay in use for [`ResolverSettings::stale_for`] (RFC 8767): a mailbox does not
//! move because DNS is down.
//!
//! Addresses keep the order of the answer, the families in turn. They are not shuffled: within a
//! TTL every session of a host goes to the same address while that is up, which matters to back
//! ends that share storage, and name servers rotate their answers where that is wanted.

mod dns;
mod hosts;

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;
use waypost_model::{Domain, Host};

use self::dns::Dns;
use self::hosts::HostsFile;
use crate::Metrics;
use crate::rate::RateLimit;

/// How names are resolved.
#[derive(Clone, Debug)]
pub struct ResolverSettings {
    /// The name servers. Default: `None`, those of `/etc/resolv.conf`.
    pub servers: Option<Vec<SocketAddr>>,
    /// Names that DNS is not asked for. Default: `/etc/hosts`.
    pub hosts_file: PathBuf,
    /// For one question with all its repetitions. Default: 5 seconds.
    pub deadline: Duration,
    /// An answer with a shorter TTL is kept for so long all the same. Default: 1 second.
    pub min_ttl: Duration,
    /// An answer with a longer TTL is kept for so long only. Default: 1 hour.
    pub max_ttl: Duration,
    /// How long it is remembered that a name, or an address of it, does not exist. Default: 5
    /// seconds.
    pub negative_ttl: Duration,
    /// How long nobody asks again after an attempt that brought no answer. Default: 2 seconds.
    pub failure_ttl: Duration,
    /// How long addresses are used after their TTL while they cannot be renewed. Default: 1 hour.
    pub stale_for: Duration,
    /// Who has old addresses waits so long for new ones. Default: 1 second.
    pub stale_after: Duration,
    /// How many names are remembered. Default: 4096.
    pub max_names: usize,
}

impl Default for ResolverSettings {
    fn default() -> Self {
        Self {
            servers: None,
            hosts_file: PathBuf::from("/etc/hosts"),
            deadline: Duration::from_secs(5),
            min_ttl: Duration::from_secs(1),
            max_ttl: Duration::from_secs(3600),
            negative_ttl: Duration::from_secs(5),
            failure_ttl: Duration::from_secs(2),
            stale_for: Duration::from_secs(3600),
            stale_after: Duration::from_secs(1),
            max_names: 4096,
        }
    }
}

/// The resolver cannot be set up.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("name resolution cannot be set up: {0}")]
pub struct ResolverError(String);

/// Why a name has no addresses.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ResolveError {
    /// DNS knows that there is no such name.
    #[error("there is no such name in DNS")]
    NoSuchName,
    /// The name exists, without an A or AAAA record.
    #[error("the name has no address in DNS")]
    NoAddress,
    /// Nobody answered in time.
    #[error("no name server answered in time")]
    Timeout,
    /// A name server's refusal, or the network's.
    #[error("DNS cannot answer: {0}")]
    Failed(Arc<str>),
}

impl ResolveError {
    /// Whether DNS said so, as opposed to saying nothing.
    fn is_final(&self) -> bool {
        matches!(self, Self::NoSuchName | Self::NoAddress)
    }
}

type Addresses = Arc<[IpAddr]>;
type Answer = Result<Addresses, ResolveError>;

/// See [`crate::fuzz`].
pub(crate) fn fuzz_hosts_file(data: &[u8]) {
    hosts::parse(data);
}

/// Resolves the names of targets. Cheap to clone; one for the life of the process.
#[derive(Clone)]
pub struct Resolver {
    inner: Arc<Inner>,
}

struct Inner {
    settings: ResolverSettings,
    dns: Dns,
    hosts: HostsFile,
    names: Mutex<HashMap<Domain, Entry>>,
    /// Where the questions run, whichever worker's session asked first.
    runtime: Handle,
    failures: RateLimit,
    metrics: Metrics,
}

/// What is known of one name.
struct Entry {
    /// The last answer, and until when it counts; none before the first.
    known: Option<Known>,
    /// The question under way.
    flight: Option<watch::Receiver<Option<Answer>>>,
}

#[derive(Clone)]
struct Known {
    answer: Answer,
    until: Instant,
    /// Until when the answer may be used if it cannot be renewed.
    stale_until: Instant,
}

impl Resolver {
    /// Must be called within a tokio runtime, on which the questions run from then on; they may be
    /// asked from any other.
    ///
    /// # Errors
    /// When the system's configuration is unusable. A missing one is not: the name server on this
    /// machine is asked then.
    pub fn new(settings: ResolverSettings, metrics: Metrics) -> Result<Self, ResolverError> {
        let inner = Inner {
            dns: Dns::new(settings.servers.as_deref(), settings.deadline)?,
            hosts: HostsFile::new(settings.hosts_file.clone()),
            names: Mutex::default(),
            runtime: Handle::current(),
            failures: RateLimit::new(Duration::from_secs(10)),
            settings,
            metrics,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The addresses of `host`, in the order in which to try them; never empty. An address literal
    /// is its own address, at once. IPv4-mapped addresses come out as IPv4 addresses.
    ///
    /// # Errors
    /// When there are none, or none by the settings' deadline.
    pub async fn addresses(&self, host: &Host) -> Answer {
        let name = match host {
            Host::Address(address) => return Ok(Arc::from([address.to_canonical()])),
            Host::Name(name) => name,
        };
        let (flight, old) = match self.inner.look(name) {
            Look::Known(answer) => {
                self.inner.metrics.resolve("cached");
                return answer;
            }
            Look::Wait { flight, old } => (flight, old),
            Look::Full => {
                return Err(ResolveError::Failed("too many names are being resolved".into()));
            }
        };
        match old {
            // The task's own deadline ends this wait.
            None => landed(flight).await,
            Some(old) => {
                let patience = self.inner.settings.stale_after;
                Ok(timeout(patience, landed(flight)).await.ok().transpose()?.unwrap_or(old))
            }
        }
    }

    /// How many names are remembered.
    pub fn len(&self) -> usize {
        self.inner.names.lock().len()
    }

    /// Whether no name is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}

/// Waits for the question under way.
async fn landed(mut flight: watch::Receiver<Option<Answer>>) -> Answer {
    let answer = match flight.wait_for(Option::is_some).await {
        Ok(answer) => answer.clone(),
        Err(_) => None,
    };
    answer.unwrap_or_else(|| Err(ResolveError::Failed("the resolver has stopped".into())))
}

enum Look {
    Known(Answer),
    Wait { flight: watch::Receiver<Option<Answer>>, old: Option<Addresses> },
    Full,
}

impl Inner {
    /// The answer that is known, or the question that brings it, which is asked if nobody has.
    fn look(self: &Arc<Self>, name: &Domain) -> Look {
        let (look, question) = self.look_only(name);
        // Not under the lock: a runtime that has stopped drops the task at once, and dropping it
        // takes the lock.
        if let Some(question) = question {
            self.runtime.spawn(question.ask());
        }
        look
    }

    fn look_only(self: &Arc<Self>, name: &Domain) -> (Look, Option<Flight>) {
        let now = Instant::now();
        let mut names = self.names.lock();
        if !names.contains_key(name) && !self.make_room(&mut names) {
            return (Look::Full, None);
        }
        let entry = names.entry(name.clone()).or_insert(Entry { known: None, flight: None });
        let old = match &entry.known {
            Some(known) if now < known.until => {
                return (Look::Known(known.answer.clone()), None);
            }
            Some(Known { answer: Ok(addresses), stale_until, .. }) if now < *stale_until => {
                Some(addresses.clone())
            }
            _ => None,
        };
        if let Some(flight) = entry.flight.clone() {
            return (Look::Wait { flight, old }, None);
        }
        let (sender, flight) = watch::channel(None);
        entry.flight = Some(flight.clone());
        let question = Flight { inner: self.clone(), name: name.clone(), sender };
        (Look::Wait { flight, old }, Some(question))
    }

    /// Forgets the answer that expires first, if there are too many. A question under way is never
    /// forgotten, so its answer reaches those who wait.
    fn make_room(&self, names: &mut HashMap<Domain, Entry>) -> bool {
        if names.len() < self.settings.max_names {
            return true;
        }
        let oldest = names
            .iter()
            .filter(|(_, entry)| entry.flight.is_none())
            .min_by_key(|(_, entry)| entry.known.as_ref().map(|known| known.until))
            .map(|(name, _)| name.clone());
        oldest.is_some_and(|oldest| names.remove(&oldest).is_some())
    }
}

/// A question under way. Dropped on whatever path, it is no longer.
struct Flight {
    inner: Arc<Inner>,
    name: Domain,
    sender: watch::Sender<Option<Answer>>,
}

impl Flight {
    async fn ask(self) {
        let known = self.fetch().await;
        let answer = self.land(known);
        // Nobody may be waiting any more.
        let _ = self.sender.send(Some(answer));
    }

    async fn fetch(&self) -> Known {
        let settings = &self.inner.settings;
        if let Some(addresses) = self.hosts_file().await {
            // The file is looked at again soon: reading it costs nothing.
            return self.known(Ok(addresses.into()), settings.negative_ttl);
        }
        match timeout(settings.deadline, self.inner.dns.addresses(&self.name)).await {
            Ok(Ok(found)) => {
                let ttl = found.until.saturating_duration_since(Instant::now());
                let max = if found.partial { settings.negative_ttl } else { settings.max_ttl };
                self.known(Ok(found.addresses.into()), ttl.max(settings.min_ttl).min(max))
            }
            Ok(Err(error)) if error.is_final() => self.known(Err(error), settings.negative_ttl),
            Ok(Err(error)) => self.known(Err(error), settings.failure_ttl),
            Err(_) => self.known(Err(ResolveError::Timeout), settings.failure_ttl),
        }
    }

    async fn hosts_file(&self) -> Option<Vec<IpAddr>> {
        let (inner, name) = (self.inner.clone(), self.name.clone());
        let read = tokio::task::spawn_blocking(move || inner.hosts.addresses(&name));
        read.await.ok().flatten()
    }

    fn known(&self, answer: Answer, keep: Duration) -> Known {
        let until = Instant::now() + keep;
        Known { answer, until, stale_until: until + self.inner.settings.stale_for }
    }

    /// Puts what was learnt in the place of what was known, unless nothing was learnt and the old
    /// addresses may still be used. Returns what counts now.
    fn land(&self, mut known: Known) -> Answer {
        let mut names = self.inner.names.lock();
        let Some(entry) = names.get_mut(&self.name) else { return known.answer };
        let old = entry.known.take().filter(|old| old.answer.is_ok());
        let outcome = match (&known.answer, old) {
            (Ok(_), _) => "found",
            (Err(error), _) if error.is_final() => "not-found",
            (Err(_), Some(old)) if known.until < old.stale_until => {
                known = Known { until: known.until, ..old };
                "stale"
            }
            (Err(_), _) => "failed",
        };
        let answer = known.answer.clone();
        entry.known = Some(known);
        drop(names);
        self.tell(outcome, &answer);
        answer
    }

    fn tell(&self, outcome: &'static str, answer: &Answer) {
        self.inner.metrics.resolve(outcome);
        if !matches!(outcome, "stale" | "failed") {
            return;
        }
        if let Some(suppressed) = self.inner.failures.pass(Instant::now()) {
            let error = answer.as_ref().err().map(ToString::to_string);
            tracing::warn!(
                target: "waypost::resolve",
                name = self.name.as_str(), stale = outcome == "stale", error, suppressed,
                "the name of a target cannot be resolved"
            );
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut names = self.inner.names.lock();
        if let Some(entry) = names.get_mut(&self.name) {
            entry.flight = None;
            if entry.known.is_none() {
                names.remove(&self.name);
            }
        }
    }
}

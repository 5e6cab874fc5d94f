//! What a directory's searches, connections and keepers share.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustls::ClientConfig;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::handshake::{self, ConnectError, Login};
use super::link::{Link, Load, Reason};
use super::operation::{self, Ended, Request};
use super::settings::{Bind, LdapSettings, SettingsError};
use super::{LdapUrl, tls};
use crate::metrics::DirectoryMetrics;
use crate::{Dn, Page, SearchError};

/// How long a server may say nothing to a search before it counts as hanging, and how long searches
/// wait for a connection that was lost: one that comes back at once is not noticed, one that hangs
/// does not hold everybody.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a keeper may take to notice that its connection has ended.
const NOTICE: Duration = Duration::from_millis(100);
/// How much longer than until its deadline a search's task may take to say so.
const GRACE: Duration = Duration::from_millis(250);
/// What a message may have beside the largest page: names, lengths, attributes not asked for.
const MESSAGE_OVERHEAD: usize = 64 * 1024;
/// How often one search is begun: once more if its connection is lost.
const ATTEMPTS: usize = 2;

/// One of the directory's connections.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    /// Being connected; until when it is worth waiting for.
    Connecting(Instant),
    /// Carries searches.
    Up(Arc<Link>),
    /// No server could be connected to.
    Down(Reason),
}

/// What is known of a server.
#[derive(Clone, Debug, Default)]
struct Health {
    /// When it failed last, if it has not worked since.
    failed: Option<Instant>,
    /// The failure that was logged last.
    logged: Option<String>,
}

pub(super) struct Connector {
    pub(super) settings: LdapSettings,
    pub(super) base: Dn,
    tls: Option<Arc<ClientConfig>>,
    metrics: DirectoryMetrics,
    slots: watch::Sender<Vec<Slot>>,
    servers: Mutex<Vec<Health>>,
}

/// Where a search goes.
enum Pick {
    Link(Arc<Link>),
    Wait(Instant),
    Down(Reason),
}

impl Connector {
    pub(super) fn new(
        settings: LdapSettings,
        metrics: DirectoryMetrics,
    ) -> Result<Self, SettingsError> {
        let base = settings.check()?;
        let encrypted = settings.tls.starttls
            || settings.urls.iter().any(|url| matches!(url, LdapUrl::Ldaps(..)));
        let tls = if encrypted { Some(tls::client_config(&settings.tls)?) } else { None };
        let connecting = Slot::Connecting(Instant::now() + settings.connect_timeout);
        Ok(Self {
            base,
            tls,
            metrics,
            slots: watch::Sender::new(vec![connecting; settings.connections]),
            servers: Mutex::new(vec![Health::default(); settings.urls.len()]),
            settings,
        })
    }

    pub(super) fn metrics(&self) -> &DirectoryMetrics {
        &self.metrics
    }

    /// Searches on the best connection, and once more if that one is lost.
    pub(super) async fn search(
        self: &Arc<Self>,
        request: Request,
        deadline: Instant,
        handle: &tokio::runtime::Handle,
    ) -> Result<Page, SearchError> {
        let request = Arc::new(request);
        let mut lost = Reason::from("no connection");
        for _ in 0..ATTEMPTS {
            let mut under_way = self.link(deadline).await?.enter();
            match timeout_at(deadline, under_way.turn()).await {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => {
                    lost = reason;
                    continue;
                }
                Err(_) => return Err(SearchError::Timeout),
            }
            let (reply, answer) = oneshot::channel();
            let task = operation::run(self.clone(), under_way, request.clone(), deadline, reply);
            handle.spawn(task);
            match timeout_at(deadline + GRACE, answer).await {
                Ok(Ok(Ended::Answered(result))) => return result,
                Ok(Ok(Ended::Lost(reason))) => lost = reason,
                // The LDAP client panicked, or the runtime is shutting down.
                Ok(Err(_)) => lost = Reason::from("the search's task has gone"),
                Err(_) => return Err(SearchError::Timeout),
            }
        }
        Err(SearchError::Unavailable(lost.to_string()))
    }

    /// The connection with the least to do; waits for one where that has a chance.
    async fn link(&self, deadline: Instant) -> Result<Arc<Link>, SearchError> {
        let mut slots = self.slots.subscribe();
        loop {
            let pick = pick(&slots.borrow_and_update());
            let until = match pick {
                Pick::Link(link) => return Ok(link),
                Pick::Down(reason) => return Err(SearchError::Unavailable(reason.to_string())),
                Pick::Wait(until) => until,
            };
            if timeout_at(until.min(deadline), slots.changed()).await.is_err()
                && Instant::now() >= deadline
            {
                return Err(SearchError::Timeout);
            }
        }
    }

    /// Gives up a connection, and with it all others to the same server: if it hangs, it hangs for
    /// all. Whether it does is seen when they are connected anew; other servers come first then.
    pub(super) fn condemn(&self, link: &Link, reason: &str) {
        self.note_failure(link.server);
        for slot in self.slots.borrow().iter() {
            if let Slot::Up(other) = slot
                && other.server == link.server
            {
                other.kill(reason);
            }
        }
        // The link may have been replaced already.
        link.kill(reason);
    }

    /// For how long a server must have said nothing to count as hanging.
    pub(super) fn patience(&self) -> Duration {
        PATIENCE.min(self.settings.search_timeout / 2)
    }

    pub(super) fn set_slot(&self, index: usize, slot: Slot) {
        self.slots.send_modify(|slots| {
            if let Some(place) = slots.get_mut(index) {
                *place = slot;
            }
        });
    }

    /// Notes that a connection was lost: searches wait a little for the next.
    pub(super) fn set_lost(&self, index: usize) {
        self.set_slot(index, Slot::Connecting(Instant::now() + PATIENCE));
    }

    pub(super) fn url(&self, server: usize) -> String {
        self.settings.urls.get(server).map(ToString::to_string).unwrap_or_default()
    }

    /// Connects to one server and puts the LDAP client on it.
    pub(super) async fn connect(&self, server: usize) -> Result<Arc<Link>, ConnectError> {
        let result = self.try_connect(server).await;
        match &result {
            Ok(_) => {
                self.metrics.connected.inc();
                self.note_success(server);
            }
            Err(error) => {
                self.metrics.connect_failed.inc();
                self.note_failure(server);
                self.log_failure(server, &error.to_string());
            }
        }
        result
    }

    async fn try_connect(&self, server: usize) -> Result<Arc<Link>, ConnectError> {
        let url = self.settings.urls.get(server).ok_or(ConnectError::NoAddress)?;
        let opened = handshake::open(url, &self.login(Some(&self.settings.bind))).await?;
        let load = Load {
            message: self.settings.limits.octets.saturating_add(MESSAGE_OVERHEAD),
            in_flight: self.settings.in_flight_on_each(),
            searches: jittered(self.settings.recycle_searches),
        };
        Link::start(opened, server, load, self.metrics.connections.clone()).await
    }

    /// What connecting takes, and logging in as `bind` says.
    pub(super) fn login<'a>(&'a self, bind: Option<&'a Bind>) -> Login<'a> {
        Login {
            bind,
            starttls: self.settings.tls.starttls,
            tls: self.tls.as_ref(),
            timeout: self.settings.connect_timeout,
        }
    }

    /// The servers in the order in which to try them: those that failed a short while ago last.
    pub(super) fn order(&self) -> Vec<usize> {
        let servers = self.servers.lock();
        let mut order: Vec<usize> = (0..servers.len()).collect();
        order.sort_by_key(|server| servers.get(*server).is_some_and(|it| self.is_troubled(it)));
        order
    }

    /// Whether there is a server that has not failed a short while ago.
    pub(super) fn has_untroubled(&self) -> bool {
        self.servers.lock().iter().any(|health| !self.is_troubled(health))
    }

    fn is_troubled(&self, health: &Health) -> bool {
        health.failed.is_some_and(|failed| failed.elapsed() < self.settings.fail_back_after)
    }

    fn note_success(&self, server: usize) {
        if let Some(health) = self.servers.lock().get_mut(server) {
            *health = Health::default();
        }
    }

    pub(super) fn note_failure(&self, server: usize) {
        if let Some(health) = self.servers.lock().get_mut(server) {
            health.failed = Some(Instant::now());
        }
    }

    /// Logs a failure, each once until something else happens: attempts go on for as long as a
    /// server is down.
    fn log_failure(&self, server: usize, error: &str) {
        let mut servers = self.servers.lock();
        let Some(health) = servers.get_mut(server) else { return };
        if health.logged.as_deref() == Some(error) {
            return;
        }
        health.logged = Some(error.to_owned());
        tracing::warn!(
            target: "waypost::directory",
            directory = %self.settings.name,
            server = %self.url(server),
            "{error}"
        );
    }
}

fn pick(slots: &[Slot]) -> Pick {
    let links = slots.iter().filter_map(|slot| match slot {
        Slot::Up(link) if !link.is_ended() => Some(link),
        _ => None,
    });
    if let Some(link) = links.min_by_key(|link| link.load()) {
        return Pick::Link(link.clone());
    }
    let now = Instant::now();
    let worth_waiting = slots.iter().filter_map(|slot| match slot {
        Slot::Connecting(until) => Some(*until),
        // It has ended, and its keeper has not noticed yet.
        Slot::Up(_) => Some(now + NOTICE),
        Slot::Down(_) => None,
    });
    match worth_waiting.max() {
        Some(until) if until > now => Pick::Wait(until),
        _ => Pick::Down(trouble(slots)),
    }
}

fn trouble(slots: &[Slot]) -> Reason {
    let known = slots.iter().find_map(|slot| match slot {
        Slot::Down(reason) => Some(reason.clone()),
        _ => None,
    });
    known.unwrap_or_else(|| Reason::from("the servers do not answer"))
}

/// A number about as large as `number`, so that what begins together does not end together.
pub(super) fn jittered(number: u64) -> u64 {
    let fifth = number / 5;
    let jitter = rand::random_range(0..=fifth.saturating_mul(2));
    number.saturating_sub(fifth).saturating_add(jitter)
}

/// A time about as long as `time`.
pub(super) fn jittered_time(time: Duration) -> Duration {
    time.mul_f64(rand::random_range(0.8..1.2))
}

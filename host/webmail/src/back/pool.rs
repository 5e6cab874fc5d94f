//! Connections that wait for their next request.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::thread::{self, ThreadId};
use std::time::Duration;

use hyper::client::conn::http1::SendRequest;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};
use waypost_model::{Encryption, Host};
use waypost_net::backend::{BackendSettings, Endpoint};

use crate::Settings;
use crate::body::ClientBody;

/// How often idle connections are looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// The pools of a service, one for each worker: the tasks that drive connections stay on theirs.
#[derive(Debug, Default)]
pub(crate) struct Pools(Mutex<HashMap<ThreadId, Arc<Pool>>>);

impl Pools {
    /// The pool of the worker that calls.
    pub(crate) fn of_this_worker(&self, settings: &Arc<Settings>) -> Arc<Pool> {
        let mut pools = self.0.lock();
        pools.entry(thread::current().id()).or_insert_with(|| Pool::new(settings)).clone()
    }
}

/// What connections have in common that can stand for each other.
///
/// The host is the one that the policy named: under the same name the same addresses were found,
/// and each is asked for again in the grant of whoever wants to use it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    host: Host,
    port: u16,
    encryption: Encryption,
    tls_name: Host,
    /// Where the back end was told of the client in front of everything else, the connection is
    /// that client's alone.
    client: Option<SocketAddr>,
}

impl Key {
    pub(crate) fn new(host: &Host, endpoint: &Endpoint, client: Option<SocketAddr>) -> Self {
        Self {
            host: host.clone(),
            port: endpoint.port,
            encryption: endpoint.encryption,
            tls_name: endpoint.tls_name.clone(),
            client,
        }
    }
}

/// A connection on which requests can be sent, one at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<ClientBody>,
    pub(crate) address: SocketAddr,
    /// Those that it was opened under: a reload may have changed whom to trust.
    pub(crate) settings: Arc<BackendSettings>,
    pub(crate) opened: Instant,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

/// The idle connections of one worker.
#[derive(Debug)]
pub(crate) struct Pool {
    settings: Arc<Settings>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    idle: HashMap<Key, Vec<Idle>>,
    is_swept: bool,
}

impl Pool {
    fn new(settings: &Arc<Settings>) -> Arc<Self> {
        Arc::new(Self { settings: settings.clone(), state: Mutex::default() })
    }

    /// A connection that may be used under these settings, the one used last. `allowed` says
    /// whether the policy may name its address.
    pub(crate) fn take(
        &self,
        key: &Key,
        settings: &Arc<BackendSettings>,
        allowed: impl Fn(SocketAddr) -> bool,
    ) -> Option<Connection> {
        let now = Instant::now();
        let mut state = self.state.lock();
        let idle = state.idle.get_mut(key)?;
        idle.retain(|idle| self.is_usable(idle, now));
        let at = idle.iter().rposition(|Idle { connection, .. }| {
            connection.sender.is_ready()
                && Arc::ptr_eq(&connection.settings, settings)
                && allowed(connection.address)
        })?;
        Some(idle.remove(at).connection)
    }

    fn is_usable(&self, idle: &Idle, now: Instant) -> bool {
        let Settings { idle_backend_timeout, backend_age, .. } = *self.settings;
        !idle.connection.sender.is_closed()
            && now.saturating_duration_since(idle.since) < idle_backend_timeout
            && now.saturating_duration_since(idle.connection.opened) < backend_age
    }

    fn put(self: &Arc<Self>, key: Key, connection: Connection) {
        let mut state = self.state.lock();
        let idle = state.idle.entry(key).or_default();
        if idle.len() >= self.settings.idle_backends.get() {
            idle.remove(0);
        }
        idle.push(Idle { connection, since: Instant::now() });
        if !state.is_swept {
            state.is_swept = true;
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Closes what has waited for too long. Whether nothing is left.
    fn sweep(&self) -> bool {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.idle.retain(|_, idle| {
            idle.retain(|idle| self.is_usable(idle, now));
            !idle.is_empty()
        });
        if state.idle.is_empty() {
            *state = State::default();
            return true;
        }
        false
    }
}

async fn sweep(pool: Weak<Pool>) {
    loop {
        sleep(SWEEP).await;
        if pool.upgrade().is_none_or(|pool| pool.sweep()) {
            return;
        }
    }
}

/// A connection that is in use, and where it goes when it is not any more.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) pool: Arc<Pool>,
    pub(crate) key: Key,
    pub(crate) connection: Connection,
}

impl Lease {
    /// The answer has come to its end.
    pub(crate) fn give_back(self) {
        if !self.connection.sender.is_closed() {
            self.pool.put(self.key, self.connection);
        }
    }
}

//! How many connections there may be: in the process, on a listener, from one client address, of
//! one user.
//!
//! A slot is taken before work is done for somebody and is given back when its guard is dropped,
//! on whatever path: there is no other way to give it back, and none to forget it. The maxima come
//! with each call, because a reload may change them while the counts live on.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use thiserror::Error;

/// The slots that a connection or a login found taken.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash)]
pub enum LimitReached {
    /// As many connections as the process can carry.
    #[error("the process carries as many connections as it can")]
    Process,
    /// `max-connections` of the listener.
    #[error("the listener carries as many connections as it may")]
    Listener,
    /// `max-connections-per-address`.
    #[error("the client's address has as many connections as it may")]
    Address,
    /// `max-connections-per-user`.
    #[error("the user has as many connections as they may")]
    User,
}

impl LimitReached {
    /// The name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process-limit",
            Self::Listener => "listener-limit",
            Self::Address => "address-limit",
            Self::User => "user-limit",
        }
    }
}

/// The counts of the process: all connections, and the connections of each user over every
/// listener. One for the life of the process.
#[derive(Debug)]
pub struct Limits {
    max: u32,
    used: AtomicU32,
    users: Counts<Arc<str>>,
}

impl Limits {
    /// For a process that can carry `max` connections; see
    /// [`privileges::capacity`](crate::privileges::capacity).
    pub fn new(max: u32) -> Arc<Self> {
        Arc::new(Self { max, used: AtomicU32::new(0), users: Counts::default() })
    }

    /// How many connections are held, on all listeners.
    pub fn connections(&self) -> u32 {
        self.used.load(Ordering::Relaxed)
    }

    /// How many users hold a slot.
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// Takes a slot for `user`, of whom `max` may be held at once over all listeners; `None` is no
    /// limit. The name is taken as it is: the caller normalises it.
    ///
    /// A client in `exempt-networks` is asked for no slot at all: a webmail host holds the sessions
    /// of many tabs.
    pub fn user(self: &Arc<Self>, user: &str, max: Option<u32>) -> Result<UserSlot, LimitReached> {
        let user = Arc::<str>::from(user);
        if !self.users.take(&user, max) {
            return Err(LimitReached::User);
        }
        Ok(UserSlot { limits: self.clone(), user })
    }
}

/// One of a user's slots; dropping it gives it back.
#[derive(Debug)]
#[must_use = "dropping the slot gives it back"]
pub struct UserSlot {
    limits: Arc<Limits>,
    user: Arc<str>,
}

impl Drop for UserSlot {
    fn drop(&mut self) {
        self.limits.users.give_back(&self.user);
    }
}

/// The counts of one listener, shared by its sockets on every worker.
#[derive(Debug)]
pub struct ListenerLimits {
    process: Arc<Limits>,
    used: AtomicU32,
    open: Gauge,
    clients: Counts<ClientNetwork>,
}

impl ListenerLimits {
    /// For a listener of the process that `limits` counts. `open` shows the count outside.
    pub fn new(limits: &Arc<Limits>, open: Gauge) -> Arc<Self> {
        Arc::new(Self {
            process: limits.clone(),
            used: AtomicU32::new(0),
            open,
            clients: Counts::default(),
        })
    }

    /// The counts of the process.
    pub fn process(&self) -> &Arc<Limits> {
        &self.process
    }

    /// How many connections the listener holds.
    pub fn connections(&self) -> u32 {
        self.used.load(Ordering::Relaxed)
    }

    /// How many client networks hold a slot.
    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// Takes a slot for a connection whose client is not known yet, of which the listener may hold
    /// `max`; `None` leaves it to the process's own limit.
    pub fn connection(self: &Arc<Self>, max: Option<u32>) -> Result<ConnectionSlot, LimitReached> {
        if !take(&self.process.used, Some(self.process.max)) {
            return Err(LimitReached::Process);
        }
        if !take(&self.used, max) {
            self.process.used.fetch_sub(1, Ordering::Relaxed);
            return Err(LimitReached::Listener);
        }
        self.open.inc();
        Ok(ConnectionSlot { listener: self.clone(), client: None })
    }
}

/// The slot of one connection, later of its client too; dropping it gives both back.
#[derive(Debug)]
#[must_use = "dropping the slot gives it back"]
pub struct ConnectionSlot {
    listener: Arc<ListenerLimits>,
    client: Option<ClientNetwork>,
}

impl ConnectionSlot {
    /// Takes a slot for the client at `address` as well, of whom the listener may hold `max`
    /// connections at once; `None` is no limit, and counts nothing. An IPv6 client is its /64,
    /// since one customer has that many addresses at least (RFC 6177 section 2).
    ///
    /// To be called once. For a client in `exempt-networks` it is not called.
    pub fn client(&mut self, address: IpAddr, max: Option<u32>) -> Result<(), LimitReached> {
        let (Some(max), None) = (max, self.client) else {
            return Ok(());
        };
        let client = ClientNetwork::from(address);
        if !self.listener.clients.take(&client, Some(max)) {
            return Err(LimitReached::Address);
        }
        self.client = Some(client);
        Ok(())
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        if let Some(client) = &self.client {
            self.listener.clients.give_back(client);
        }
        self.listener.open.dec();
        self.listener.used.fetch_sub(1, Ordering::Relaxed);
        self.listener.process.used.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whom an address stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ClientNetwork {
    V4(u32),
    /// The upper half of the address.
    V6(u64),
}

impl From<IpAddr> for ClientNetwork {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.to_bits()),
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, g, h, ..] = v6.octets();
                Self::V6(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
        }
    }
}

/// Adds one unless there are `max` already. Nothing else is ordered by these counts.
fn take(used: &AtomicU32, max: Option<u32>) -> bool {
    let max = max.unwrap_or(u32::MAX);
    used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
        (used < max).then(|| used.saturating_add(1))
    })
    .is_ok()
}

/// How many slots each key holds. A key that holds none is not there, so that the memory is bounded
/// by the connections that are held.
#[derive(Debug)]
struct Counts<K>(Mutex<HashMap<K, u32>>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Clone + Eq + Hash> Counts<K> {
    /// Below this size the table is not worth shrinking.
    const SMALL: usize = 1024;

    fn take(&self, key: &K, max: Option<u32>) -> bool {
        let max = max.unwrap_or(u32::MAX);
        let mut counts = self.0.lock();
        let used = counts.get(key).copied().unwrap_or(0);
        if used >= max {
            return false;
        }
        counts.insert(key.clone(), used.saturating_add(1));
        true
    }

    fn give_back(&self, key: &K) {
        let mut counts = self.0.lock();
        match counts.get_mut(key) {
            Some(used) if *used > 1 => *used -= 1,
            _ => {
                counts.remove(key);
            }
        }
        // After a flood of clients the table is as large as the flood; let it go.
        if counts.capacity() > Self::SMALL && counts.len() < counts.capacity() / 8 {
            let size = counts.len().saturating_mul(2).max(Self::SMALL / 2);
            counts.shrink_to(size);
        }
    }

    fn len(&self) -> usize {
        self.0.lock().len()
    }
}

#[cfg(test)]
mod tests;

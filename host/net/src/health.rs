//! Which addresses of targets are down.
//!
//! An address that could not be reached, or that let itself be reached and then said nothing, is
//! *down*: it is skipped, so that a dead host costs one login its timeout and not each. A probe in
//! the background, one for an address however many logins want it, goes as far as a login does
//! before its credentials, at growing intervals, and finds it *up* again. So may a login, where
//! every address that it could go to is down: one at a time is let through as a *trial*, the others
//! fail at once. That way a host that is the only one is back the moment it is.
//!
//! Nothing is remembered of addresses that are up, nor of one that nobody has wanted for a while.

mod probe;

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::time::sleep;

use self::probe::Probe;
use crate::Metrics;
use crate::backend::Endpoint;

/// How addresses that are down are watched.
#[derive(Clone, Debug)]
pub struct HealthSettings {
    /// From the failure to the first probe. Default: 500 milliseconds.
    pub first_probe: Duration,
    /// The interval doubles with each probe up to this. Default: 10 seconds.
    pub max_interval: Duration,
    /// An address that nobody wanted for so long is forgotten. Default: 10 minutes.
    pub forget_after: Duration,
    /// How many addresses are watched at once; no more are taken for down. Default: 4096.
    pub max_addresses: usize,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            first_probe: Duration::from_millis(500),
            max_interval: Duration::from_secs(10),
            forget_after: Duration::from_secs(600),
            max_addresses: 4096,
        }
    }
}

/// The state of every target address. Cheap to clone; one for the life of the process.
#[derive(Clone)]
pub struct Health {
    inner: Arc<Inner>,
}

struct Inner {
    settings: HealthSettings,
    down: Mutex<HashMap<SocketAddr, Down>>,
    /// How many are down, to pass by the lock while none is.
    count: AtomicUsize,
    /// Where the probes run, whichever worker's session failed.
    runtime: Handle,
    metrics: Metrics,
}

struct Down {
    since: Instant,
    /// When a login last wanted to go there.
    wanted: Instant,
    /// A login is trying it, since it had no other choice.
    trial: bool,
}

impl Health {
    /// Must be called within a tokio runtime, on which the probes run from then on.
    pub fn new(settings: HealthSettings, metrics: Metrics) -> Self {
        let inner = Inner {
            settings,
            down: Mutex::default(),
            count: AtomicUsize::new(0),
            runtime: Handle::current(),
            metrics,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The addresses that are down and since when.
    pub fn down(&self) -> Vec<(SocketAddr, Instant)> {
        let down = self.inner.down.lock();
        down.iter().map(|(address, down)| (*address, down.since)).collect()
    }

    /// Whether a login may go to `address` now: always where it is up, and where it is down only
    /// as the one trial, for a login that has no other choice (`last_resort`).
    pub(crate) fn admit(&self, address: SocketAddr, last_resort: bool) -> Option<Admitted> {
        let mut admitted = Admitted { inner: self.inner.clone(), address, trial: false };
        if self.inner.count.load(Ordering::Relaxed) == 0 {
            return Some(admitted);
        }
        let mut down = self.inner.down.lock();
        let Some(state) = down.get_mut(&address) else { return Some(admitted) };
        state.wanted = Instant::now();
        if !last_resort || state.trial {
            return None;
        }
        state.trial = true;
        admitted.trial = true;
        Some(admitted)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("down", &self.down()).finish_non_exhaustive()
    }
}

/// A login on its way to an address. What becomes of it, it says here; dropped without a word, for
/// instance because the client went away, it changes nothing.
#[must_use = "say what became of the attempt"]
pub(crate) struct Admitted {
    inner: Arc<Inner>,
    address: SocketAddr,
    trial: bool,
}

impl Admitted {
    /// The address works.
    pub(crate) fn succeeded(self) {
        if self.inner.count.load(Ordering::Relaxed) > 0 {
            self.inner.up(self.address, "a login");
        }
    }

    /// The address does not: watch it, by asking for what `endpoint` says.
    pub(crate) fn failed(self, endpoint: &Endpoint) {
        self.inner.clone().fail(self.address, endpoint);
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if self.trial
            && let Some(state) = self.inner.down.lock().get_mut(&self.address)
        {
            state.trial = false;
        }
    }
}

impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Admitted({}{})", self.address, if self.trial { ", trial" } else { "" })
    }
}

impl Inner {
    fn up(&self, address: SocketAddr, who: &str) {
        let Some(state) = self.forget(address) else { return };
        let seconds = state.since.elapsed().as_secs();
        tracing::info!(
            target: "waypost::health", %address, seconds,
            "{who} reached the target address again"
        );
    }

    fn forget(&self, address: SocketAddr) -> Option<Down> {
        let mut down = self.down.lock();
        let state = down.remove(&address);
        self.count.store(down.len(), Ordering::Relaxed);
        if state.is_some() {
            self.metrics.addresses_down.dec();
        }
        state
    }

    fn fail(self: Arc<Self>, address: SocketAddr, endpoint: &Endpoint) {
        let now = Instant::now();
        let mut down = self.down.lock();
        if down.contains_key(&address) || down.len() >= self.settings.max_addresses {
            return;
        }
        down.insert(address, Down { since: now, wanted: now, trial: false });
        self.count.store(down.len(), Ordering::Relaxed);
        // Not under the lock: a runtime that has stopped drops the task at once, and dropping it
        // takes the lock.
        drop(down);
        self.metrics.addresses_down.inc();
        tracing::warn!(
            target: "waypost::health", %address,
            "the target address is down and skipped until a probe reaches it"
        );
        let watch = Watch { since: now, address, inner: self.clone() };
        let probe = Probe::new(address, endpoint);
        self.runtime.spawn(async move { watch.run(&probe).await });
    }
}

/// Probes one address until it is up or nobody wants it any more. Dropped on whatever path, it
/// leaves no address behind that is down and that nobody watches.
struct Watch {
    since: Instant,
    address: SocketAddr,
    inner: Arc<Inner>,
}

impl Watch {
    async fn run(self, probe: &Probe) {
        let settings = &self.inner.settings;
        let mut interval = settings.first_probe;
        loop {
            // Many addresses go down at once when a switch does.
            sleep(interval.mul_f64(rand::random_range(0.75..1.25))).await;
            if !self.is_wanted() {
                return;
            }
            let up = probe.run().await;
            self.inner.metrics.probe(if up { "up" } else { "down" });
            if up {
                if self.is_mine() {
                    self.inner.up(self.address, "a probe");
                }
                return;
            }
            interval = interval.saturating_mul(2).min(settings.max_interval);
        }
    }

    fn is_wanted(&self) -> bool {
        let forget_after = self.inner.settings.forget_after;
        let down = self.inner.down.lock();
        let state = down.get(&self.address).filter(|state| state.since == self.since);
        state.is_some_and(|state| state.wanted.elapsed() < forget_after)
    }

    /// Whether the address is still down for the failure that this watch is about: a login may have
    /// found it up since, and another may have found it down again.
    fn is_mine(&self) -> bool {
        let down = self.inner.down.lock();
        down.get(&self.address).is_some_and(|state| state.since == self.since)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.is_mine() {
            self.inner.forget(self.address);
        }
    }
}

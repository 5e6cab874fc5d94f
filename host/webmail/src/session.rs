use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http::header::InvalidHeaderValue;
use http::uri::Authority;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until};
use waypost_net::listener::Slots;
use waypost_net::session::SessionRecord;
use waypost_routing::Decide;
use waypost_session::SessionId;

use crate::back::Pool;
use crate::headers::Ends;
use crate::{Entrance, Service};

/// One client's connection, with what its requests share.
pub(crate) struct Session<P: Decide> {
    pub(crate) service: Arc<Service<P>>,
    pub(crate) entrance: Arc<Entrance>,
    /// The connections with back ends of the worker that serves this session.
    pub(crate) pool: Arc<Pool>,
    pub(crate) id: SessionId,
    pub(crate) record: SessionRecord,
    pub(crate) client: SocketAddr,
    pub(crate) local: SocketAddr,
    /// Whether the client's own leg is encrypted, here or, as its PROXY header says, in front.
    pub(crate) encrypted: bool,
    pub(crate) began: Instant,
    pub(crate) requests: AtomicU64,
    pub(crate) activity: Arc<Activity>,
    /// Those of the last request.
    pub(crate) ends: Mutex<Option<Arc<Ends>>>,
    /// What comes over it are no requests any more.
    pub(crate) switched: AtomicBool,
    pub(crate) slots: Slots,
}

impl<P: Decide> Session<P> {
    /// Counts a request; which one it is on this connection, from one.
    pub(crate) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// What back ends are told of who is in front of them, on a request for this host.
    pub(crate) fn ends(&self, authority: &Authority) -> Result<Arc<Ends>, InvalidHeaderValue> {
        let mut last = self.ends.lock();
        if let Some(ends) = last.as_ref().filter(|ends| ends.are_for(authority)) {
            return Ok(ends.clone());
        }
        let (peer, authority) = (self.client.ip(), authority.clone());
        let ends = Arc::new(Ends::new(peer, self.local, self.encrypted, authority)?);
        *last = Some(ends.clone());
        Ok(ends)
    }

    /// Notes that the back end has agreed to another protocol.
    pub(crate) fn switch(&self) {
        self.switched.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_switched(&self) -> bool {
        self.switched.load(Ordering::Relaxed)
    }
}

/// How many requests of a session are under way, and since when there is none.
#[derive(Debug)]
pub(crate) struct Activity(Mutex<(usize, Instant)>);

impl Activity {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new((0, Instant::now()))))
    }

    /// One more, until what this gives is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> UnderWay {
        self.0.lock().0 += 1;
        UnderWay(self.clone())
    }

    /// Waits until none has been under way for `limit`.
    pub(crate) async fn ceased(&self, limit: Duration) {
        loop {
            let (under_way, since) = *self.0.lock();
            match (under_way, since + limit) {
                (0, end) if end <= Instant::now() => return,
                (0, end) => sleep_until(end).await,
                // Whenever it ends, that is not long enough ago before this.
                _ => sleep(limit).await,
            }
        }
    }
}

/// A request that is under way.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut activity = self.0.0.lock();
        *activity = (activity.0.saturating_sub(1), Instant::now());
    }
}

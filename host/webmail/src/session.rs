use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;
use waypost_net::listener::Slots;
use waypost_net::session::SessionRecord;
use waypost_routing::Decide;
use waypost_session::SessionId;

use crate::back::Pool;
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
    pub(crate) _slots: Slots,
}

impl<P: Decide> Session<P> {
    /// Counts a request; which one it is on this connection, from one.
    pub(crate) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }
}

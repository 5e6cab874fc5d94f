//! Listeners: from a configured address to a connection that may begin its session.
//!
//! [`bind()`] opens every socket once, before privileges are dropped; each worker turns its share
//! into [`Listener`]s and accepts from them. What is accepted is nobody yet: [`Accepted::admit`],
//! in the session's own task, takes the slots, reads the PROXY header where one is due, and asks
//! the listener's networks.

mod admit;
mod bind;
mod inherited;
mod settings;
mod slots;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, io};

use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

pub use self::admit::{Connection, Refused, RefusedConnection};
pub use self::bind::{BindError, Bound, BoundSocket, bind};
pub use self::inherited::{InheritError, Inherited};
pub use self::settings::ListenerSettings;
pub use self::slots::Slots;
use crate::limits::{Limits, ListenerLimits};
use crate::metrics::{ListenerMetrics, Metrics};
use crate::rate::RateLimit;

/// The first pause after an error that more calls would only repeat.
const PAUSE_MIN: Duration = Duration::from_millis(5);
/// The longest. Sessions end all the time, so that a descriptor is soon free again.
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// How often one listener complains of one thing.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// What the sockets of one listener have in common, on whatever worker they are.
#[derive(Debug)]
struct Shared {
    settings: Arc<ListenerSettings>,
    limits: Arc<ListenerLimits>,
    metrics: ListenerMetrics,
    accept_errors: RateLimit,
    header_errors: RateLimit,
    limits_reached: RateLimit,
}

impl Shared {
    fn new(settings: Arc<ListenerSettings>, limits: &Arc<Limits>, metrics: &Metrics) -> Self {
        let metrics = metrics.listener(&settings.name);
        Self {
            settings,
            limits: ListenerLimits::new(limits, metrics.open.clone()),
            metrics,
            accept_errors: RateLimit::new(LOG_INTERVAL),
            header_errors: RateLimit::new(LOG_INTERVAL),
            limits_reached: RateLimit::new(LOG_INTERVAL),
        }
    }
}

/// A listening socket of one worker.
#[derive(Debug)]
pub struct Listener {
    shared: Arc<Shared>,
    socket: TcpListener,
}

impl Listener {
    /// Registers the socket with the runtime of the worker that calls.
    ///
    /// # Errors
    /// When the runtime has no descriptor left for it.
    pub fn new(socket: BoundSocket) -> io::Result<Self> {
        Ok(Self { shared: socket.shared, socket: TcpListener::from_std(socket.socket)? })
    }

    /// The listener's settings.
    pub fn settings(&self) -> &Arc<ListenerSettings> {
        &self.shared.settings
    }

    /// The next connection. Waits for as long as it takes and survives every error of accept(2):
    /// those of a connection that went away before it was accepted at once, and the want of
    /// descriptors or memory with a pause, while the kernel keeps the clients waiting.
    ///
    /// Cancelling it loses no connection.
    pub async fn accept(&self) -> Accepted {
        let mut pause = PAUSE_MIN;
        loop {
            let error = match self.accept_one().await {
                Ok(accepted) => return accepted,
                Err(error) => error,
            };
            if concerns_one_connection(&error) {
                continue;
            }
            self.shared.metrics.accept_errors.inc();
            if let Some(suppressed) = self.shared.accept_errors.pass(Instant::now()) {
                tracing::error!(
                    target: "waypost::listener",
                    listener = &*self.shared.settings.name, %error, suppressed,
                    "cannot accept connections for now"
                );
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(PAUSE_MAX);
        }
    }

    async fn accept_one(&self) -> io::Result<Accepted> {
        let (stream, peer) = self.socket.accept().await?;
        self.shared.metrics.accepted.inc();
        // A client that is gone already may have taken its addresses with it.
        let local = stream.local_addr()?;
        let shared = self.shared.clone();
        Ok(Accepted { shared, stream, peer: canonical(peer), local: canonical(local) })
    }
}

/// Errors that lie with the connection that would have been next, or with its network: Linux hands
/// on what went wrong before accept (accept(2), "Error handling").
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::CONNABORTED
                | Errno::CONNRESET
                | Errno::INTR
                | Errno::PERM
                | Errno::PROTO
                | Errno::NOPROTOOPT
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::NONET
                | Errno::OPNOTSUPP
                | Errno::NOTCONN
        )
    )
}

/// IPv4 clients of an IPv6 socket are IPv4 clients.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// A connection of which nothing is known but its two ends.
pub struct Accepted {
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
}

impl Accepted {
    /// Who connected: the client, or a proxy in front.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listener = &self.shared.settings.name;
        write!(f, "Accepted({listener}: {} to {})", self.peer, self.local)
    }
}

//! One connection to one server, shared by searches, and what is known of its health.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, StdStream};
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::UnixStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::fence::{self, Traffic};
use super::handshake::{ConnectError, Opened};

/// How many searches in a row may end in a timeout, though the server does say something now and
/// then, before the connection is given up.
const MAX_TIMEOUTS_IN_A_ROW: u32 = 4;
/// How long the LDAP client may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why something ended, in words for the log.
pub(super) type Reason = Arc<str>;

/// A connection that is logged in. Dropping the last handle closes it, after the searches that
/// hold one have ended.
pub(super) struct Link {
    ldap: Ldap,
    /// The index of its URL.
    pub(super) server: usize,
    /// How it is protected, in words.
    pub(super) protection: String,
    traffic: Arc<Traffic>,
    /// One for each search that may be under way. Closed when the connection ends.
    permits: Arc<Semaphore>,
    timeouts: AtomicU32,
    searches_left: AtomicU64,
    worn: Notify,
    kill: watch::Sender<Option<Reason>>,
    ended: watch::Receiver<Option<Reason>>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("server", &self.server).finish_non_exhaustive()
    }
}

/// What a connection may carry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// The largest message from the server, in octets.
    pub(super) message: usize,
    /// How many searches at once.
    pub(super) in_flight: usize,
    /// After how many searches it is worn out.
    pub(super) searches: u64,
}

impl Link {
    /// Puts the LDAP client on a connection to the server of this index.
    pub(super) async fn start(
        opened: Opened,
        server: usize,
        load: Load,
        gauge: Gauge,
    ) -> Result<Arc<Self>, ConnectError> {
        let Opened { stream, unread } = opened;
        let protection = stream.protection();
        let (ours, clients) = UnixStream::pair().map_err(ConnectError::Io)?;
        let clients = clients.into_std().map_err(ConnectError::Io)?;
        let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(clients));
        let (connection, ldap) = LdapConnAsync::with_settings(settings, "ldapi:///")
            .await
            .map_err(|error| ConnectError::Client(error.to_string()))?;
        let traffic = Arc::new(Traffic::default());
        let permits = Arc::new(Semaphore::new(load.in_flight));
        let (kill, killed) = watch::channel(None);
        let (ending, ended) = watch::channel(None);
        let driver = tokio::spawn(async move { connection.drive().await });
        let guard = fence::guard(stream, unread, ours, load.message, traffic.clone());
        let life = supervise(driver, guard, killed);
        let closing = permits.clone();
        tokio::spawn(async move {
            gauge.inc();
            let reason = life.await;
            gauge.dec();
            ending.send_replace(Some(reason));
            closing.close();
        });
        Ok(Arc::new(Self {
            ldap,
            server,
            protection,
            traffic,
            permits,
            timeouts: AtomicU32::new(0),
            searches_left: AtomicU64::new(load.searches),
            worn: Notify::new(),
            kill,
            ended,
        }))
    }

    /// The LDAP client, for one more operation.
    pub(super) fn ldap(&self) -> Ldap {
        self.ldap.clone()
    }

    /// How many searches are under way or wait for their turn.
    pub(super) fn load(&self) -> usize {
        self.traffic.in_flight.load(Ordering::Relaxed)
    }

    /// Puts a search on this connection; [`UnderWay::turn`] is when it may begin.
    pub(super) fn enter(self: &Arc<Self>) -> UnderWay {
        self.traffic.in_flight.fetch_add(1, Ordering::Relaxed);
        UnderWay { link: self.clone(), began: Instant::now(), received: 0, permit: None }
    }

    /// Waits until the connection has carried all the searches that it should.
    pub(super) async fn worn(&self) {
        self.worn.notified().await;
    }

    /// Ends the connection at once, and every search on it.
    pub(super) fn kill(&self, reason: impl Into<Reason>) {
        self.kill.send_replace(Some(reason.into()));
    }

    /// Whether the connection has ended or is about to.
    pub(super) fn is_ended(&self) -> bool {
        self.kill.borrow().is_some() || self.ended.borrow().is_some()
    }

    /// Waits for the end, and says why.
    pub(super) async fn ended(&self) -> Reason {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_else(|| Reason::from("closed")),
            Err(_) => Reason::from("the LDAP client's task has gone"),
        }
    }
}

/// A search that is on a link.
pub(super) struct UnderWay {
    pub(super) link: Arc<Link>,
    began: Instant,
    /// How often the server had been heard when the search began.
    received: u64,
    permit: Option<OwnedSemaphorePermit>,
}

impl UnderWay {
    /// Waits until the search may begin; fails if the connection ends before.
    pub(super) async fn turn(&mut self) -> Result<(), Reason> {
        let link = &self.link;
        let Ok(permit) = link.permits.clone().acquire_owned().await else {
            return Err(link.ended().await);
        };
        self.permit = Some(permit);
        self.began = Instant::now();
        self.received = link.traffic.received.load(Ordering::Relaxed);
        let left = &link.searches_left;
        if left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_err() {
            link.worn.notify_one();
        }
        Ok(())
    }

    /// Notes that the server answered to the end.
    pub(super) fn answered(&self) {
        self.link.timeouts.store(0, Ordering::Relaxed);
    }

    /// Notes that the server did not answer in time. Answers whether the connection is to be given
    /// up: nothing at all was heard since the search began, or too many went this way. A search
    /// that had less than `patience` says nothing about the server.
    pub(super) fn timed_out(&self, patience: Duration) -> bool {
        if self.began.elapsed() < patience {
            return false;
        }
        let silent = self.link.traffic.received.load(Ordering::Relaxed) == self.received;
        let in_a_row = self.link.timeouts.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        silent || in_a_row >= MAX_TIMEOUTS_IN_A_ROW
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.link.traffic.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs a connection to its end and answers why, whatever becomes of the LDAP client: it may panic,
/// and then it is as if the server had gone.
async fn supervise(
    mut driver: JoinHandle<ldap3::result::Result<()>>,
    guard: impl Future<Output = String>,
    mut killed: watch::Receiver<Option<Reason>>,
) -> Reason {
    let mut guard = Box::pin(guard);
    let kill = async {
        match killed.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone()) {
            Some(reason) => reason,
            // Nobody holds the link any more: the LDAP client says goodbye by itself.
            None => std::future::pending().await,
        }
    };
    let reason = tokio::select! {
        reason = &mut guard => Reason::from(reason),
        outcome = &mut driver => match outcome {
            Ok(Ok(())) => {
                let _ = timeout(FAREWELL, &mut guard).await;
                Reason::from("closed")
            }
            Ok(Err(error)) => Reason::from(format!("the LDAP client gave up: {error}")),
            Err(error) => Reason::from(format!("the LDAP client failed: {error}")),
        },
        reason = kill => reason,
    };
    driver.abort();
    reason
}

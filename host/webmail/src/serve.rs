//! A connection from its first octet to its last.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout};
use waypost_net::listener::{Accepted, Refused, RefusedConnection};
use waypost_net::session::EndReason;
use waypost_net::stream::Stream;
use waypost_net::tls::TlsError;
use waypost_net::wipe_buffers;
use waypost_routing::Decide;
use waypost_session::Grant;

use crate::exchange::exchange;
use crate::front::ClientStream;
use crate::journal;
use crate::session::{Activity, Session};
use crate::{Entrance, Service};

/// For how long the last words to a client may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Said where HTTP itself has not begun.
const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 10\r\n\
                          Content-Length: 0\r\nConnection: close\r\n\r\n";

/// How many streams a client may reset before they were served, until it counts as an attack
/// (CVE-2023-44487).
const MAX_RESETS: usize = 20;
/// How many streams may be ours to reset, because of what is wrong with them.
const MAX_OWN_RESETS: usize = 100;
/// What a stream may have in memory on its way to the client, in octets.
const SEND_BUFFER: usize = 64 << 10;
/// What a client may send ahead on one stream, and on all streams together, in octets.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// The buffer of an HTTP/1.1 connection beyond the head, in octets.
const BUFFER: usize = 32 << 10;

/// Serves one connection from its first octet to its last. To be spawned.
pub async fn serve<P: Decide>(service: Arc<Service<P>>, entrance: Arc<Entrance>, accepted: Accepted)
where
    P::Targets: Grant,
{
    let connection = match accepted.admit().await {
        Ok(connection) => connection,
        Err(refused) => return turn_away(&entrance, refused).await,
    };
    let record = service.process.sessions.open(&entrance.kind, connection.client);
    let encrypted_in_front = connection
        .header
        .as_ref()
        .and_then(|header| header.ssl.as_ref())
        .is_some_and(|ssl| ssl.encrypted);
    let (client, local) = (connection.client, connection.local);
    let (tcp, slots) = connection.split();
    let session = Session {
        pool: service.pools.of_this_worker(&service.settings),
        id: service.process.session_ids.of(&record),
        record,
        client,
        local,
        encrypted: entrance.acceptor.is_some() || encrypted_in_front,
        began: Instant::now(),
        requests: AtomicU64::new(0),
        activity: Activity::new(),
        ends: Mutex::default(),
        switched: AtomicBool::new(false),
        service,
        entrance,
        slots,
    };
    session.run(tcp).await;
}

/// Says why, where the client has not begun to speak TLS.
async fn turn_away(entrance: &Entrance, refused: RefusedConnection) {
    let (Refused::Limit(_), Some(stream)) = (refused.reason, refused.stream) else { return };
    if entrance.acceptor.is_some() {
        return;
    }
    let mut stream = Stream::from(stream);
    let _ = timeout(LAST_WORDS, async {
        stream.write_all(TOO_MANY).await?;
        stream.shutdown().await
    })
    .await;
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("closed")]
    Closed,
    #[error("TLS with the client: {0}")]
    ClientTls(#[from] TlsError),
    #[error("{0}")]
    Http(hyper::Error),
    /// What it had to say or to take.
    #[error("the client took too long")]
    Timeout,
    #[error("{}", .0.as_str())]
    FromOutside(EndReason),
}

impl Ended {
    fn by(error: hyper::Error) -> Self {
        let source = std::error::Error::source(&error);
        let io = source.and_then(|source| source.downcast_ref::<std::io::Error>());
        match io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut) || error.is_timeout() {
            true => Self::Timeout,
            false => Self::Http(error),
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::ClientTls(_) => "client-tls",
            Self::Http(_) => "http",
            Self::Timeout => "timeout",
            Self::FromOutside(reason) => reason.as_str(),
        }
    }
}

impl<P: Decide> Session<P>
where
    P::Targets: Grant,
{
    async fn run(self, tcp: tokio::net::TcpStream) {
        let session = Arc::new(self);
        let ended = match session.open(tcp).await {
            Ok(stream) => session.talk(stream).await,
            Err(error) => error.into(),
        };
        wipe_buffers();
        let detail = match &ended {
            Ended::Closed | Ended::FromOutside(_) => None,
            error => Some(error.to_string()),
        };
        journal::close(&session, ended.kind(), detail.as_deref());
    }

    async fn open(&self, tcp: tokio::net::TcpStream) -> Result<Stream, TlsError> {
        let Some(acceptor) = &self.entrance.acceptor else { return Ok(Stream::from(tcp)) };
        let deadline = self.began + self.service.settings.header_timeout;
        Ok(Stream::from(acceptor.accept(tcp, deadline).await?))
    }

    async fn talk(self: &Arc<Self>, stream: Stream) -> Ended {
        let is_http2 =
            stream.tls().is_some_and(|tls| tls.application_protocol() == Some(b"h2".as_slice()));
        let io = TokioIo::new(ClientStream::new(stream, self, is_http2));
        let session = self.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let exchange = Box::pin(exchange(session.clone(), request));
            async move { Ok::<_, Infallible>(exchange.await) }
        });
        let settings = &self.service.settings;
        if is_http2 {
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(settings.max_streams)
                .max_header_list_size(u32::try_from(settings.max_header_size).unwrap_or(u32::MAX))
                .max_pending_accept_reset_streams(MAX_RESETS)
                .max_local_error_reset_streams(MAX_OWN_RESETS)
                .max_send_buf_size(SEND_BUFFER)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .keep_alive_interval(settings.keep_alive)
                .keep_alive_timeout(settings.header_timeout)
                .serve_connection(io, service);
            // hyper ends none that is idle.
            let idle = self.activity.ceased(settings.keep_alive);
            self.drive(connection, idle, |connection| connection.graceful_shutdown()).await
        } else {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(settings.keep_alive)
                .max_headers(settings.max_headers)
                .max_header_size(settings.max_header_size)
                .max_buf_size(settings.max_header_size.saturating_add(BUFFER))
                .serve_connection(io, service)
                .with_upgrades();
            let idle = std::future::pending();
            self.drive(connection, idle, |connection| connection.graceful_shutdown()).await
        }
    }

    /// Drives a connection to its end, which may be asked for from outside, or by `idle`.
    async fn drive<C: Future<Output = hyper::Result<()>>>(
        &self,
        connection: C,
        idle: impl Future<Output = ()>,
        end_gracefully: impl Fn(std::pin::Pin<&mut C>),
    ) -> Ended {
        let mut connection = pin!(connection);
        let mut idle = pin!(idle);
        let mut draining = self.service.draining();
        let mut is_draining = false;
        loop {
            tokio::select! {
                biased;
                result = connection.as_mut() => {
                    return result.map_or_else(Ended::by, |()| Ended::Closed);
                }
                reason = self.record.ended() => return Ended::FromOutside(reason),
                told = draining.wait_for(|draining| *draining), if !is_draining => {
                    drop(told);
                    is_draining = true;
                    end_gracefully(connection.as_mut());
                }
                () = idle.as_mut(), if !is_draining => {
                    is_draining = true;
                    end_gracefully(connection.as_mut());
                }
            }
        }
    }
}

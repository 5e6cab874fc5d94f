//! From an accepted connection to one whose session may begin.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;
use tokio::net::TcpStream;
use waypost_wire::proxy::{Header, Invalid};

use super::{Accepted, ListenerSettings, Shared};
use crate::limits::{ConnectionSlot, LimitReached};
use crate::proxy_header::{self, HeaderError};

/// A connection whose session may begin.
#[derive(Debug)]
pub struct Connection {
    /// The client's bytes, from the first.
    pub stream: TcpStream,
    /// The client; behind a trusted proxy, the one that its PROXY header names.
    pub client: SocketAddr,
    /// Where the client connected to; behind a trusted proxy, as its header says.
    pub local: SocketAddr,
    /// Everything that a trusted proxy said, such as that the client came over TLS.
    pub header: Option<Box<Header>>,
    /// Held for as long as the connection lives.
    pub slot: ConnectionSlot,
    pub(super) shared: Arc<Shared>,
}

impl Connection {
    /// The listener's settings.
    pub fn settings(&self) -> &Arc<ListenerSettings> {
        &self.shared.settings
    }
}

/// Why a connection gets no session.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refused {
    /// Too many already.
    #[error(transparent)]
    Limit(#[from] LimitReached),
    /// By `allow` and `deny`.
    #[error("the client's network may not connect to this listener")]
    Denied,
    /// A peer of `proxy-protocol-from` sent something else than a header.
    #[error("{0}")]
    Header(Invalid),
    /// Such a peer sent nothing, or part of a header, in time.
    #[error("the PROXY header did not arrive in time")]
    HeaderTimeout,
    /// It hung up within the header, or before it.
    #[error("the connection ended before its PROXY header did")]
    HeaderEnded,
}

impl Refused {
    /// The name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limit(reached) => reached.as_str(),
            Self::Denied => "denied-network",
            Self::Header(_) => "proxy-header",
            Self::HeaderTimeout => "proxy-header-timeout",
            Self::HeaderEnded => "proxy-header-ended",
        }
    }
}

/// A connection that gets no session.
#[derive(Debug)]
pub struct RefusedConnection {
    /// Why.
    pub reason: Refused,
    /// Whom it was refused to, as far as that is known.
    pub client: SocketAddr,
    /// Where there is somebody to say goodbye to, in the protocol's own words. Dropping it closes
    /// the connection.
    pub stream: Option<TcpStream>,
}

impl Accepted {
    /// Decides whether the session may begin: takes the slots, reads the PROXY header where the
    /// peer is in `proxy-protocol-from`, and asks the listener's networks.
    ///
    /// To be called in the session's own task, since a trusted peer may take its time. From the
    /// header on, its source is the client for everything; a header without source (`LOCAL`,
    /// `UNKNOWN`) leaves the socket's own addresses in force. Whoever is not trusted is spoken to
    /// at once: a header from them is rubbish in the mail protocol.
    ///
    /// Takes `proxy_header_timeout` at most. The slots are given back when the future is dropped.
    pub async fn admit(self) -> Result<Connection, RefusedConnection> {
        let Self { shared, mut stream, peer, local } = self;
        let mut ends = Ends { client: peer, local };
        match decide(&shared, &mut stream, &mut ends).await {
            Ok((slot, header)) => {
                let Ends { client, local } = ends;
                Ok(Connection { stream, client, local, header, slot, shared })
            }
            Err(reason) => {
                shared.metrics.refused(reason.as_str());
                tell(&shared, reason, &ends, peer);
                // A trusted peer that sent no header does not speak the mail protocol, and whom
                // the network rules keep out learns nothing of what is here.
                let stream = matches!(reason, Refused::Limit(_)).then_some(stream);
                Err(RefusedConnection { reason, client: ends.client, stream })
            }
        }
    }
}

/// Clients over a limit are the operator's concern, but a flood of them is not to flood the log.
fn tell(shared: &Shared, reason: Refused, ends: &Ends, peer: SocketAddr) {
    let listener = &*shared.settings.name;
    if let Refused::Limit(reached) = reason
        && let Some(suppressed) = shared.limits_reached.pass(Instant::now())
    {
        tracing::warn!(
            target: "waypost::listener",
            listener, client = %ends.client, reason = reached.as_str(), suppressed,
            "connection refused: {reached}"
        );
        return;
    }
    tracing::debug!(
        target: "waypost::listener",
        listener, client = %ends.client, %peer, reason = reason.as_str(),
        "connection refused"
    );
}

/// Who talks with whom.
struct Ends {
    client: SocketAddr,
    local: SocketAddr,
}

async fn decide(
    shared: &Shared,
    stream: &mut TcpStream,
    ends: &mut Ends,
) -> Result<(ConnectionSlot, Option<Box<Header>>), Refused> {
    let settings = &shared.settings;
    let mut slot = shared.limits.connection(settings.max_connections)?;
    let mut header = None;
    if settings.proxy_protocol_from.contains(ends.client.ip()) {
        let read = read_header(shared, stream, ends.client.ip()).await?;
        if let (Some(source), Some(destination)) = (read.source, read.destination) {
            *ends = Ends { client: source, local: destination };
        }
        header = Some(read);
    }
    if !settings.admits(ends.client.ip()) {
        return Err(Refused::Denied);
    }
    if settings.counts(ends.client.ip()) {
        slot.client(ends.client.ip(), settings.max_connections_per_address)?;
    }
    Ok((slot, header))
}

async fn read_header(
    shared: &Shared,
    stream: &mut TcpStream,
    peer: IpAddr,
) -> Result<Box<Header>, Refused> {
    let deadline = tokio::time::Instant::now() + shared.settings.proxy_header_timeout;
    let error = match proxy_header::read(stream, deadline).await {
        Ok(header) => return Ok(header),
        Err(error) => error,
    };
    // A balancer that only looks whether anybody is there is no cause for a log line.
    if !matches!(error, HeaderError::Probe)
        && let Some(suppressed) = shared.header_errors.pass(Instant::now())
    {
        tracing::warn!(
            target: "waypost::listener",
            listener = &*shared.settings.name, %peer, %error, suppressed,
            "a peer of proxy-protocol-from sent no usable PROXY header"
        );
    }
    Err(match error {
        HeaderError::Invalid(invalid) => Refused::Header(invalid),
        HeaderError::Timeout => Refused::HeaderTimeout,
        HeaderError::Probe | HeaderError::Closed | HeaderError::Io(_) => Refused::HeaderEnded,
    })
}

//! From a target to an open connection.
//!
//! One target at a time: failing over from one to the next is the login's, which alone knows how
//! far it got. All addresses of the target are tried in turn, those that are down are skipped. None
//! is tried that the policy may not name, wherever the name came from, and none that is a listener
//! of this very process.

mod error;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};
use waypost_model::{Host, Protocol, Target};
use waypost_wire::proxy::Header;

pub use self::error::{Attempt, ConnectError, Failure};
use crate::backend::{BackendTable, Endpoint};
use crate::health::{Admitted, Health};
use crate::resolve::{ResolveError, Resolver};
use crate::{Metrics, OwnListeners, proxy_header, socket};

/// Opens connections to targets. One for the life of the process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Connector {
    resolver: Resolver,
    health: Health,
    own: Arc<OwnListeners>,
    metrics: Metrics,
}

/// Where to connect, for whom, and what to heed.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Where.
    pub target: &'a Target,
    /// What the client speaks.
    pub protocol: Protocol,
    /// How to speak with targets; of the generation that the session holds.
    pub table: &'a BackendTable,
    /// The client, for back ends that are told by a PROXY header.
    pub client: &'a Header,
    /// Whether the policy may name this host at this address. Asked for every address, after names
    /// were resolved, with the host as the policy named it.
    pub allowed: &'a (dyn Fn(&Host, IpAddr) -> bool + Sync),
    /// By when, all addresses together. Each alone has the table's connect timeout.
    pub deadline: Instant,
    /// Every target has failed because it is down: try it all the same, unless somebody else is.
    pub last_resort: bool,
}

/// An open connection on which nothing has been said but the PROXY header, where one is due.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub stream: TcpStream,
    /// Its other end.
    pub address: SocketAddr,
    /// How to go on: encryption, name in the certificate, identity, timeouts.
    pub endpoint: Endpoint,
    /// To be told how it went on.
    pub reached: Reached,
}

/// The verdict on an address that could be connected to. A connection proves little: a server that
/// hangs is connected to by its kernel.
#[derive(Debug)]
#[must_use = "say whether the back end greeted"]
pub struct Reached {
    admitted: Admitted,
    endpoint: Endpoint,
}

impl Reached {
    /// The back end has sent a greeting or finished a TLS handshake, whatever it said.
    pub fn greeted(self) {
        self.admitted.succeeded();
    }

    /// The back end kept silent for as long as it may, or hung up without a word. The address is
    /// down from now on.
    pub fn silent(self) {
        self.admitted.failed(&self.endpoint);
    }
}

impl Connector {
    /// Over the resolver and the health of the process; never to a listener of `own`.
    pub fn new(resolver: Resolver, health: Health, own: OwnListeners, metrics: Metrics) -> Self {
        Self { resolver, health, own: Arc::new(own), metrics }
    }

    /// The state of target addresses.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Opens a connection to one target.
    ///
    /// # Errors
    /// When none of its addresses can be reached, or none may be. The error is about this target;
    /// the next one of the route may be tried.
    pub async fn connect(&self, request: &Request<'_>) -> Result<Connected, ConnectError> {
        let started = Instant::now();
        let result = self.try_connect(request).await;
        match &result {
            Ok(_) => {
                self.metrics.connect("connected");
                self.metrics.connect_seconds.observe(started.elapsed().as_secs_f64());
            }
            Err(error) => self.metrics.connect(error.label()),
        }
        result
    }

    async fn try_connect(&self, request: &Request<'_>) -> Result<Connected, ConnectError> {
        let endpoint = request.table.endpoint(request.target, request.protocol)?;
        let resolving = self.resolver.addresses(&request.target.host);
        let addresses =
            timeout_at(request.deadline, resolving).await.unwrap_or(Err(ResolveError::Timeout))?;
        let addresses = self.permitted(request, &endpoint, &addresses)?;
        let mut attempts = Vec::new();
        for address in addresses {
            let Some(admitted) = self.health.admit(address, request.last_resort) else {
                continue;
            };
            match open(address, &endpoint, request).await {
                Ok(stream) => {
                    let reached = Reached { admitted, endpoint: endpoint.clone() };
                    return Ok(Connected { stream, address, endpoint, reached });
                }
                Err(failure) => {
                    if failure.lies_with_the_target() {
                        admitted.failed(&endpoint);
                    }
                    attempts.push(Attempt { address, failure });
                }
            }
        }
        if attempts.is_empty() {
            return Err(ConnectError::AllDown);
        }
        Err(ConnectError::Failed(attempts))
    }

    /// The addresses that may be tried.
    fn permitted(
        &self,
        request: &Request<'_>,
        endpoint: &Endpoint,
        addresses: &[IpAddr],
    ) -> Result<Vec<SocketAddr>, ConnectError> {
        let host = &request.target.host;
        let allowed = |ip: &IpAddr| is_host(*ip) && (request.allowed)(host, *ip);
        let allowed: Vec<SocketAddr> = addresses
            .iter()
            .filter(|ip| allowed(ip))
            .map(|ip| SocketAddr::new(*ip, endpoint.port))
            .collect();
        if allowed.is_empty() {
            return Err(ConnectError::NotAllowed(addresses.to_vec()));
        }
        let (own, others): (Vec<_>, Vec<_>) =
            allowed.into_iter().partition(|address| self.own.contains(*address));
        match own.first() {
            Some(own) if others.is_empty() => Err(ConnectError::OwnListener(*own)),
            _ => Ok(others),
        }
    }
}

/// Whether a host can have the address. Linux takes `0.0.0.0` for itself, which no network pattern
/// expects.
fn is_host(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !(ip.is_unspecified() || ip.is_multicast() || broadcast)
}

async fn open(
    address: SocketAddr,
    endpoint: &Endpoint,
    request: &Request<'_>,
) -> Result<TcpStream, Failure> {
    let patience = Instant::now() + endpoint.settings.connect_timeout;
    let header = proxy_header::told(endpoint.settings.client_identity, request.client);
    let opening = async {
        let mut stream = socket_for(address)?.connect(address).await?;
        if !header.is_empty() {
            // It fits the empty send buffer: nothing waits here.
            stream.write_all(&header).await?;
        }
        io::Result::Ok(stream)
    };
    match timeout_at(patience.min(request.deadline), opening).await {
        Ok(opened) => opened.map_err(Failure::from),
        Err(_) if request.deadline < patience => Err(Failure::Deadline),
        Err(_) => Err(Failure::Timeout),
    }
}

fn socket_for(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket::tune(&socket)?;
    Ok(socket)
}

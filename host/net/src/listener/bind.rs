//! Opening the sockets of every listener, for every worker.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;

use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use thiserror::Error;

use super::inherited::{InheritError, Inherited};
use super::{ListenerSettings, Shared};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::own::OwnListeners;
use crate::socket;

/// The sockets of every listener, opened once, before privileges are dropped.
#[derive(Debug)]
pub struct Bound {
    /// For each worker its own sockets, one for each bound address.
    pub workers: Vec<Vec<BoundSocket>>,
    /// Every address that is listened on, so that no session is taken back to where it came from.
    pub own: OwnListeners,
}

/// A listening socket on its way to the worker that will accept from it.
#[derive(Debug)]
pub struct BoundSocket {
    pub(super) shared: Arc<Shared>,
    pub(super) socket: TcpListener,
    pub(super) address: SocketAddr,
}

impl BoundSocket {
    /// The listener's settings.
    pub fn settings(&self) -> &Arc<ListenerSettings> {
        &self.shared.settings
    }

    /// Where it listens; with the port that the system chose where none was configured.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Why a listener has no socket. The text says which, where and what to do.
#[derive(Debug, Error)]
pub enum BindError {
    /// The address cannot be listened on.
    #[error("listener `{listener}` cannot listen on {address}: {}", explanation(source, *address))]
    Address {
        /// The listener's name.
        listener: Arc<str>,
        /// The address from its `bind`.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Two listeners, or one of them twice, with one address.
    #[error("listener `{listener}` cannot listen on {address}: listener `{other}` does already")]
    Twice {
        /// The listener's name.
        listener: Arc<str>,
        /// The address from its `bind`.
        address: SocketAddr,
        /// Who has the address.
        other: Arc<str>,
    },
    /// Nothing to listen on.
    #[error("listener `{listener}` has no address; give it one, such as bind = [\"[::]:{port}\"]")]
    Nowhere {
        /// The listener's name.
        listener: Arc<str>,
        /// The port that its protocol uses most.
        port: u16,
    },
    /// A socket from the service manager.
    #[error(transparent)]
    Inherited(#[from] InheritError),
}

fn explanation(error: &io::Error, address: SocketAddr) -> String {
    let port = address.port();
    match Errno::from_io_error(error) {
        Some(Errno::ADDRINUSE) => format!(
            "the address is in use; stop what listens there (`ss -ltnp 'sport = :{port}'` names \
             it) or change `bind`"
        ),
        Some(Errno::ACCESS | Errno::PERM) => "permission denied; start as root with `user` set, \
             take the socket from systemd, or grant CAP_NET_BIND_SERVICE"
            .to_owned(),
        Some(Errno::ADDRNOTAVAIL) => "no interface of this machine has the address".to_owned(),
        Some(Errno::AFNOSUPPORT) if address.is_ipv6() => {
            format!("this machine has no IPv6; bind 0.0.0.0:{port} instead")
        }
        Some(Errno::MFILE | Errno::NFILE) => "no descriptor is left; raise LimitNOFILE".to_owned(),
        _ => error.to_string(),
    }
}

/// Opens the sockets of every listener for each of the `workers`.
///
/// A listener takes the sockets of `inherited` that bear its name; those instead of what its `bind`
/// says. An address in `bind` that an inherited socket listens on takes that socket. All others are
/// opened here, one for each worker, and the kernel spreads the connections over them
/// (`SO_REUSEPORT`). An inherited socket is one queue that all workers accept from.
///
/// # Errors
/// The first socket that cannot be had; those opened before are closed again.
pub fn bind(
    listeners: &[Arc<ListenerSettings>],
    workers: NonZeroUsize,
    mut inherited: Inherited,
    limits: &Arc<Limits>,
    metrics: &Metrics,
) -> Result<Bound, BindError> {
    let owners = owners(listeners)?;
    let mut bound = Bound {
        workers: (0..workers.get()).map(|_| Vec::new()).collect(),
        own: OwnListeners::default(),
    };
    for settings in listeners {
        let shared = Arc::new(Shared::new(settings.clone(), limits, metrics));
        let named = inherited.take(|socket| socket.name.as_deref() == Some(&*settings.name));
        if !named.is_empty() {
            for socket in named {
                bound.share(&shared, socket.address, socket.socket)?;
            }
            continue;
        }
        if settings.bind.is_empty() {
            let port = crate::backend::usual_port(settings.protocol, settings.tls);
            return Err(BindError::Nowhere { listener: settings.name.clone(), port });
        }
        for address in &settings.bind {
            match inherited.take(|socket| socket.address == *address).pop() {
                Some(socket) => bound.share(&shared, socket.address, socket.socket)?,
                None => bound.open(&shared, *address, &owners)?,
            }
        }
    }
    inherited.all_claimed()?;
    Ok(bound)
}

/// Whose each address is. With port 0 the system chooses, each time another.
fn owners(listeners: &[Arc<ListenerSettings>]) -> Result<HashMap<SocketAddr, Arc<str>>, BindError> {
    let mut owners = HashMap::new();
    for settings in listeners {
        for address in settings.bind.iter().filter(|address| address.port() != 0) {
            let listener = settings.name.clone();
            if let Some(other) = owners.insert(*address, listener.clone()) {
                return Err(BindError::Twice { listener, address: *address, other });
            }
        }
    }
    Ok(owners)
}

impl Bound {
    /// Hands a socket that exists once to every worker.
    fn share(
        &mut self,
        shared: &Arc<Shared>,
        address: SocketAddr,
        socket: TcpListener,
    ) -> Result<(), BindError> {
        let failed =
            |source| BindError::Address { listener: shared.settings.name.clone(), address, source };
        socket::tune(&socket).map_err(failed)?;
        let only_v6 = address.is_ipv6() && SockRef::from(&socket).only_v6().unwrap_or(false);
        self.own.add(address, only_v6);
        for worker in &mut self.workers {
            let socket = socket.try_clone().map_err(failed)?;
            worker.push(BoundSocket { shared: shared.clone(), socket, address });
        }
        Ok(())
    }

    /// Opens a socket for each worker.
    fn open(
        &mut self,
        shared: &Arc<Shared>,
        address: SocketAddr,
        owners: &HashMap<SocketAddr, Arc<str>>,
    ) -> Result<(), BindError> {
        let failed =
            |source| BindError::Address { listener: shared.settings.name.clone(), address, source };
        // An IPv4 socket of our own on the same port is the only reason not to serve both families.
        let only_v6 = address.is_ipv6()
            && address.ip().is_unspecified()
            && owners.keys().any(|other| other.is_ipv4() && other.port() == address.port());
        let backlog = shared.settings.backlog;
        // With SO_REUSEPORT a second Waypost of the same user would share the port without a word,
        // and each connection would reach either of the two.
        prepare(address, only_v6).and_then(|probe| probe.bind(&address.into())).map_err(failed)?;
        let mut exact = address;
        for worker in &mut self.workers {
            let open = || -> io::Result<TcpListener> {
                let socket = prepare(exact, only_v6)?;
                socket.set_reuse_port(true)?;
                socket.bind(&exact.into())?;
                socket::tune(&socket)?;
                socket.listen(backlog)?;
                socket.set_nonblocking(true)?;
                Ok(socket.into())
            };
            let socket = open().map_err(failed)?;
            exact = socket.local_addr().map_err(failed)?;
            worker.push(BoundSocket { shared: shared.clone(), socket, address: exact });
        }
        self.own.add(exact, only_v6);
        Ok(())
    }
}

fn prepare(address: SocketAddr, only_v6: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of an earlier run that linger in TIME_WAIT do not stand in the way.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    Ok(socket)
}

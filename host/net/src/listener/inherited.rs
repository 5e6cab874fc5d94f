//! Sockets that the service manager opened (sd_listen_fds(3)).

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, io, process};

use rustix::io::FdFlags;
use socket2::SockRef;
use thiserror::Error;

/// The first inherited descriptor (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;

/// Listening sockets that were opened before this process began, each of which one listener takes.
#[derive(Debug, Default)]
pub struct Inherited(Vec<InheritedSocket>);

/// One listening socket with its name, if the service manager gave it one.
#[derive(Debug)]
pub(super) struct InheritedSocket {
    pub(super) name: Option<String>,
    pub(super) address: SocketAddr,
    pub(super) socket: TcpListener,
}

/// Why what the service manager handed over cannot be used.
#[derive(Debug, Error)]
pub enum InheritError {
    /// One of the environment variables.
    #[error("LISTEN_FDS is {0:?} where a small number is expected; this is the service manager's")]
    Count(String),
    /// A descriptor that is closed, a datagram or Unix socket, or not listening.
    #[error(
        "descriptor {number} ({name}) from the service manager is no listening TCP socket; use ListenStream= with an address and a port"
    )]
    NotListening {
        /// The descriptor.
        number: RawFd,
        /// Its `FileDescriptorName=`.
        name: String,
    },
    /// A socket that nobody wants is a socket that hangs its clients.
    #[error(
        "the service manager handed over {address} ({name}), and no listener is bound to it or bears its name; add one, or remove it from the socket unit"
    )]
    Unclaimed {
        /// Where the socket listens.
        address: SocketAddr,
        /// Its `FileDescriptorName=`.
        name: String,
    },
    /// The system's own word.
    #[error("descriptor {number} from the service manager: {source}")]
    Io {
        /// The descriptor.
        number: RawFd,
        /// What the system says.
        source: io::Error,
    },
}

impl Inherited {
    /// No socket.
    pub fn none() -> Self {
        Self::default()
    }

    /// The sockets that the service manager handed to this process, for `ListenStream=` and
    /// `FileDescriptorName=` of a socket unit. None where it handed over nothing. The second and
    /// every later call finds none.
    ///
    /// To be called first thing, before the process opens anything: the numbers of the descriptors
    /// are all that is known of them.
    pub fn from_service_manager() -> Result<Self, InheritError> {
        let meant = env::var("LISTEN_PID").ok().and_then(|pid| pid.parse().ok());
        let Ok(count) = env::var("LISTEN_FDS") else {
            return Ok(Self::none());
        };
        if meant != Some(process::id()) {
            return Ok(Self::none());
        }
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':').map(str::to_owned);
        let count: u16 = count.parse().map_err(|_| InheritError::Count(count))?;
        let sockets = take_descriptors(count)
            .map(|(number, descriptor)| {
                let name = names.next().filter(|name| !name.is_empty() && name != "unknown");
                InheritedSocket::new(number, name, descriptor)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self(sockets))
    }

    /// Sockets by another way than the environment, each with its name.
    pub fn from_sockets(
        sockets: impl IntoIterator<Item = (Option<String>, TcpListener)>,
    ) -> io::Result<Self> {
        let sockets = sockets.into_iter().map(|(name, socket)| {
            Ok(InheritedSocket { name, address: socket.local_addr()?, socket })
        });
        Ok(Self(sockets.collect::<io::Result<_>>()?))
    }

    /// Takes out the sockets that `wanted` says yes to.
    pub(super) fn take(
        &mut self,
        wanted: impl Fn(&InheritedSocket) -> bool,
    ) -> Vec<InheritedSocket> {
        let (taken, left) = std::mem::take(&mut self.0).into_iter().partition(wanted);
        self.0 = left;
        taken
    }

    /// Whether every socket has been taken.
    pub(super) fn all_claimed(&self) -> Result<(), InheritError> {
        let Some(left) = self.0.first() else { return Ok(()) };
        let name = left.name.clone().unwrap_or_else(|| "without name".to_owned());
        Err(InheritError::Unclaimed { address: left.address, name })
    }
}

impl InheritedSocket {
    fn new(number: RawFd, name: Option<String>, descriptor: OwnedFd) -> Result<Self, InheritError> {
        let not_listening = || InheritError::NotListening {
            number,
            name: name.clone().unwrap_or_else(|| "without name".to_owned()),
        };
        if !SockRef::from(&descriptor).is_listener().unwrap_or(false) {
            return Err(not_listening());
        }
        // Whether it listens for TCP shows in its address: a Unix socket has none of these.
        let socket = TcpListener::from(descriptor);
        let address = socket.local_addr().map_err(|_| not_listening())?;
        let prepare = || {
            rustix::io::fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
            socket.set_nonblocking(true)
        };
        prepare().map_err(|source| InheritError::Io { number, source })?;
        Ok(Self { name, address, socket })
    }
}

/// The descriptors that the service manager opened, with their numbers. Hands them out once.
#[expect(unsafe_code, reason = "a descriptor known only by its number has no safe owner yet")]
fn take_descriptors(count: u16) -> impl Iterator<Item = (RawFd, OwnedFd)> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let count = if TAKEN.swap(true, Ordering::SeqCst) { 0 } else { RawFd::from(count) };
    (FIRST..FIRST.saturating_add(count)).map(|number| {
        // SAFETY: sd_listen_fds(3) gives these numbers to the process that LISTEN_PID names, which
        // the caller has checked to be this one; nothing else in this process knows of them, and
        // the swap above makes sure that each gets one owner only. Should it have been handed over
        // closed, every system call on it fails with EBADF, and `InheritedSocket::new` makes one at
        // once.
        (number, unsafe { OwnedFd::from_raw_fd(number) })
    })
}

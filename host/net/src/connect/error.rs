use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::io::Errno;
use thiserror::Error;

use crate::backend::EndpointError;
use crate::resolve::ResolveError;

/// Why a target could not be connected to. The text is for the log, without the target's name.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// What the policy wants and what the back-end table says do not go together.
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    /// The name has no addresses.
    #[error("{0}")]
    Unresolvable(#[from] ResolveError),
    /// The policy may name the host, but none of the addresses behind the name.
    #[error("the policy's `targets` do not allow its {}", Addresses(.0))]
    NotAllowed(Vec<IpAddr>),
    /// It is Waypost itself.
    #[error("{0} is one of Waypost's own listeners; the session would come back to itself")]
    OwnListener(SocketAddr),
    /// Every address was found down before, and nobody was to try again.
    #[error("every address is down; a probe watches it")]
    AllDown,
    /// Every address that was tried failed. Never empty; without those that were skipped.
    #[error("{}", Attempts(.0))]
    Failed(Vec<Attempt>),
}

/// One address that was tried.
#[derive(Debug)]
pub struct Attempt {
    /// Where.
    pub address: SocketAddr,
    /// What came of it.
    pub failure: Failure,
}

/// What came of trying one address.
#[derive(Debug, Error)]
pub enum Failure {
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// No answer within the connect timeout.
    #[error("no answer in time")]
    Timeout,
    /// No answer within what was left of the login's own time.
    #[error("no time left for an answer")]
    Deadline,
    /// The network, or the host at once after connecting.
    #[error("{0}")]
    Unreachable(io::Error),
    /// This machine: no descriptor, no port, no route, a firewall of its own.
    #[error("{0} (on this machine)")]
    Local(io::Error),
}

impl ConnectError {
    /// Whether target health knows of all that went wrong, and has said so.
    pub fn is_watched(&self) -> bool {
        match self {
            Self::AllDown => true,
            Self::Failed(attempts) => attempts.iter().all(|it| it.failure.lies_with_the_target()),
            _ => false,
        }
    }

    /// The name in logs and metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Endpoint(EndpointError::TooWeak { .. }) => "too-weak",
            Self::Endpoint(EndpointError::NoTls(_)) => "no-tls",
            Self::Unresolvable(_) => "unresolvable",
            Self::NotAllowed(_) => "not-allowed",
            Self::OwnListener(_) => "own-listener",
            Self::AllDown => "down",
            Self::Failed(attempts) => {
                attempts.last().map_or("down", |attempt| attempt.failure.label())
            }
        }
    }
}

impl Failure {
    /// The name in logs and metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Timeout | Self::Deadline => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::Local(_) => "local",
        }
    }

    /// Whether the next login would fare no better. What is wrong on this machine says nothing of
    /// the target.
    pub(super) const fn lies_with_the_target(&self) -> bool {
        matches!(self, Self::Refused | Self::Timeout | Self::Unreachable(_))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(Errno::CONNREFUSED) => Self::Refused,
            Some(Errno::TIMEDOUT) => Self::Timeout,
            // NETUNREACH is not among them: this machine has no route, such as one without IPv6. It
            // says so at once, which costs nobody anything.
            Some(
                Errno::HOSTUNREACH
                | Errno::HOSTDOWN
                | Errno::CONNRESET
                | Errno::CONNABORTED
                | Errno::PIPE,
            ) => Self::Unreachable(error),
            _ => Self::Local(error),
        }
    }
}

/// `address 10.0.0.1` or `addresses 10.0.0.1, 10.0.0.2`.
struct Addresses<'a>(&'a [IpAddr]);

impl fmt::Display for Addresses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.len() == 1 { "address" } else { "addresses" })?;
        for (at, address) in self.0.iter().enumerate() {
            write!(f, "{} {address}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// `10.0.0.1:143: connection refused; 10.0.0.2:143: no answer in time`.
struct Attempts<'a>(&'a [Attempt]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Attempt { address, failure }) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{address}: {failure}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use rustix::io::Errno;

    use super::{Attempt, ConnectError, Failure};

    #[test]
    fn what_is_wrong_here_is_not_held_against_the_target() {
        for errno in [Errno::MFILE, Errno::ADDRNOTAVAIL, Errno::NETUNREACH, Errno::ACCESS] {
            let failure = Failure::from(io::Error::from(errno));
            assert!(!failure.lies_with_the_target(), "{failure}");
        }
        for errno in [Errno::CONNREFUSED, Errno::TIMEDOUT, Errno::HOSTUNREACH, Errno::CONNRESET] {
            let failure = Failure::from(io::Error::from(errno));
            assert!(failure.lies_with_the_target(), "{failure}");
        }
    }

    #[test]
    fn the_text_names_every_address_that_was_tried() {
        let attempt =
            |address: &str, failure| Attempt { address: address.parse().unwrap(), failure };
        let error = ConnectError::Failed(vec![
            attempt("10.0.0.1:143", Failure::Refused),
            attempt("[::1]:143", Failure::Timeout),
        ]);
        let text = "10.0.0.1:143: connection refused; [::1]:143: no answer in time";
        assert_eq!((error.to_string().as_str(), error.label()), (text, "timeout"));
        let error = ConnectError::NotAllowed(vec!["10.0.0.1".parse().unwrap()]);
        assert_eq!(error.to_string(), "the policy's `targets` do not allow its address 10.0.0.1");
    }
}

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU16;
use std::str::FromStr;

use thiserror::Error;

use crate::Domain;

/// How a leg is protected, from weakest to strongest demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encryption {
    /// Clear text.
    None,
    /// Clear text upgraded by STARTTLS or STLS before anything else; never optional.
    Starttls,
    /// TLS from the first byte (RFC 8314 section 3).
    Implicit,
}

impl Encryption {
    /// The name in configuration and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Starttls => "starttls",
            Self::Implicit => "implicit",
        }
    }
}

/// Where a target is: a name to resolve or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A host name.
    Name(Domain),
    /// An address literal. IPv4-mapped IPv6 addresses are IPv4 addresses here.
    Address(IpAddr),
}

/// Why some text names no host.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum HostError {
    /// Neither a host name nor an address.
    #[error("this is neither a host name nor an address")]
    Host,
    /// What stands behind the colon.
    #[error("this is not a port: 1 to 65535 is")]
    Port,
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(inside) = bracketed {
            let address: Ipv6Addr = inside.parse().map_err(|_| HostError::Host)?;
            return Ok(Self::Address(IpAddr::V6(address).to_canonical()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Address(address.to_canonical()));
        }
        let name = Domain::new(text).map_err(|_| HostError::Host)?;
        // What ends in a number is a mistyped address, not a name (WHATWG URL, ends-in-a-number).
        if name.labels().last().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit())) {
            return Err(HostError::Host);
        }
        Ok(Self::Name(name))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// A host with an optional port: `host`, `host:port`, `v6`, `[v6]`, `[v6]:port`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// The host.
    pub host: Host,
    /// The port, where one is written.
    pub port: Option<NonZeroU16>,
}

impl FromStr for HostPort {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let (host, port) = match text.rsplit_once(':') {
            // More than one colon outside brackets: an IPv6 address without port.
            Some((host, _)) if host.contains(':') && !host.ends_with(']') => (text, None),
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let port = match port {
            None => None,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits.parse().map_err(|_| HostError::Port)?)
            }
            Some(_) => return Err(HostError::Port),
        };
        Ok(Self { host: host.parse()?, port })
    }
}

/// One place to try.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Where.
    pub host: Host,
    /// `None` takes the protocol's port from the back-end table.
    pub port: Option<NonZeroU16>,
    /// May strengthen what the back-end table demands, never weaken it.
    pub encryption: Option<Encryption>,
    /// The name to expect in the certificate, where `host` is not it.
    pub tls_name: Option<Domain>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.port) {
            (Host::Address(IpAddr::V6(address)), Some(port)) => write!(f, "[{address}]:{port}"),
            (host, Some(port)) => write!(f, "{host}:{port}"),
            (host, None) => host.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Host, HostError, HostPort};

    #[track_caller]
    fn parsed(text: &str) -> (String, Option<u16>) {
        let parsed: HostPort = text.parse().unwrap();
        (parsed.host.to_string(), parsed.port.map(Into::into))
    }

    #[test]
    fn every_form_of_host_and_port() {
        assert_eq!(parsed("Mail.Example.test"), ("mail.example.test".into(), None));
        assert_eq!(parsed("mail:143"), ("mail".into(), Some(143)));
        assert_eq!(parsed("10.0.0.1:143"), ("10.0.0.1".into(), Some(143)));
        assert_eq!(parsed("::1"), ("::1".into(), None));
        assert_eq!(parsed("[::1]"), ("::1".into(), None));
        assert_eq!(parsed("[::1]:993"), ("::1".into(), Some(993)));
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        assert_eq!(parsed("::ffff:127.0.0.1"), ("127.0.0.1".into(), None));
    }

    #[test]
    fn what_names_no_host_is_refused() {
        for text in ["", "a b", "10.0.0.256", "10.0.0", "[10.0.0.1]", "[::1", "a@b", "-", "1"] {
            assert_eq!(text.parse::<Host>(), Err(HostError::Host), "{text:?}");
        }
        for text in ["a:0", "a:65536", "a:", "a:+1", "a:1x", "[::1]:"] {
            assert_eq!(text.parse::<HostPort>(), Err(HostError::Port), "{text:?}");
        }
    }
}

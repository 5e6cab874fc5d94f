use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use crate::{Target, text};

/// The most targets that a route may name.
pub const MAX_TARGETS: usize = 16;

/// A host with an optional port: `host`, `host:port`, `v4`, `v4:port`, `v6`, `[v6]`, `[v6]:port`.
///
/// Names are kept in lower case without a trailing dot, addresses in their shortest form, so that
/// two spellings of one host are equal.
///
/// ```
/// use waypost_sdk::HostPort;
///
/// let host: HostPort = "MAIL1.example.test.:143".parse().unwrap();
/// assert_eq!(host.to_string(), "mail1.example.test:143");
/// assert_eq!((host.host(), host.port()), ("mail1.example.test", Some(143)));
/// assert!("mail1.example.test:0".parse::<HostPort>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    host: String,
    port: Option<NonZeroU16>,
}

/// Why some text names no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostError {
    /// Nothing stands where a host should.
    Empty,
    /// Neither a host name nor an address.
    Host,
    /// A name outside ASCII.
    NotAscii,
    /// What stands behind the colon.
    Port,
    /// More than [`MAX_TARGETS`] hosts in a list.
    TooMany,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a host name or an address is missing"),
            Self::Host => f.write_str("this is neither a host name nor an address"),
            Self::NotAscii => f.write_str("an international host name is written in its xn-- form"),
            Self::Port => f.write_str("this is not a port: 1 to 65535 is"),
            Self::TooMany => write!(f, "more than {MAX_TARGETS} hosts"),
        }
    }
}

impl HostPort {
    /// The name, in lower case, or the address, an IPv6 one without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, where one is given.
    pub fn port(&self) -> Option<u16> {
        self.port.map(Into::into)
    }

    /// The target that this is, with nothing demanded beyond what the operator does.
    pub fn target(&self) -> Target {
        Target {
            host: self.host.clone(),
            port: self.port.map(Into::into),
            encryption: None,
            tls_name: None,
            hints: Vec::new(),
        }
    }
}

impl FromStr for HostPort {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let text = text.trim_matches(' ');
        if text.is_empty() {
            return Err(HostError::Empty);
        }
        if let Some(bracketed) = text.strip_prefix('[') {
            let (inside, port) = bracketed.split_once(']').ok_or(HostError::Host)?;
            let port = match port.strip_prefix(':') {
                Some(digits) => Some(parse_port(digits)?),
                None if port.is_empty() => None,
                None => return Err(HostError::Host),
            };
            return Ok(Self { host: parse_v6(inside)?, port });
        }
        match text.split_once(':') {
            None => Ok(Self { host: parse_host(text)?, port: None }),
            // More than one colon outside brackets is an IPv6 address without a port.
            Some((_, rest)) if rest.contains(':') => Ok(Self { host: parse_v6(text)?, port: None }),
            Some((host, port)) => {
                Ok(Self { host: parse_host(host)?, port: Some(parse_port(port)?) })
            }
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

impl<'de> Deserialize<'de> for HostPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "a host, such as \"mail1.example.test:143\",", |text| {
            text.parse().map_err(|error| format!("{text:?}: {error}"))
        })
    }
}

/// An ordered list of hosts; never empty, none twice, at most [`MAX_TARGETS`].
///
/// As text it is separated by commas; in settings it is a list of strings or such a text.
///
/// ```
/// use waypost_sdk::HostList;
///
/// let hosts: HostList = "mail1, [2001:db8::1]:143, MAIL1".parse().unwrap();
/// assert_eq!(hosts.to_string(), "mail1,[2001:db8::1]:143");
/// assert_eq!(hosts.targets()[1].port, Some(143));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostList(Vec<HostPort>);

impl HostList {
    /// A list of these, in their order.
    pub fn new(hosts: Vec<HostPort>) -> Result<Self, HostError> {
        Self::collect(hosts.into_iter().map(Ok))
    }

    /// The hosts, in their order.
    pub fn hosts(&self) -> &[HostPort] {
        &self.0
    }

    /// The hosts as targets, in their order.
    pub fn targets(&self) -> Vec<Target> {
        self.0.iter().map(HostPort::target).collect()
    }

    fn collect(
        hosts: impl Iterator<Item = Result<HostPort, HostError>>,
    ) -> Result<Self, HostError> {
        let mut list = Vec::new();
        for host in hosts {
            let host = host?;
            if list.contains(&host) {
                continue;
            }
            if list.len() == MAX_TARGETS {
                return Err(HostError::TooMany);
            }
            list.push(host);
        }
        if list.is_empty() {
            return Err(HostError::Empty);
        }
        Ok(Self(list))
    }
}

impl FromStr for HostList {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        Self::collect(text.split(',').map(str::parse))
    }
}

impl fmt::Display for HostList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, host) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            host.fmt(f)?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for HostList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Hosts)
    }
}

/// Takes a list or a text.
struct Hosts;

impl<'de> Visitor<'de> for Hosts {
    type Value = HostList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of hosts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<HostList, E> {
        text.parse().map_err(|error| E::custom(format!("{text:?}: {error}")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<HostList, A::Error> {
        let mut hosts = Vec::new();
        while let Some(host) = items.next_element()? {
            hosts.push(host);
        }
        HostList::new(hosts).map_err(A::Error::custom)
    }
}

fn parse_port(digits: &str) -> Result<NonZeroU16, HostError> {
    // `parse` alone would take a sign.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(HostError::Port);
    }
    digits.parse().map_err(|_| HostError::Port)
}

fn parse_v6(text: &str) -> Result<String, HostError> {
    let address: Ipv6Addr = text.parse().map_err(|_| HostError::Host)?;
    Ok(IpAddr::V6(address).to_canonical().to_string())
}

/// A name or an IPv4 address. What ends in a number is an address or a mistyped one, never a name
/// (as the WHATWG URL standard has it).
fn parse_host(text: &str) -> Result<String, HostError> {
    if !text.is_ascii() {
        return Err(HostError::NotAscii);
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(inside)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err(HostError::Host);
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        let address: IpAddr = text.parse().map_err(|_| HostError::Host)?;
        return Ok(address.to_string());
    }
    Ok(name.to_ascii_lowercase())
}

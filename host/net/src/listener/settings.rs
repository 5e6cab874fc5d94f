use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use waypost_model::{Domain, Encryption, Protocol};

use crate::networks::Networks;

/// A listener as configured: `[listener.NAME]`.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// The name in the configuration.
    pub name: Arc<str>,
    /// What is spoken with the clients.
    pub protocol: Protocol,
    /// Where. `[::]:993` serves IPv4 clients too, unless an IPv4 address is bound to the same port.
    pub bind: Vec<SocketAddr>,
    /// TLS from the first byte, by STARTTLS, or not at all.
    pub tls: Encryption,
    /// Added to a login name without domain. Default: none, such a name is unknown.
    pub default_domain: Option<Domain>,
    /// Peers that begin each connection with a PROXY header, and must. Default: nobody.
    pub proxy_protocol_from: Networks,
    /// How long such a peer may take for its header. Default: 5 seconds.
    pub proxy_header_timeout: Duration,
    /// Who may connect; empty is everybody. Default: everybody.
    pub allow: Networks,
    /// Who may not, even if `allow` holds them. Default: nobody.
    pub deny: Networks,
    /// Clients that are not counted for themselves nor for their users: webmail hosts, NATs.
    /// They count for `max_connections`. Default: nobody.
    pub exempt_networks: Networks,
    /// Connections at once. Default: as many as the process's descriptors carry.
    pub max_connections: Option<u32>,
    /// Connections at once from one IPv4 address or one IPv6 /64; `None` is no limit. Default: 100.
    pub max_connections_per_address: Option<u32>,
    /// Sessions at once of one user, those on other listeners included; `None` is no limit.
    /// Default: 50.
    pub max_connections_per_user: Option<u32>,
    /// Connections that the kernel holds until they are accepted; the kernel's own limit
    /// (`net.core.somaxconn`) stands above it. Default: 4096.
    pub backlog: i32,
}

impl ListenerSettings {
    /// A listener with the defaults, which is bound nowhere yet.
    pub fn new(name: &str, protocol: Protocol, tls: Encryption) -> Self {
        Self {
            name: name.into(),
            protocol,
            bind: Vec::new(),
            tls,
            default_domain: None,
            proxy_protocol_from: Networks::default(),
            proxy_header_timeout: Duration::from_secs(5),
            allow: Networks::default(),
            deny: Networks::default(),
            exempt_networks: Networks::default(),
            max_connections: None,
            max_connections_per_address: Some(100),
            max_connections_per_user: Some(50),
            backlog: 4096,
        }
    }

    /// Whether a client at `address` may connect.
    pub fn admits(&self, address: IpAddr) -> bool {
        !self.deny.contains(address) && (self.allow.is_empty() || self.allow.contains(address))
    }

    /// Whether a client at `address` is counted for itself and for its users.
    pub fn counts(&self, address: IpAddr) -> bool {
        !self.exempt_networks.contains(address)
    }
}

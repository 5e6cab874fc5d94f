//! Which addresses are Waypost's own: a target that is one of them would be a session that chases
//! itself until the descriptors run out.

use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Every address that this process listens on.
#[derive(Clone, Debug, Default)]
pub struct OwnListeners(Vec<Own>);

#[derive(Clone, Copy, Debug)]
struct Own {
    address: SocketAddr,
    /// An IPv6 socket that takes no IPv4 client.
    only_v6: bool,
}

impl OwnListeners {
    /// Notes a listening socket.
    pub fn add(&mut self, address: SocketAddr, only_v6: bool) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        self.0.push(Own { address, only_v6 });
    }

    /// Every address, as it is bound.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().map(|own| own.address)
    }

    /// Whether a connection to `address` would end at one of them. A wildcard address stands for
    /// every address of this machine, which costs a look at the routing table, but only where the
    /// port is one of ours.
    ///
    /// A way back that leads over another machine, such as a balancer in front, does not show here.
    pub fn contains(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        self.0
            .iter()
            .filter(|own| own.address.port() == address.port())
            .any(|own| own.address.ip() == ip || own.is_wildcard_for(ip) && is_local(ip))
    }
}

impl Own {
    fn is_wildcard_for(self, ip: IpAddr) -> bool {
        self.address.ip().is_unspecified()
            && match self.address.ip() {
                IpAddr::V4(_) => ip.is_ipv4(),
                IpAddr::V6(_) => ip.is_ipv6() || !self.only_v6,
            }
    }
}

/// Whether the address is this machine's. The kernel answers a destination of its own with that
/// very address as the source; a datagram socket asks it without sending anything. (Trying to bind
/// the address would say yes to everything where `ip_nonlocal_bind` is on, as on machines that
/// share a floating address.)
fn is_local(ip: IpAddr) -> bool {
    if ip.is_loopback() {
        return true;
    }
    let any: SocketAddr = match ip {
        IpAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        IpAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let source = || {
        let socket = UdpSocket::bind(any)?;
        // The port does not matter: nothing is sent.
        socket.connect((ip, 9))?;
        socket.local_addr()
    };
    source().is_ok_and(|source: SocketAddr| source.ip().to_canonical() == ip)
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, UdpSocket};

    use super::OwnListeners;

    fn own(bound: &[(&str, bool)]) -> OwnListeners {
        let mut own = OwnListeners::default();
        bound.iter().for_each(|(address, only_v6)| own.add(address.parse().unwrap(), *only_v6));
        own
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_exact_address_is_itself_only() {
        let own = own(&[("127.0.0.1:1143", false), ("[::1]:1143", false)]);
        assert!(own.contains(address("127.0.0.1:1143")));
        assert!(own.contains(address("[::ffff:127.0.0.1]:1143")));
        assert!(own.contains(address("[::1]:1143")));
        assert!(!own.contains(address("127.0.0.1:1144")));
        assert!(!own.contains(address("127.0.0.2:1143")));
    }

    #[test]
    fn a_wildcard_is_every_address_of_this_machine() {
        let v4 = own(&[("0.0.0.0:1143", false)]);
        assert!(v4.contains(address("127.0.0.1:1143")));
        assert!(v4.contains(address("127.8.9.10:1143")));
        assert!(!v4.contains(address("[::1]:1143")));
        // TEST-NET-3 (RFC 5737): no machine has it.
        assert!(!v4.contains(address("203.0.113.1:1143")));

        let both = own(&[("[::]:1143", false)]);
        assert!(both.contains(address("127.0.0.1:1143")));
        assert!(both.contains(address("[::1]:1143")));

        let v6 = own(&[("[::]:1143", true)]);
        assert!(!v6.contains(address("127.0.0.1:1143")));
        assert!(v6.contains(address("[::1]:1143")));
    }

    #[test]
    fn an_address_of_another_interface_is_found() {
        // Whatever address this machine would use to reach the world, if it can at all.
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        if socket.connect("203.0.113.1:9").is_ok() {
            let mut address = socket.local_addr().unwrap();
            address.set_port(1143);
            assert!(own(&[("0.0.0.0:1143", false)]).contains(address));
            assert!(own(&[("[::]:1143", false)]).contains(address));
        }
    }
}

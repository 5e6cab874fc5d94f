use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Mutex;

/// Below the range that the kernel takes ports for outgoing connections from, so that nobody gets
/// a port between the moment in which it is found free and that in which its server binds it.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

static GIVEN: Mutex<Option<(u16, HashSet<u16>)>> = Mutex::new(None);

/// A port that is free on 127.0.0.1, and given to nobody else by this process.
pub(crate) fn free_port() -> u16 {
    free_port_on(&[IpAddr::V4(Ipv4Addr::LOCALHOST)])
}

/// A port that is free on every one of `addresses`, and given to nobody else by this process.
pub(crate) fn free_port_on(addresses: &[IpAddr]) -> u16 {
    let mut given = GIVEN.lock().unwrap();
    // Two runs at once start in different places.
    let (next, taken) = given.get_or_insert_with(|| {
        let spread = (std::process::id() % 100) as u16 * 100;
        (PORTS.start + spread, HashSet::new())
    });
    for _ in PORTS {
        let port = *next;
        *next = if port + 1 == PORTS.end { PORTS.start } else { port + 1 };
        let free = |ip: &IpAddr| TcpListener::bind(SocketAddr::new(*ip, port)).is_ok();
        if !taken.contains(&port) && addresses.iter().all(free) {
            taken.insert(port);
            return port;
        }
    }
    panic!("no port is free");
}

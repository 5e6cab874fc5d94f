#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use crate::support::{in_child, listen, settings, soon};

/// How many connections are accepted before the descriptors are used up.
const ROOM: usize = 2;

#[test]
fn a_listener_survives_the_want_of_descriptors() {
    in_child("starvation::a_listener_survives_the_want_of_descriptors", || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(starve());
    });
}

async fn starve() {
    let (listener, address, _) = listen(settings("imap", &["127.0.0.1:0"]));
    let sockets: Vec<TcpSocket> = (0..ROOM + 2).map(|_| TcpSocket::new_v4().unwrap()).collect();
    let next = File::open("/dev/null").unwrap().as_raw_fd();
    let limit = u64::try_from(next).unwrap() + u64::try_from(ROOM).unwrap();
    setrlimit(Resource::Nofile, Rlimit { current: Some(limit), maximum: Some(limit) }).unwrap();

    let mut clients = Vec::new();
    for socket in sockets {
        clients.push(socket.connect(address).await.unwrap());
    }
    let mut accepted = Vec::new();
    for _ in 0..ROOM {
        accepted.push(soon(listener.accept()).await);
    }
    // The third waits, and the same call returns it once there is room: nothing gives up.
    let mut waiting = Box::pin(listener.accept());
    let starved = timeout(Duration::from_millis(700), &mut waiting).await;
    assert!(starved.is_err(), "there was to be no descriptor left");
    assert!(File::open("/dev/null").is_err(), "there was to be no descriptor left");
    accepted.remove(0);
    accepted.push(soon(waiting).await);
    accepted.remove(0);
    accepted.push(soon(listener.accept()).await);
    let peers: Vec<_> = accepted.iter().map(|accepted| accepted.peer()).collect();
    let last: Vec<_> = clients.iter().skip(2).map(|c| c.local_addr().unwrap()).collect();
    assert_eq!(peers, last);
}

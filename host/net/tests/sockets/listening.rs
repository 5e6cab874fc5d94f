use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use socket2::SockRef;
use tokio::net::TcpStream;
use waypost_net::listener::{BindError, Listener};

use crate::support::{address, bind_for, listen, settings, soon, until};

#[tokio::test]
async fn every_worker_accepts_on_its_own_socket_of_one_port() {
    const CONNECTIONS: usize = 64;
    let bound = bind_for(3, [settings("imap", &["127.0.0.1:0"])]).unwrap();
    let address = bound.workers[0][0].address();
    assert_ne!(address.port(), 0);
    let accepted: Vec<Arc<AtomicUsize>> = (0..3).map(|_| Arc::default()).collect();
    for (sockets, accepted) in bound.workers.into_iter().zip(accepted.clone()) {
        let [socket] = <[_; 1]>::try_from(sockets).unwrap();
        assert_eq!(socket.address(), address);
        // As in the program: a thread with a runtime of its own. It ends with the process.
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = Listener::new(socket).unwrap();
                loop {
                    listener.accept().await;
                    accepted.fetch_add(1, Ordering::SeqCst);
                }
            });
        });
    }
    for _ in 0..CONNECTIONS {
        TcpStream::connect(address).await.unwrap();
    }
    let counts = || accepted.iter().map(|count| count.load(Ordering::SeqCst)).collect::<Vec<_>>();
    until(|| counts().iter().sum::<usize>() == CONNECTIONS).await;
    assert!(counts().iter().all(|count| *count > 0), "{:?}", counts());
}

#[tokio::test]
async fn what_is_accepted_names_both_ends_and_is_tuned() {
    let (listener, address, limits) = listen(settings("imap", &["127.0.0.1:0"]));
    let client = TcpStream::connect(address).await.unwrap();
    let accepted = soon(listener.accept()).await;
    assert_eq!(accepted.peer(), client.local_addr().unwrap());
    let connection = accepted.admit().await.unwrap();
    assert_eq!(connection.client, client.local_addr().unwrap());
    assert_eq!(connection.local, address);
    assert_eq!(connection.settings().name.as_ref(), "imap");
    assert_eq!(limits.connections(), 1);

    let socket = SockRef::from(&connection.stream);
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    assert!(socket.tcp_keepalive_time().unwrap() < Duration::from_secs(300));
    drop(connection);
    assert_eq!(limits.connections(), 0);
}

#[tokio::test]
async fn a_wildcard_of_ipv6_serves_ipv4_clients_as_ipv4() {
    let (listener, address, _) = listen(settings("imap", &["[::]:0"]));
    for literal in ["127.0.0.1", "::1"] {
        let target = SocketAddr::new(literal.parse().unwrap(), address.port());
        let client = TcpStream::connect(target).await.unwrap();
        let connection = soon(listener.accept()).await.admit().await.unwrap();
        assert_eq!(connection.client, client.local_addr().unwrap());
        assert_eq!(connection.local, target);
    }
}

#[test]
fn both_wildcards_of_one_port_go_together() {
    // The port is free a moment before; another process may take it, so a few are tried.
    let bound = (0..10).find_map(|_| {
        let port = StdListener::bind("[::]:0").unwrap().local_addr().unwrap().port();
        let (v4, v6) = (format!("0.0.0.0:{port}"), format!("[::]:{port}"));
        bind_for(2, [settings("imap", &[&v6, &v4])]).ok()
    });
    let bound = bound.unwrap();
    assert_eq!(bound.workers[1].len(), 2);
    let v6 = bound.workers[0].iter().find(|socket| socket.address().is_ipv6()).unwrap();
    let v4_of_it = SocketAddr::new([127, 0, 0, 1].into(), v6.address().port());
    assert!(bound.own.contains(v6.address()) && bound.own.contains(v4_of_it));
}

#[test]
fn an_address_in_use_is_an_error_that_says_so() {
    let other = StdListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let error = bind_for(2, [settings("imaps", &[&address])]).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("listener `imaps` cannot listen on {address}: ")),
        "{error}"
    );
    assert!(error.contains("in use") && error.contains("ss -ltnp"), "{error}");
}

#[test]
fn a_second_waypost_does_not_share_the_port() {
    let first = bind_for(2, [settings("imap", &["127.0.0.1:0"])]).unwrap();
    let address = first.workers[0][0].address().to_string();
    let error = bind_for(2, [settings("imap", &[&address])]).unwrap_err().to_string();
    assert!(error.contains("in use"), "{error}");
    drop(first);
    bind_for(2, [settings("imap", &[&address])]).unwrap();
}

#[test]
fn one_address_twice_is_an_error_that_names_both() {
    let listeners = [settings("a", &["127.0.0.1:1143"]), settings("b", &["127.0.0.1:1143"])];
    let error = bind_for(1, listeners).unwrap_err();
    assert!(matches!(error, BindError::Twice { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "listener `b` cannot listen on 127.0.0.1:1143: listener `a` does already"
    );
}

#[test]
fn an_address_that_nobody_here_has_is_an_error_that_says_so() {
    let error = bind_for(1, [settings("imap", &["203.0.113.1:0"])]).unwrap_err().to_string();
    assert!(error.contains("no interface of this machine has the address"), "{error}");
}

#[test]
fn no_address_is_an_error_with_an_example() {
    let error = bind_for(1, [settings("imap", &[])]).unwrap_err().to_string();
    assert!(error.contains("bind = [\"[::]:143\"]"), "{error}");
}

#[test]
fn every_reason_comes_with_what_to_do() {
    let text = |errno: Errno, at: &str| {
        let error = BindError::Address {
            listener: "imaps".into(),
            address: address(at),
            source: io::Error::from(errno),
        };
        error.to_string()
    };
    assert!(text(Errno::ACCESS, "0.0.0.0:993").contains("CAP_NET_BIND_SERVICE"));
    assert!(text(Errno::AFNOSUPPORT, "[::]:993").contains("bind 0.0.0.0:993"));
    assert!(text(Errno::MFILE, "0.0.0.0:993").contains("LimitNOFILE"));
}

#[test]
fn the_listeners_know_that_they_are_waypost_itself() {
    let bound = bind_for(1, [settings("a", &["127.0.0.1:0"]), settings("b", &["[::1]:0"])]);
    let bound = bound.unwrap();
    for socket in &bound.workers[0] {
        assert!(bound.own.contains(socket.address()));
    }
    assert_eq!(bound.own.addresses().count(), 2);
}

//! What becomes of an accepted connection: slots, PROXY header, networks.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use waypost_net::limits::{LimitReached, Limits};
use waypost_net::listener::{Connection, Listener, ListenerSettings, Refused, RefusedConnection};
use waypost_net::networks::Networks;
use waypost_net::proxy_header::{HeaderError, read};
use waypost_wire::proxy::{Header, Invalid, Ssl};

use crate::support::{PATIENCE, address, listen, settings, soon};

/// What the client says behind the header.
const COMMAND: &[u8] = b"a1 LOGIN user1 secret\r\n";

fn networks(list: &[&str]) -> Networks {
    list.iter().map(|text| text.parse().unwrap()).collect()
}

/// A listener that trusts loopback to say who the client is.
fn trusting() -> ListenerSettings {
    ListenerSettings {
        proxy_protocol_from: networks(&["127.0.0.0/8"]),
        proxy_header_timeout: Duration::from_millis(500),
        ..settings("imap", &["127.0.0.1:0"])
    }
}

fn header_from(source: &str) -> Header {
    Header::new(address(source), address("198.51.100.1:993"))
}

fn encoded(header: &Header) -> [Vec<u8>; 2] {
    let (mut v1, mut v2) = (Vec::new(), Vec::new());
    header.encode_v1(&mut v1);
    header.encode_v2(&mut v2);
    [v1, v2]
}

struct Door {
    listener: Listener,
    address: SocketAddr,
    limits: Arc<Limits>,
}

impl Door {
    fn new(settings: ListenerSettings) -> Self {
        let (listener, address, limits) = listen(settings);
        Self { listener, address, limits }
    }

    /// Connects, says `words` and asks to be admitted.
    async fn knock(&self, words: &[u8]) -> (TcpStream, Result<Connection, RefusedConnection>) {
        let mut client = TcpStream::connect(self.address).await.unwrap();
        client.write_all(words).await.unwrap();
        let accepted = soon(self.listener.accept()).await;
        (client, soon(accepted.admit()).await)
    }
}

/// The peer has closed, or will not take another byte.
async fn is_closed(mut stream: TcpStream) -> bool {
    matches!(soon(stream.read(&mut [0; 64])).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn a_header_cut_anywhere_is_read_to_its_end_and_not_further() {
    let ssl = Ssl { encrypted: true, version: Some("TLSv1.3".into()), ..Ssl::default() };
    let headers = [
        header_from("192.0.2.1:40000"),
        header_from("[2001:db8::1]:40000"),
        Header {
            ssl: Some(ssl),
            authority: Some("imap.test".into()),
            ..header_from("192.0.2.1:1")
        },
        Header::default(),
        Header { local: true, ..Header::default() },
    ];
    for header in &headers {
        for bytes in encoded(header) {
            let whole = [&bytes, COMMAND].concat();
            for cut in 0..=whole.len() {
                let (mut near, mut far) = tokio::io::duplex(4096);
                let (first, second) = whole.split_at(cut);
                let writing = async {
                    far.write_all(first).await.unwrap();
                    tokio::task::yield_now().await;
                    far.write_all(second).await.unwrap();
                    drop(far);
                };
                let deadline = Instant::now() + PATIENCE;
                let (read, ()) = tokio::join!(read(&mut near, deadline), writing);
                assert_eq!(read.unwrap().source, header.source, "cut at {cut}");
                let mut rest = Vec::new();
                near.read_to_end(&mut rest).await.unwrap();
                assert_eq!(rest, COMMAND, "cut at {cut}");
            }
        }
    }
}

#[tokio::test]
async fn a_header_that_ends_early_anywhere_is_an_error() {
    for bytes in encoded(&header_from("192.0.2.1:40000")) {
        for length in 0..bytes.len() {
            let (mut near, mut far) = tokio::io::duplex(4096);
            far.write_all(&bytes[..length]).await.unwrap();
            drop(far);
            let error = read(&mut near, Instant::now() + PATIENCE).await.unwrap_err();
            match length {
                0 => assert!(matches!(error, HeaderError::Probe), "{error}"),
                _ => assert!(matches!(error, HeaderError::Closed), "{length}: {error}"),
            }
        }
    }
}

#[tokio::test]
async fn a_header_byte_by_byte_over_a_socket_names_the_client() {
    for bytes in encoded(&header_from("192.0.2.1:40000")) {
        let door = Door::new(trusting());
        let mut client = TcpStream::connect(door.address).await.unwrap();
        client.set_nodelay(true).unwrap();
        let accepted = soon(door.listener.accept()).await;
        let dripping = async {
            for byte in bytes.iter().chain(COMMAND) {
                client.write_all(&[*byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let (connection, ()) = tokio::join!(accepted.admit(), dripping);
        let mut connection = connection.unwrap();
        assert_eq!(connection.client, address("192.0.2.1:40000"));
        assert_eq!(connection.local, address("198.51.100.1:993"));
        let mut said = vec![0; COMMAND.len()];
        soon(connection.stream.read_exact(&mut said)).await.unwrap();
        assert_eq!(said, COMMAND);
    }
}

#[tokio::test]
async fn a_trusted_peer_without_a_header_is_closed_at_once() {
    let door = Door::new(trusting());
    let (client, refused) = door.knock(COMMAND).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.reason, Refused::Header(Invalid::Signature));
    assert!(refused.stream.is_none(), "nothing is said to it");
    assert!(is_closed(client).await);
    assert_eq!(door.limits.connections(), 0);
}

#[tokio::test]
async fn a_trusted_peer_that_takes_its_time_is_closed() {
    let whole = encoded(&header_from("192.0.2.1:40000"))[0].clone();
    for words in [&b""[..], &whole[..whole.len() - 1]] {
        let door = Door::new(trusting());
        let (client, refused) = door.knock(words).await;
        assert_eq!(refused.unwrap_err().reason, Refused::HeaderTimeout);
        assert!(is_closed(client).await);
        assert_eq!(door.limits.connections(), 0);
    }
}

#[tokio::test]
async fn a_trusted_peer_that_hangs_up_is_let_go() {
    let door = Door::new(trusting());
    let client = TcpStream::connect(door.address).await.unwrap();
    let accepted = soon(door.listener.accept()).await;
    drop(client);
    assert_eq!(soon(accepted.admit()).await.unwrap_err().reason, Refused::HeaderEnded);
    assert_eq!(door.limits.connections(), 0);
}

#[tokio::test]
async fn a_header_without_a_client_leaves_the_sockets_own_addresses() {
    let door = Door::new(trusting());
    let local = Header { local: true, ..Header::default() };
    let forms = encoded(&local).into_iter().chain(encoded(&Header::default()));
    for bytes in forms {
        let (client, connection) = door.knock(&bytes).await;
        let connection = connection.unwrap();
        assert_eq!(connection.client, client.local_addr().unwrap());
        assert_eq!(connection.local, door.address);
        assert!(connection.header.is_some());
    }
}

#[tokio::test]
async fn what_the_proxy_knows_of_tls_comes_along() {
    let door = Door::new(trusting());
    let ssl = Ssl { encrypted: true, ..Ssl::default() };
    let header = Header { ssl: Some(ssl), ..header_from("192.0.2.1:40000") };
    let (_client, connection) = door.knock(&encoded(&header)[1]).await;
    let header = connection.unwrap().header.unwrap();
    assert!(header.ssl.is_some_and(|ssl| ssl.encrypted));
}

#[tokio::test]
async fn a_header_from_whoever_is_not_trusted_is_the_clients_own_rubbish() {
    let door = Door::new(ListenerSettings {
        proxy_protocol_from: networks(&["192.0.2.0/24"]),
        ..settings("imap", &["127.0.0.1:0"])
    });
    let words = encoded(&header_from("192.0.2.1:40000"))[0].clone();
    let (client, connection) = door.knock(&words).await;
    let mut connection = connection.unwrap();
    assert_eq!(connection.client, client.local_addr().unwrap());
    assert!(connection.header.is_none());
    let mut said = vec![0; words.len()];
    soon(connection.stream.read_exact(&mut said)).await.unwrap();
    assert_eq!(said, words);
}

#[tokio::test]
async fn the_limit_of_an_address_counts_the_client_and_not_the_proxy() {
    let door = Door::new(ListenerSettings { max_connections_per_address: Some(1), ..trusting() });
    let words = |source: &str| encoded(&header_from(source))[1].clone();
    let (_c1, first) = door.knock(&words("192.0.2.1:40000")).await;
    let first = first.unwrap();
    let (mut c2, second) = door.knock(&words("192.0.2.1:40001")).await;
    let second = second.unwrap_err();
    assert_eq!(second.reason, Refused::Limit(LimitReached::Address));
    assert_eq!(second.client, address("192.0.2.1:40001"));
    // Whoever is over a limit is told so, in the protocol's words.
    let mut stream = second.stream.unwrap();
    stream.write_all(b"* BYE\r\n").await.unwrap();
    drop(stream);
    let mut goodbye = String::new();
    soon(c2.read_to_string(&mut goodbye)).await.unwrap();
    assert_eq!(goodbye, "* BYE\r\n");

    let (_c3, third) = door.knock(&words("192.0.2.2:40000")).await;
    third.unwrap();
    drop(first);
    let (_c4, fourth) = door.knock(&words("192.0.2.1:40002")).await;
    fourth.unwrap();
    assert_eq!(door.limits.connections(), 0);
}

#[tokio::test]
async fn networks_are_asked_about_the_client_and_deny_wins() {
    let door = Door::new(ListenerSettings {
        allow: networks(&["192.0.2.0/24"]),
        deny: networks(&["192.0.2.128/25"]),
        ..trusting()
    });
    for (source, admitted) in [
        ("192.0.2.1:1", true),
        ("192.0.2.129:1", false),
        ("198.51.100.1:1", false),
        ("[2001:db8::1]:1", false),
    ] {
        let (client, result) = door.knock(&encoded(&header_from(source))[1]).await;
        match result {
            Ok(connection) => {
                assert!(admitted, "{source}");
                drop(connection);
            }
            Err(refused) => {
                assert!(!admitted, "{source}");
                assert_eq!(refused.reason, Refused::Denied);
                assert!(is_closed(client).await);
            }
        }
        assert_eq!(door.limits.connections(), 0);
    }
}

#[tokio::test]
async fn exempt_networks_count_for_the_listener_only() {
    let door = Door::new(ListenerSettings {
        exempt_networks: networks(&["127.0.0.0/8"]),
        max_connections: Some(3),
        max_connections_per_address: Some(1),
        max_connections_per_user: Some(1),
        ..settings("imap", &["127.0.0.1:0"])
    });
    let mut held = Vec::new();
    for _ in 0..3 {
        let (client, connection) = door.knock(b"").await;
        let (stream, mut slots) = connection.unwrap().split();
        slots.take_user("webmail@localdomain.test").unwrap();
        held.push((client, stream, slots));
    }
    let (_client, refused) = door.knock(b"").await;
    assert_eq!(refused.unwrap_err().reason, Refused::Limit(LimitReached::Listener));
    assert_eq!(door.limits.users(), 0);
    drop(held);
    assert_eq!(door.limits.connections(), 0);
}

#[tokio::test]
async fn a_user_holds_so_many_sessions_and_no_more() {
    let door = Door::new(ListenerSettings {
        max_connections_per_user: Some(1),
        ..settings("imap", &["127.0.0.1:0"])
    });
    let (_c1, first) = door.knock(b"").await;
    let (_c2, second) = door.knock(b"").await;
    let (_s1, mut first) = first.unwrap().split();
    let (_s2, mut second) = second.unwrap().split();
    first.take_user("user1@localdomain.test").unwrap();
    assert_eq!(second.take_user("user1@localdomain.test"), Err(LimitReached::User));
    second.take_user("user2@localdomain.test").unwrap();
    drop((first, second));
    assert_eq!((door.limits.connections(), door.limits.users()), (0, 0));
}

#[tokio::test]
async fn an_admission_that_is_given_up_gives_its_slot_back() {
    let door = Door::new(trusting());
    let _client = TcpStream::connect(door.address).await.unwrap();
    let accepted = soon(door.listener.accept()).await;
    let admission = tokio::spawn(accepted.admit());
    crate::support::until(|| door.limits.connections() == 1).await;
    admission.abort();
    assert!(admission.await.unwrap_err().is_cancelled());
    assert_eq!(door.limits.connections(), 0);
}

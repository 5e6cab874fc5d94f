//! TLS connections once they stand.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::io::ErrorKind;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use waypost_net::Stream;
use waypost_net::tls::MinimumVersion;

use crate::peer::{self, TLS12, TLS13};
use crate::support::{Authority, host, pattern, read_to_end, soon, tcp_pair, tls_pair};

/// Waypost's end, accepted, and the client's, by another implementation.
async fn accepted(version: peer::Version) -> (Stream, tokio_rustls::client::TlsStream<TcpStream>) {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["a.test"]);
    let config = Arc::new(peer::client_config(&authority, version));
    let (near, far) = tcp_pair().await;
    let (client, server) =
        tokio::join!(peer::connect(&config, "a.test", near), acceptor.accept(far, soon()));
    (server.unwrap().into(), client.unwrap())
}

/// Waypost's end, connected, and the server's, by another implementation.
async fn connected(version: peer::Version) -> (Stream, tokio_rustls::server::TlsStream<TcpStream>) {
    let authority = Authority::new();
    let connector = authority.connector(MinimumVersion::Tls12);
    let config = Arc::new(peer::server_config(&authority, version));
    let (near, far) = tcp_pair().await;
    let name = host("a.test");
    let (client, server) =
        tokio::join!(connector.connect(near, &name, soon()), peer::accept(&config, far));
    (client.unwrap().into(), server.unwrap())
}

#[tokio::test]
async fn bytes_pass_both_ways_and_each_way_closes_by_itself() {
    let (mut client, mut server) = tls_pair().await;
    let bytes = pattern(300_000);
    let up = async {
        client.write_all(&bytes).await.unwrap();
        client.shutdown().await.unwrap();
        read_to_end(&mut client).await.unwrap()
    };
    let down = async {
        let received = read_to_end(&mut server).await.unwrap();
        server.write_all(&received).await.unwrap();
        server.shutdown().await.unwrap();
    };
    let (echoed, ()) = tokio::join!(up, down);
    assert!(echoed == bytes);
}

#[tokio::test]
async fn both_versions_are_spoken_on_both_legs() {
    for (version, name) in [(TLS12, "TLSv1.2"), (TLS13, "TLSv1.3")] {
        let (server, client) = accepted(version).await;
        assert_eq!(server.tls().unwrap().version(), name);
        assert!(server.tls().unwrap().cipher_suite().is_some());
        echoes(server, client).await;
        let (client, server) = connected(version).await;
        assert_eq!(client.tls().unwrap().version(), name);
        echoes(client, server).await;
    }
}

/// Sends bytes there and back, with an end in either direction.
async fn echoes(mut ours: Stream, mut theirs: impl AsyncReadExt + AsyncWriteExt + Unpin) {
    let bytes = pattern(200_000);
    let echo = async {
        let mut received = Vec::new();
        theirs.read_to_end(&mut received).await.unwrap();
        theirs.write_all(&received).await.unwrap();
        theirs.shutdown().await.unwrap();
    };
    let talk = async {
        ours.write_all(&bytes).await.unwrap();
        ours.shutdown().await.unwrap();
        read_to_end(&mut ours).await.unwrap()
    };
    let ((), echoed) = tokio::join!(echo, talk);
    assert!(echoed == bytes);
}

#[tokio::test]
async fn a_reader_may_take_as_little_as_it_likes() {
    let (mut ours, mut theirs) = accepted(TLS13).await;
    let bytes = pattern(100_000);
    theirs.write_all(&bytes).await.unwrap();
    theirs.shutdown().await.unwrap();
    let mut received = Vec::new();
    let mut size = 1;
    loop {
        let mut buffer = vec![0; size];
        match ours.read(&mut buffer).await.unwrap() {
            0 => break,
            count => received.extend_from_slice(&buffer[..count]),
        }
        size = size % 977 + 1;
    }
    assert!(received == bytes);
}

#[tokio::test]
async fn keys_are_updated_whenever_the_peer_likes() {
    let (mut ours, mut theirs) = accepted(TLS13).await;
    let mut buffer = [0; 100];
    for _ in 0..50 {
        theirs.get_mut().1.refresh_traffic_keys().unwrap();
        theirs.write_all(b"ping").await.unwrap();
        let count = ours.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..count], b"ping");
        ours.write_all(b"pong").await.unwrap();
        theirs.read_exact(&mut buffer[..4]).await.unwrap();
        assert_eq!(&buffer[..4], b"pong");
    }
    let (mut ours, mut theirs) = connected(TLS13).await;
    for _ in 0..50 {
        theirs.get_mut().1.refresh_traffic_keys().unwrap();
        theirs.write_all(b"ping").await.unwrap();
        let count = ours.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..count], b"ping");
        ours.write_all(b"pong").await.unwrap();
        theirs.read_exact(&mut buffer[..4]).await.unwrap();
    }
}

#[tokio::test]
async fn an_end_without_close_notify_is_an_error() {
    for version in [TLS12, TLS13] {
        let (mut ours, mut theirs) = accepted(version).await;
        ours.write_all(b"x").await.unwrap();
        theirs.read_exact(&mut [0]).await.unwrap();
        theirs.write_all(b"all my mo").await.unwrap();
        theirs.into_inner().0.shutdown().await.unwrap();
        let mut buffer = [0; 100];
        assert_eq!(ours.read(&mut buffer).await.unwrap(), 9);
        for _ in 0..2 {
            let error = ours.read(&mut buffer).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        }
    }
}

#[tokio::test]
async fn what_follows_close_notify_is_ignored() {
    for version in [TLS12, TLS13] {
        let (mut ours, mut theirs) = accepted(version).await;
        theirs.write_all(b"bye").await.unwrap();
        theirs.get_mut().1.send_close_notify();
        theirs.flush().await.unwrap();
        let (tcp, _) = theirs.get_mut();
        tcp.write_all(&[22, 3, 3, 0, 4, 1, 0, 0, 0]).await.unwrap();
        tcp.write_all(&pattern(1_000)).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        assert_eq!(read_to_end(&mut ours).await.unwrap(), b"bye");
        // The other direction is still open.
        ours.write_all(b"and thanks").await.unwrap();
        ours.shutdown().await.unwrap();
        let mut received = Vec::new();
        theirs.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"and thanks");
    }
}

/// A record that was tampered with ends the connection; the peer is told by an alert.
#[tokio::test]
async fn a_forged_record_is_refused_and_the_peer_is_told() {
    for version in [TLS12, TLS13] {
        let (mut ours, mut theirs) = accepted(version).await;
        ours.write_all(b"x").await.unwrap();
        theirs.read_exact(&mut [0]).await.unwrap();
        theirs.write_all(b"genuine").await.unwrap();
        theirs.get_mut().0.write_all(&[23, 3, 3, 0, 20]).await.unwrap();
        theirs.get_mut().0.write_all(&[7; 20]).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let mut buffer = [0; 100];
        let count = ours.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..count], b"genuine");
        for _ in 0..2 {
            let error = ours.read(&mut [0; 10]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
        }
        assert!(ours.write_all(b"x").await.is_err());
        let told = theirs.read(&mut [0; 10]).await.unwrap_err();
        assert!(told.to_string().contains("BadRecordMac"), "{told}");
    }
}

/// Many small records, many at a time, in both versions: the peer's flushes decide the records.
#[tokio::test]
async fn records_of_any_size_are_read() {
    for version in [TLS12, TLS13] {
        let (mut ours, mut theirs) = accepted(version).await;
        let bytes = pattern(60_000);
        let send = async {
            let mut rest = &bytes[..];
            let mut size = 1;
            while !rest.is_empty() {
                let (now, later) = rest.split_at(size.min(rest.len()));
                theirs.write_all(now).await.unwrap();
                (rest, size) = (later, size * 7 % 1_009);
            }
            theirs.shutdown().await.unwrap();
        };
        let ((), received) = tokio::join!(send, read_to_end(&mut ours));
        assert!(received.unwrap() == bytes);
    }
}

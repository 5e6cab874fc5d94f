//! Handshakes: what is agreed upon, what is refused and why, and peers that misbehave.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::sync::Arc;
use std::time::Duration;

use rustls::AlertDescription;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use waypost_net::Stream;
use waypost_net::tls::{
    Acceptor, AcceptorSettings, CertificateProblem, Certificates, Connector, ConnectorSettings,
    MinimumVersion, TlsError,
};

use crate::peer::{self, TLS12, TLS13};
use crate::support::{Authority, acceptor_for, handshake, host, pattern, soon, tcp_pair};

fn acceptor_with(authority: &Authority, settings: AcceptorSettings) -> Acceptor {
    let files = authority.issue("server", &["a.test"]);
    Acceptor::new(Certificates::load(vec![files]).unwrap(), settings).unwrap()
}

fn protocols(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

#[tokio::test]
async fn a_client_that_speaks_another_protocol_is_refused() {
    let authority = Authority::new();
    let settings =
        AcceptorSettings { application_protocols: protocols(&["imap"]), ..Default::default() };
    let acceptor = acceptor_with(&authority, settings);
    for version in [TLS12, TLS13] {
        for (offered, agreed) in
            [(&["imap"][..], Some(&b"imap"[..])), (&["h2", "imap"], Some(b"imap")), (&[], None)]
        {
            let mut config = peer::client_config(&authority, version);
            config.alpn_protocols = protocols(offered);
            let (near, far) = tcp_pair().await;
            let config = Arc::new(config);
            let (client, server) =
                tokio::join!(peer::connect(&config, "a.test", near), acceptor.accept(far, soon()));
            assert!(client.is_ok(), "{offered:?}");
            assert_eq!(server.unwrap().application_protocol(), agreed);
        }
        let mut config = peer::client_config(&authority, version);
        config.alpn_protocols = protocols(&["http/1.1", "pop3"]);
        let (near, far) = tcp_pair().await;
        let config = Arc::new(config);
        let (client, server) =
            tokio::join!(peer::connect(&config, "a.test", near), acceptor.accept(far, soon()));
        assert!(matches!(server.unwrap_err(), TlsError::NoCommonProtocol));
        assert!(client.unwrap_err().to_string().contains("NoApplicationProtocol"));
    }
}

#[tokio::test]
async fn versions_below_the_minimum_are_refused() {
    let authority = Authority::new();
    let minimum_version = MinimumVersion::Tls13;
    let acceptor =
        acceptor_with(&authority, AcceptorSettings { minimum_version, ..Default::default() });
    let config = Arc::new(peer::client_config(&authority, TLS12));
    let (near, far) = tcp_pair().await;
    let (client, server) =
        tokio::join!(peer::connect(&config, "a.test", near), acceptor.accept(far, soon()));
    assert!(matches!(server.unwrap_err(), TlsError::Protocol(_)));
    assert!(client.unwrap_err().to_string().contains("ProtocolVersion"));

    let connector = authority.connector(minimum_version);
    let config = Arc::new(peer::server_config(&authority, TLS12));
    let (near, far) = tcp_pair().await;
    let name = host("a.test");
    let (client, _server) =
        tokio::join!(connector.connect(near, &name, soon()), peer::accept(&config, far));
    let error = client.unwrap_err();
    assert!(matches!(error, TlsError::Alert(AlertDescription::ProtocolVersion)), "{error}");
    assert!(!error.is_temporary());
}

/// The client's verdict on a server with a certificate for `names`, changed by `change`.
async fn verdict(
    expected: &str,
    names: &[&str],
    change: impl FnOnce(&mut rcgen::CertificateParams),
) -> Result<(), TlsError> {
    let authority = Authority::new();
    let files = authority.issue_with("server", names, change);
    let acceptor = acceptor_for(Certificates::load(vec![files]).unwrap());
    let connector = authority.connector(MinimumVersion::Tls12);
    let (client, server) = handshake(&connector, expected, &acceptor).await;
    // In TLS 1.3 the server is done before it hears that it is not trusted.
    if let Err(error) = server {
        assert!(matches!(error, TlsError::Alert(_) | TlsError::Closed), "{error}");
    }
    client.map(drop)
}

#[tokio::test]
async fn a_certificate_is_refused_with_the_reason() {
    fn problem(result: Result<(), TlsError>) -> CertificateProblem {
        match result {
            Err(TlsError::Certificate(problem)) => problem,
            other => panic!("{other:?}"),
        }
    }
    assert!(verdict("a.test", &["a.test"], |_| {}).await.is_ok());
    assert!(verdict("b.a.test", &["*.a.test"], |_| {}).await.is_ok());
    assert!(verdict("127.0.0.1", &["127.0.0.1"], |_| {}).await.is_ok());
    assert!(verdict("::1", &["::1"], |_| {}).await.is_ok());

    let mismatch = problem(verdict("b.test", &["a.test", "c.test"], |_| {}).await);
    let CertificateProblem::NameMismatch { expected, presented } = &mismatch else {
        panic!("{mismatch:?}")
    };
    assert_eq!((expected.as_str(), presented.len()), ("b.test", 2));
    assert!(mismatch.to_string().contains("not for b.test"), "{mismatch}");
    let mismatch = problem(verdict("127.0.0.1", &["a.test"], |_| {}).await);
    assert!(matches!(mismatch, CertificateProblem::NameMismatch { .. }), "{mismatch:?}");

    let expired = verdict("a.test", &["a.test"], |parameters| {
        parameters.not_before = rcgen::date_time_ymd(2019, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    assert_eq!(problem(expired.await), CertificateProblem::Expired);
    let future = verdict("a.test", &["a.test"], |parameters| {
        parameters.not_before = rcgen::date_time_ymd(2120, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2121, 1, 1);
    });
    assert_eq!(problem(future.await), CertificateProblem::NotYetValid);
}

#[tokio::test]
async fn a_stranger_is_refused_unless_verification_is_off() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let acceptor = stranger.acceptor(&["a.test"]);
    let connector = authority.connector(MinimumVersion::Tls12);
    let (client, _) = handshake(&connector, "a.test", &acceptor).await;
    let error = client.unwrap_err();
    assert!(matches!(error, TlsError::Certificate(CertificateProblem::UnknownIssuer)), "{error:?}");
    assert!(!error.is_temporary());

    let settings = ConnectorSettings { verify: false, ..Default::default() };
    let anything_goes = Connector::new(settings).unwrap();
    let (client, server) = handshake(&anything_goes, "b.test", &acceptor).await;
    assert!(client.is_ok() && server.is_ok());
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_certificate_says_so() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let acceptor = authority.acceptor(&["a.test"]);
    let config = Arc::new(peer::client_config(&stranger, TLS12));
    let (near, far) = tcp_pair().await;
    let (client, server) =
        tokio::join!(peer::connect(&config, "a.test", near), acceptor.accept(far, soon()));
    assert!(client.is_err());
    let error = server.unwrap_err();
    assert!(matches!(error, TlsError::Alert(AlertDescription::UnknownCA)), "{error}");
}

#[tokio::test]
async fn sessions_are_resumed_with_the_same_target_only() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["a.test", "b.test"]);
    let connector = authority.connector(MinimumVersion::Tls12);
    // Whoever listens at one port is one target.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let visit = async |listener: &tokio::net::TcpListener, name: &str| {
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        let name = host(name);
        let (client, server) =
            tokio::join!(connector.connect(tcp, &name, soon()), acceptor.accept(far, soon()));
        let (client, server) = (client.unwrap(), server.unwrap());
        let resumed = client.is_resumed();
        assert_eq!(resumed, server.is_resumed());
        // The ticket travels with the first bytes.
        let (mut client, mut server) = (Stream::from(client), Stream::from(server));
        server.write_all(b"* OK").await.unwrap();
        client.read(&mut [0; 10]).await.unwrap();
        resumed
    };
    assert!(!visit(&listener, "a.test").await);
    assert!(visit(&listener, "a.test").await);
    assert!(visit(&listener, "a.test").await);
    assert!(!visit(&listener, "b.test").await);
    assert!(!visit(&other, "a.test").await);
    connector.forget_sessions();
    assert!(!visit(&listener, "a.test").await);
}

#[tokio::test]
async fn older_clients_and_servers_resume_too() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["a.test"]);
    let config = Arc::new(peer::client_config(&authority, TLS12));
    for expected in [false, true] {
        let (near, far) = tcp_pair().await;
        let (client, server) =
            tokio::join!(peer::connect(&config, "a.test", near), acceptor.accept(far, soon()));
        assert!(client.is_ok());
        assert_eq!(server.unwrap().is_resumed(), expected);
    }
    let connector = authority.connector(MinimumVersion::Tls12);
    let config = Arc::new(peer::server_config(&authority, TLS12));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    for expected in [false, true] {
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        let name = host("a.test");
        let (client, server) =
            tokio::join!(connector.connect(near, &name, soon()), peer::accept(&config, far));
        assert!(server.is_ok());
        assert_eq!(client.unwrap().is_resumed(), expected);
    }
}

#[tokio::test]
async fn a_silent_client_is_not_waited_for() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["a.test"]);
    let (_near, far) = tcp_pair().await;
    let deadline = Instant::now() + Duration::from_millis(50);
    let error = acceptor.accept(far, deadline).await.unwrap_err();
    assert!(matches!(error, TlsError::Timeout), "{error}");
    assert!(error.is_temporary());
}

#[tokio::test]
async fn a_silent_back_end_is_not_waited_for() {
    let connector = Authority::new().connector(MinimumVersion::Tls12);
    let (near, _far) = tcp_pair().await;
    let deadline = Instant::now() + Duration::from_millis(50);
    let error = connector.connect(near, &host("a.test"), deadline).await.unwrap_err();
    assert!(matches!(error, TlsError::Timeout), "{error}");
}

#[tokio::test]
async fn what_is_not_tls_is_refused_and_answered_by_an_alert() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["a.test"]);
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"[..],
        b"a1 LOGIN user pass\r\n",
        &[0; 100],
        &[22, 3, 1, 0, 1, 1, 22, 3, 1, 255, 255],
        &[23, 3, 3, 0, 5, 1, 2, 3, 4, 5],
        &[21, 3, 3, 0, 2, 9, 9],
    ] {
        let (mut near, far) = tcp_pair().await;
        near.write_all(bytes).await.unwrap();
        let result = timeout(Duration::from_secs(5), acceptor.accept(far, soon())).await;
        let error = result.expect("it must not wait").unwrap_err();
        assert!(matches!(error, TlsError::Protocol(_) | TlsError::Alert(_)), "{error}");
        let mut answer = Vec::new();
        let _ = near.read_to_end(&mut answer).await;
        assert!(answer.first() == Some(&21) || answer.is_empty(), "{answer:?}");
    }
}

/// A client may send its hello in as many records as it likes, but not without end.
#[tokio::test]
async fn an_endless_hello_is_refused_before_it_fills_the_memory() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["a.test"]);
    let (mut near, far) = tcp_pair().await;
    // A hello that claims 60,000 octets, in records of 100. The client stops at 25,000.
    let mut bytes = vec![22, 3, 1, 0, 100, 1, 0, 0xea, 0x60];
    bytes.resize(105, 0);
    while bytes.len() < 25_000 {
        bytes.extend([22, 3, 1, 0, 100]);
        bytes.extend([0; 100]);
    }
    near.write_all(&bytes).await.unwrap();
    let error = acceptor.accept(far, Instant::now() + Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(error, TlsError::Protocol(_)), "{error}");
}

/// Passes bytes both ways between two sockets, one at a time; up to `limit` from `a` to `b`.
async fn dribble(a: TcpStream, b: TcpStream, limit: usize) -> usize {
    a.set_nodelay(true).unwrap();
    b.set_nodelay(true).unwrap();
    let (mut from_a, mut to_a) = a.into_split();
    let (mut from_b, mut to_b) = b.into_split();
    let back = tokio::spawn(async move {
        let mut byte = [0];
        while let Ok(1) = from_b.read(&mut byte).await {
            if to_a.write_all(&byte).await.is_err() {
                break;
            }
        }
    });
    let mut passed = 0;
    let mut byte = [0];
    while passed < limit {
        match from_a.read(&mut byte).await {
            Ok(1) if to_b.write_all(&byte).await.is_ok() => passed += 1,
            _ => break,
        }
    }
    drop((from_a, to_b));
    back.await.unwrap();
    passed
}

/// A handshake and an exchange through [`dribble`]: the server's result, and how many bytes the
/// client has sent.
async fn dribbled(
    authority: &Authority,
    acceptor: &Acceptor,
    version: peer::Version,
    limit: usize,
) -> (Result<(), TlsError>, usize) {
    let config = Arc::new(peer::client_config(authority, version));
    let (near, middle_near) = tcp_pair().await;
    let (middle_far, far) = tcp_pair().await;
    let passing = tokio::spawn(dribble(middle_near, middle_far, limit));
    let client = tokio::spawn(async move {
        let mut client = peer::connect(&config, "a.test", near).await?;
        client.write_all(b"hello").await?;
        client.read_exact(&mut [0; 5]).await?;
        client.shutdown().await
    });
    let serve = async {
        let mut server = Stream::from(acceptor.accept(far, soon()).await?);
        let mut greeting = Vec::new();
        while greeting.len() < 5 {
            let mut buffer = [0; 5];
            match server.read(&mut buffer).await? {
                0 => break,
                count => greeting.extend_from_slice(&buffer[..count]),
            }
        }
        server.write_all(&greeting).await?;
        Ok(())
    };
    let result = timeout(Duration::from_secs(10), serve).await.expect("the server hangs");
    if result.is_ok() {
        client.await.unwrap().unwrap();
    } else {
        client.abort();
    }
    (result, passing.await.unwrap())
}

#[tokio::test]
async fn a_handshake_may_come_byte_by_byte() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["a.test"]);
    for version in [TLS12, TLS13] {
        let (result, _) = dribbled(&authority, &acceptor, version, usize::MAX).await;
        assert!(result.is_ok(), "{result:?}");
    }
}

#[tokio::test]
async fn a_handshake_that_is_cut_anywhere_fails_at_once() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["a.test"]);
    for version in [TLS12, TLS13] {
        let (_, total) = dribbled(&authority, &acceptor, version, usize::MAX).await;
        // The client's close_notify comes last, and after the exchange.
        let enough = total.saturating_sub(31);
        for limit in (0..enough).step_by(3) {
            let (result, passed) = dribbled(&authority, &acceptor, version, limit).await;
            assert_eq!(passed, limit);
            let error = result.expect_err("the greeting was cut");
            assert!(matches!(error, TlsError::Closed | TlsError::Network(_)), "{limit}: {error}");
        }
    }
}

/// Random damage to a real hello: an error or a handshake, never a panic or a hang.
#[tokio::test]
async fn a_damaged_hello_never_panics() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["a.test"]);
    let config = Arc::new(peer::client_config(&authority, TLS13));
    let (near, mut far) = tcp_pair().await;
    let client = tokio::spawn(async move { peer::connect(&config, "a.test", near).await.is_ok() });
    let mut hello = vec![0; 4096];
    let count = far.read(&mut hello).await.unwrap();
    hello.truncate(count);
    client.abort();
    for (round, damage) in pattern(1_500).into_iter().enumerate() {
        let mut damaged = hello.clone();
        damaged[(round * 13) % count] ^= damage.max(1);
        let (mut near, far) = tcp_pair().await;
        near.write_all(&damaged).await.unwrap();
        near.shutdown().await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        let error = acceptor.accept(far, deadline).await.unwrap_err();
        assert!(!matches!(error, TlsError::Timeout));
    }
}

/// The greeting and the session ticket leave in one packet; a client that waits for neither loses
/// nothing.
#[tokio::test]
async fn the_ticket_travels_with_the_greeting() {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["a.test"]);
    let connector = authority.connector(MinimumVersion::Tls13);
    let (near, middle_near) = tcp_pair().await;
    let (middle_far, far) = tcp_pair().await;
    let (mut from_client, mut to_client) = middle_near.into_split();
    let (mut from_server, mut to_server) = middle_far.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    // Passes on what the server sends, and tells the size of each burst.
    let (sizes, mut seen) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            sizes.send(count).unwrap();
            to_client.write_all(&buffer[..count]).await.unwrap();
        }
    });
    let name = host("a.test");
    let (client, server) =
        tokio::join!(connector.connect(near, &name, soon()), acceptor.accept(far, soon()));
    let (mut client, mut server) = (Stream::from(client.unwrap()), Stream::from(server.unwrap()));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(seen.recv().await.is_some(), "the server's part of the handshake");
    assert!(seen.try_recv().is_err(), "the ticket waits");
    server.write_all(b"* OK hello").await.unwrap();
    assert_eq!(client.read(&mut [0; 100]).await.unwrap(), 10);
    let size = seen.recv().await.unwrap();
    assert!(size > 10 + 22 + 50, "greeting and ticket in {size} bytes");
    assert!(seen.try_recv().is_err());
}

//! What a stalled relay holds, seen from inside: with sockets nobody outside can tell its bytes
//! from the kernel's.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use waypost_model::Protocol;

use super::{MAX_WAITING, Relay, relay};
use crate::session::{SessionKind, SessionTable};
use crate::stream::Stream;
use crate::tls::{
    Acceptor, AcceptorSettings, CertificateFiles, Certificates, Connector, ConnectorSettings,
};

async fn tcp_pair() -> (Stream, Stream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (near.into(), listener.accept().await.unwrap().0.into())
}

async fn tls_pair() -> (Stream, Stream) {
    let folder = tempfile::tempdir().unwrap();
    let files = CertificateFiles {
        chain: folder.path().join("cert.pem"),
        key: folder.path().join("key.pem"),
    };
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![]).unwrap().self_signed(&key).unwrap();
    std::fs::write(&files.chain, certificate.pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    let acceptor =
        Acceptor::new(Certificates::load(vec![files]).unwrap(), AcceptorSettings::default());
    let connector =
        Connector::new(ConnectorSettings { verify: false, ..Default::default() }).unwrap();
    let (near, far) = tcp_pair().await;
    let deadline = Instant::now() + Duration::from_secs(10);
    let (name, acceptor) = ("a.test".parse().unwrap(), acceptor.unwrap());
    let (near, far) = tokio::join!(
        connector.connect(near.into_tcp().unwrap(), &name, deadline),
        acceptor.accept(far.into_tcp().unwrap(), deadline)
    );
    (near.unwrap().into(), far.unwrap().into())
}

fn held(relay: &Relay) -> (usize, usize) {
    (relay.up.held(&relay.client, &relay.backend), relay.down.held(&relay.backend, &relay.client))
}

/// Lets both ends write without ever reading until nothing moves any more.
async fn stall(mut client: Stream, client_leg: Stream, backend_leg: Stream, mut backend: Stream) {
    let table = SessionTable::new();
    let kind = Arc::new(SessionKind {
        listener: "test".into(),
        protocol: Protocol::Imap,
        idle_limit: Duration::from_secs(60),
    });
    let record = table.open(&kind, "192.0.2.1:4242".parse().unwrap());
    let mut relay = relay(client_leg.into(), backend_leg.into(), record);
    let flood = tokio::spawn(async move {
        let bytes = vec![0; 100_000];
        loop {
            let writes =
                async { tokio::join!(client.write_all(&bytes), backend.write_all(&bytes)) };
            let (up, down) = writes.await;
            up.and(down).unwrap();
        }
    });
    let mut before = None;
    while before != Some(relay.moved()) {
        before = Some(relay.moved());
        let over = timeout(Duration::from_millis(200), Pin::new(&mut relay)).await.is_ok();
        assert!(!over, "the relay is over");
    }
    let (up, down) = held(&relay);
    assert!(relay.moved().0 > 100_000 && relay.moved().1 > 100_000, "nothing moved");
    // What records add to their plaintext, and the beginning of a next one.
    const RECORDS: usize = 1024 + 6 * 32;
    assert!(up + down <= MAX_WAITING + RECORDS, "{up} and {down} bytes wait");
    flood.abort();
}

#[tokio::test]
async fn a_stalled_relay_holds_no_more_than_its_bound() {
    for tls in [(false, false), (true, false), (false, true), (true, true)] {
        let (client, client_leg) = if tls.0 { tls_pair().await } else { tcp_pair().await };
        let (backend_leg, backend) = if tls.1 { tls_pair().await } else { tcp_pair().await };
        stall(client, client_leg, backend_leg, backend).await;
    }
}

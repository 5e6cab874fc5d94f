//! How addresses go down and come up again.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use waypost_model::Encryption;
use waypost_net::OwnListeners;
use waypost_net::backend::{Backend, BackendSettings, BackendTable, ClientIdentity};
use waypost_net::connect::{ConnectError, Reached};
use waypost_net::health::HealthSettings;
use waypost_net::tls::{Connector, ConnectorSettings};
use waypost_wire::proxy::{Decoded, decode};

use crate::connecting::{CONNECT_TIMEOUT, Login, black_hole, listener, table, target_at};
use crate::support::{soon, until};

const INTERVAL: Duration = Duration::from_millis(50);

fn quick() -> HealthSettings {
    HealthSettings { first_probe: INTERVAL, max_interval: INTERVAL, ..HealthSettings::default() }
}

async fn login_with(settings: HealthSettings) -> Login {
    Login::with(settings, OwnListeners::default()).await
}

/// TLS from the first byte, with whomever.
fn implicit_tls_table() -> BackendTable {
    let settings = ConnectorSettings { verify: false, ..ConnectorSettings::default() };
    let tls = Connector::new(settings).unwrap();
    let backend = Backend::new(|protocol| BackendSettings {
        encryption: Encryption::Implicit,
        tls: Some(tls.clone()),
        connect_timeout: CONNECT_TIMEOUT,
        ..BackendSettings::new(protocol)
    });
    BackendTable::new([], backend).unwrap()
}

/// An address on which nobody listens now.
async fn vacant() -> SocketAddr {
    listener("127.0.0.1").await.1
}

/// Greets everybody with `greeting`, or keeps silent and the connections open; counts them.
fn greet(listener: TcpListener, greeting: &'static [u8]) -> (JoinHandle<()>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let task = tokio::spawn(async move {
        let mut held = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            // A probe hangs up whenever it likes.
            let _ = stream.write_all(greeting).await;
            held.push(stream);
        }
    });
    (task, count)
}

#[tokio::test]
async fn a_probe_finds_an_address_up_again() {
    let login = login_with(quick()).await;
    let address = vacant().await;
    let target = target_at(address);
    assert_eq!(login.connect(&target).await.unwrap_err().label(), "refused");
    assert_eq!(login.down(), [address]);
    let (_server, count) = greet(TcpListener::bind(address).await.unwrap(), b"* OK\r\n");
    until(|| login.down().is_empty()).await;
    assert_eq!(count.load(Ordering::SeqCst), 1, "one probe, and it was enough");
    login.connect(&target).await.unwrap().reached.greeted();
}

#[tokio::test]
async fn one_probe_at_a_time_however_many_logins_want_the_address() {
    let login = login_with(quick()).await;
    let (hanging, address) = listener("127.0.0.1").await;
    let (_server, connections) = greet(hanging, b"");
    let target = target_at(address);
    // Ten logins are under way when the first of them finds out.
    let mut reached = Vec::new();
    for _ in 0..10 {
        reached.push(login.connect(&target).await.unwrap().reached);
    }
    until(|| connections.load(Ordering::SeqCst) == 10).await;
    reached.into_iter().for_each(Reached::silent);
    for _ in 0..50 {
        assert!(matches!(login.connect(&target).await, Err(ConnectError::AllDown)));
    }
    // Each probe waits for a greeting that does not come, which takes longer than the intervals.
    let began = Instant::now();
    until(|| connections.load(Ordering::SeqCst) >= 12).await;
    assert!(began.elapsed() >= CONNECT_TIMEOUT, "{:?}", began.elapsed());
    assert_eq!(login.down(), [address]);
}

#[tokio::test]
async fn a_back_end_that_hangs_stays_down_until_it_greets() {
    let login = login_with(quick()).await;
    let (hanging, address) = listener("127.0.0.1").await;
    let (server, probes) = greet(hanging, b"");
    let target = target_at(address);
    // A login connects, waits for a greeting as long as it may, and says so.
    login.connect(&target).await.unwrap().reached.silent();
    assert_eq!(login.down(), [address]);
    // Being connected to is not enough.
    until(|| probes.load(Ordering::SeqCst) >= 2).await;
    assert!(matches!(login.connect(&target).await, Err(ConnectError::AllDown)));
    server.abort();
    assert!(soon(server).await.unwrap_err().is_cancelled());
    let _server = greet(TcpListener::bind(address).await.unwrap(), b"* OK\r\n");
    until(|| login.down().is_empty()).await;
}

#[tokio::test]
async fn a_probe_says_that_it_speaks_for_itself() {
    for identity in [ClientIdentity::ProxyV1, ClientIdentity::ProxyV2] {
        let mut login = login_with(quick()).await;
        login.table = table(identity);
        let address = vacant().await;
        login.connect(&target_at(address)).await.unwrap_err();
        let listener = TcpListener::bind(address).await.unwrap();
        let (mut probe, _) = soon(listener.accept()).await.unwrap();
        let mut bytes = [0; 256];
        let length = soon(probe.read(&mut bytes)).await.unwrap();
        let Decoded::Header(header, _) = decode(&bytes[..length]) else { panic!("{bytes:?}") };
        assert_eq!((header.source, header.destination), (None, None));
        assert_eq!(header.local, identity == ClientIdentity::ProxyV2);
    }
}

#[tokio::test]
async fn where_tls_comes_first_any_answer_to_it_will_do() {
    let mut login = login_with(quick()).await;
    login.table = implicit_tls_table();
    let (hanging, address) = listener("127.0.0.1").await;
    let (server, probes) = greet(hanging, b"");
    let target = target_at(address);
    login.connect(&target).await.unwrap().reached.silent();
    until(|| probes.load(Ordering::SeqCst) >= 2).await;
    assert_eq!(login.down(), [address]);
    server.abort();
    assert!(soon(server).await.unwrap_err().is_cancelled());
    // A fatal alert (RFC 8446 section 6): whatever is wrong, it is for the login to say.
    let alert = b"\x15\x03\x03\x00\x02\x02\x28";
    let _server = greet(TcpListener::bind(address).await.unwrap(), alert);
    until(|| login.down().is_empty()).await;
}

#[tokio::test]
async fn the_last_resort_is_one_login_at_a_time() {
    // No probe comes in between.
    let mut login = Login::new().await;
    let (listening, queued, address) = black_hole();
    let target = target_at(address);
    login.connect(&target).await.unwrap_err();
    assert!(matches!(login.connect(&target).await, Err(ConnectError::AllDown)));

    login.last_resort = true;
    let began = Instant::now();
    let (first, others) = tokio::join!(login.connect(&target), async {
        sleep(CONNECT_TIMEOUT / 8).await;
        let mut errors = Vec::new();
        for _ in 0..10 {
            errors.push(login.connect(&target).await.unwrap_err());
        }
        assert!(began.elapsed() < CONNECT_TIMEOUT / 2, "the others fail at once");
        errors
    });
    assert_eq!(first.unwrap_err().label(), "timeout");
    assert!(others.iter().all(|error| matches!(error, ConnectError::AllDown)), "{others:?}");

    // The host is back: the next login finds out, and all others may go there again.
    drop((listening, queued));
    let (_server, _) = greet(TcpListener::bind(address).await.unwrap(), b"* OK\r\n");
    login.connect(&target).await.unwrap().reached.greeted();
    assert!(login.down().is_empty());
    login.last_resort = false;
    login.connect(&target).await.unwrap().reached.greeted();
}

#[tokio::test]
async fn a_trial_that_is_given_up_lets_the_next_one_through() {
    let mut login = Login::new().await;
    let (listening, queued, address) = black_hole();
    let target = target_at(address);
    login.connect(&target).await.unwrap_err();
    login.last_resort = true;
    assert!(timeout(CONNECT_TIMEOUT / 8, login.connect(&target)).await.is_err());
    drop((listening, queued));
    let (_server, _) = greet(TcpListener::bind(address).await.unwrap(), b"");
    // A connection alone does not end the trial: only a word from the back end does.
    let trial = login.connect(&target).await.unwrap();
    assert!(matches!(login.connect(&target).await, Err(ConnectError::AllDown)));
    drop(trial);
    assert_eq!(login.down(), [address]);
    login.connect(&target).await.unwrap().reached.silent();
    assert_eq!(login.down(), [address]);
}

#[tokio::test]
async fn an_address_that_nobody_wants_is_forgotten() {
    let settings = HealthSettings { forget_after: 3 * INTERVAL, ..quick() };
    let login = login_with(settings).await;
    let address = vacant().await;
    login.connect(&target_at(address)).await.unwrap_err();
    until(|| login.down().is_empty()).await;
}

#[tokio::test]
async fn what_is_watched_is_bounded() {
    let settings = HealthSettings { max_addresses: 2, ..HealthSettings::default() };
    let login = login_with(settings).await;
    for _ in 0..4 {
        login.connect(&target_at(vacant().await)).await.unwrap_err();
    }
    assert!(login.down().len() <= 2);
}

#[test]
fn no_address_stays_down_when_the_runtime_that_watches_is_gone() {
    let new = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = new();
    let (login, address) = first.block_on(async {
        let login = login_with(quick()).await;
        let address = vacant().await;
        login.connect(&target_at(address)).await.unwrap_err();
        assert_eq!(login.down(), [address]);
        (login, address)
    });
    drop(first);
    assert!(login.down().is_empty());
    new().block_on(async {
        login.connect(&target_at(address)).await.unwrap_err();
        assert!(login.down().is_empty());
    });
}

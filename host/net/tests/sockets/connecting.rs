#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use socket2::{Domain, Protocol as SocketProtocol, SockRef, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use waypost_model::{Encryption, Host, Protocol, Target};
use waypost_net::backend::{Backend, BackendSettings, BackendTable, ClientIdentity, EndpointError};
use waypost_net::connect::{ConnectError, Connected, Connector, Failure, Request};
use waypost_net::health::{Health, HealthSettings};
use waypost_net::{Metrics, OwnListeners};
use waypost_wire::proxy::{Decoded, Header, decode};

use crate::support::{NameServer, address, host, soon};

/// For a test that has no use for another.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_millis(400);

/// Everything that a login holds when it connects.
pub(crate) struct Login {
    pub(crate) connector: Connector,
    pub(crate) table: BackendTable,
    pub(crate) server: NameServer,
    pub(crate) header: Header,
    pub(crate) last_resort: bool,
    pub(crate) within: Duration,
}

pub(crate) fn table(identity: ClientIdentity) -> BackendTable {
    let backend = Backend::new(|protocol| BackendSettings {
        encryption: Encryption::None,
        client_identity: identity,
        connect_timeout: CONNECT_TIMEOUT,
        ..BackendSettings::new(protocol)
    });
    BackendTable::new([], backend).unwrap()
}

impl Login {
    pub(crate) async fn new() -> Self {
        // Probes come when a test wants them.
        let never = Duration::from_secs(3600);
        let settings = HealthSettings { first_probe: never, ..HealthSettings::default() };
        Self::with(settings, OwnListeners::default()).await
    }

    pub(crate) async fn with(health: HealthSettings, own: OwnListeners) -> Self {
        let server = NameServer::start().await;
        let metrics = Metrics::default();
        let health = Health::new(health, metrics.clone());
        Self {
            connector: Connector::new(server.resolver(), health, own, metrics),
            table: table(ClientIdentity::None),
            server,
            header: Header::new(address("192.0.2.1:40000"), address("198.51.100.1:993")),
            last_resort: false,
            within: Duration::from_secs(30),
        }
    }

    pub(crate) async fn connect(&self, target: &Target) -> Result<Connected, ConnectError> {
        self.connect_if(target, &|_, _| true).await
    }

    async fn connect_if(
        &self,
        target: &Target,
        allowed: &(dyn Fn(&Host, IpAddr) -> bool + Sync),
    ) -> Result<Connected, ConnectError> {
        let request = Request {
            target,
            protocol: Protocol::Imap,
            table: &self.table,
            client: &self.header,
            allowed,
            deadline: Instant::now() + self.within,
            last_resort: self.last_resort,
        };
        soon(self.connector.connect(&request)).await
    }

    pub(crate) fn down(&self) -> Vec<SocketAddr> {
        self.connector.health().down().into_iter().map(|(address, _)| address).collect()
    }
}

pub(crate) fn target(name: &str, port: u16) -> Target {
    Target { host: host(name), port: NonZeroU16::new(port), encryption: None, tls_name: None }
}

pub(crate) fn target_at(address: SocketAddr) -> Target {
    target(&address.ip().to_string(), address.port())
}

pub(crate) async fn listener(ip: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((ip, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Addresses of one port, of which nobody listens on the first, and somebody on the second.
async fn refusing_and_listening() -> (SocketAddr, SocketAddr, TcpListener) {
    let (listener, listening) = listener("127.0.0.3").await;
    (SocketAddr::new([127, 0, 0, 2].into(), listening.port()), listening, listener)
}

/// A listening socket whose queue is full: Linux then drops what would connect, as a dead host
/// does. Whoever holds the returned streams holds the queue full.
pub(crate) fn black_hole() -> (Socket, Vec<Socket>, SocketAddr) {
    let socket = |()| Socket::new(Domain::IPV4, Type::STREAM, Some(SocketProtocol::TCP)).unwrap();
    let listening = socket(());
    listening.bind(&address("127.0.0.1:0").into()).unwrap();
    listening.listen(0).unwrap();
    let address = listening.local_addr().unwrap().as_socket().unwrap();
    let queued = (0..4)
        .map(|_| {
            let queued = socket(());
            queued.set_nonblocking(true).unwrap();
            let _ = queued.connect(&address.into());
            queued
        })
        .collect();
    (listening, queued, address)
}

#[tokio::test]
async fn a_target_is_connected_to_and_the_connection_tuned() {
    let login = Login::new().await;
    for ip in ["127.0.0.1", "::1"] {
        let (listener, address) = listener(ip).await;
        let connected = login.connect(&target_at(address)).await.unwrap();
        assert_eq!(connected.address, address);
        assert_eq!(connected.endpoint.encryption, Encryption::None);
        let socket = SockRef::from(&connected.stream);
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        soon(listener.accept()).await.unwrap();
        connected.reached.greeted();
    }
}

#[tokio::test]
async fn every_address_of_a_name_is_tried_in_turn() {
    let login = Login::new().await;
    let (refusing, listening, _listener) = refusing_and_listening().await;
    login.server.addresses("north.test", &["127.0.0.2", "::1", "127.0.0.3"], 60);
    let connected = login.connect(&target("north.test", listening.port())).await.unwrap();
    assert_eq!(connected.address, listening);
    // What refused is skipped from now on.
    assert!(login.down().contains(&refusing));
}

#[tokio::test]
async fn the_error_tells_of_every_address() {
    let login = Login::new().await;
    let (refusing, listening, listener) = refusing_and_listening().await;
    drop(listener);
    login.server.addresses("north.test", &["127.0.0.2", "127.0.0.3"], 60);
    let target = target("north.test", listening.port());
    let error = login.connect(&target).await.unwrap_err();
    assert_eq!(error.label(), "refused");
    let text = format!("{refusing}: connection refused; {listening}: connection refused");
    assert_eq!(error.to_string(), text);

    let again = login.connect(&target).await.unwrap_err();
    assert!(matches!(again, ConnectError::AllDown), "{again}");
    assert_eq!(again.label(), "down");
}

#[tokio::test]
async fn a_name_without_address_is_unresolvable() {
    let login = Login::new().await;
    let error = login.connect(&target("nowhere.test", 143)).await.unwrap_err();
    assert_eq!(error.label(), "unresolvable");
}

#[tokio::test]
async fn a_target_that_weakens_the_encryption_is_not_tried() {
    let mut login = Login::new().await;
    let backend = Backend::new(BackendSettings::new);
    login.table = BackendTable::new([], backend).unwrap();
    let weak = Target { encryption: Some(Encryption::None), ..target("127.0.0.1", 143) };
    let error = login.connect(&weak).await.unwrap_err();
    assert!(matches!(error, ConnectError::Endpoint(EndpointError::TooWeak { .. })), "{error}");
    assert_eq!(error.label(), "too-weak");
}

#[tokio::test]
async fn a_name_leads_only_to_addresses_that_the_policy_may_name() {
    let login = Login::new().await;
    let (_refusing, listening, listener) = refusing_and_listening().await;
    login.server.addresses("north.test", &["127.0.0.3", "::ffff:127.0.0.3"], 60);
    let target = target("north.test", listening.port());
    let error = login.connect_if(&target, &|_, _| false).await.unwrap_err();
    assert_eq!(error.label(), "not-allowed");
    assert!(error.to_string().contains("127.0.0.3"), "{error}");
    // A mapped address does not slip past a pattern for IPv4.
    let not_127 = |_: &Host, ip: IpAddr| !matches!(ip, IpAddr::V4(v4) if v4.is_loopback());
    assert_eq!(login.connect_if(&target, &not_127).await.unwrap_err().label(), "not-allowed");
    assert!(tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_err());
    assert!(login.down().is_empty());

    let named = |host: &Host, _: IpAddr| host.to_string() == "north.test";
    login.connect_if(&target, &named).await.unwrap();
}

#[tokio::test]
async fn addresses_that_no_host_has_are_not_tried() {
    let login = Login::new().await;
    let (_listener, address) = listener("127.0.0.1").await;
    for ip in ["0.0.0.0", "::", "255.255.255.255", "224.0.0.1", "ff02::1"] {
        let error = login.connect(&target(ip, address.port())).await.unwrap_err();
        assert_eq!(error.label(), "not-allowed", "{ip}");
    }
}

#[tokio::test]
async fn waypost_is_not_its_own_back_end() {
    let (_listener, exact) = listener("127.0.0.1").await;
    let (_wildcard, wildcard) = listener("0.0.0.0").await;
    let mut own = OwnListeners::default();
    own.add(exact, false);
    own.add(wildcard, false);
    let login = Login::with(HealthSettings::default(), own).await;
    login.server.addresses("loop.test", &["127.0.0.1"], 60);
    for (name, port) in [
        ("127.0.0.1", exact.port()),
        ("loop.test", exact.port()),
        ("::ffff:127.0.0.1", exact.port()),
        ("127.0.0.1", wildcard.port()),
        ("127.44.0.1", wildcard.port()),
        ("loop.test", wildcard.port()),
    ] {
        let error = login.connect(&target(name, port)).await.unwrap_err();
        assert_eq!(error.label(), "own-listener", "{name}:{port}");
    }
    // The way round is shut, the other addresses of the name are not.
    let other = TcpListener::bind(("127.0.0.9", exact.port())).await.unwrap();
    login.server.addresses("both.test", &["127.0.0.1", "127.0.0.9"], 60);
    let connected = login.connect(&target("both.test", exact.port())).await.unwrap();
    assert_eq!(connected.address, other.local_addr().unwrap());
}

#[tokio::test]
async fn the_client_is_named_before_anything_else() {
    for (identity, version) in [(ClientIdentity::ProxyV1, 1), (ClientIdentity::ProxyV2, 2)] {
        let mut login = Login::new().await;
        login.table = table(identity);
        let (listener, address) = listener("127.0.0.1").await;
        let mut connected = login.connect(&target_at(address)).await.unwrap();
        connected.stream.write_all(b"a1 LOGIN").await.unwrap();
        drop(connected);
        let (mut stream, _) = soon(listener.accept()).await.unwrap();
        let mut bytes = Vec::new();
        soon(stream.read_to_end(&mut bytes)).await.unwrap();
        assert_eq!(bytes.starts_with(b"PROXY "), version == 1);
        let Decoded::Header(header, length) = decode(&bytes) else { panic!("{bytes:?}") };
        assert_eq!(*header, login.header);
        assert_eq!(&bytes[length..], b"a1 LOGIN");
    }
}

#[tokio::test]
async fn nobody_is_named_where_the_table_does_not_say_so() {
    for identity in [ClientIdentity::None, ClientIdentity::Command] {
        let mut login = Login::new().await;
        login.table = table(identity);
        let (listener, address) = listener("127.0.0.1").await;
        drop(login.connect(&target_at(address)).await.unwrap());
        let (mut stream, _) = soon(listener.accept()).await.unwrap();
        assert_eq!(soon(stream.read(&mut [0; 64])).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_dead_host_costs_one_login_its_timeout_and_not_each() {
    let login = Login::new().await;
    let (_listening, _queued, address) = black_hole();
    let began = Instant::now();
    let error = login.connect(&target_at(address)).await.unwrap_err();
    assert_eq!(error.label(), "timeout");
    assert!(began.elapsed() >= CONNECT_TIMEOUT, "{:?}", began.elapsed());
    let began = Instant::now();
    for _ in 0..100 {
        let error = login.connect(&target_at(address)).await.unwrap_err();
        assert!(matches!(error, ConnectError::AllDown), "{error}");
    }
    assert!(began.elapsed() < CONNECT_TIMEOUT, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_login_that_runs_out_of_time_says_nothing_of_the_target() {
    let mut login = Login::new().await;
    login.within = CONNECT_TIMEOUT / 4;
    let (_listening, _queued, address) = black_hole();
    let error = login.connect(&target_at(address)).await.unwrap_err();
    let ConnectError::Failed(attempts) = &error else { panic!("{error}") };
    assert!(matches!(attempts[0].failure, Failure::Deadline), "{error}");
    assert!(login.down().is_empty());
}

#[tokio::test]
async fn a_name_server_that_is_silent_costs_the_logins_time_and_not_more() {
    let mut login = Login::new().await;
    login.server.set("north.test", crate::support::Zone::Silent);
    login.within = Duration::from_millis(200);
    let began = Instant::now();
    let error = login.connect(&target("north.test", 143)).await.unwrap_err();
    assert_eq!(error.label(), "unresolvable");
    assert!(began.elapsed() < login.server.settings().deadline, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_attempt_along() {
    let login = Login::new().await;
    let (_listening, _queued, address) = black_hole();
    let target = target_at(address);
    let attempt = tokio::time::timeout(CONNECT_TIMEOUT / 4, login.connect(&target)).await;
    assert!(attempt.is_err());
    assert!(login.down().is_empty());
}

/// A session is a spawned task, so connecting must be one that can be.
#[expect(dead_code, reason = "that it compiles is the test")]
fn a_session_can_be_spawned(connector: Connector, table: BackendTable, stream: TcpStream) {
    tokio::spawn(async move {
        let target = target("127.0.0.1", 143);
        let client = Header::new(stream.peer_addr().unwrap(), stream.local_addr().unwrap());
        let request = Request {
            target: &target,
            protocol: Protocol::Imap,
            table: &table,
            client: &client,
            allowed: &|_, _| true,
            deadline: Instant::now(),
            last_resort: false,
        };
        let _ = connector.connect(&request).await;
    });
}

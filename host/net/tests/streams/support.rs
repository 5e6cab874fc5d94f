//! What these tests share: an authority, certificates, and pairs of sockets.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber, date_time_ymd,
};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use waypost_model::{Host, Protocol};
use waypost_net::Stream;
use waypost_net::relay::{Leg, Relay, RelayEnd, relay};
use waypost_net::session::{SessionKind, SessionRecord, SessionTable};
use waypost_net::tls::{
    Acceptor, AcceptorSettings, CertificateFiles, Certificates, Connector, ConnectorSettings,
    MinimumVersion, Roots, TlsError,
};

/// A certificate authority in a folder of its own.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Each has a name of its own, so that a stranger is a stranger and not a forger.
        let name = folder.path().display().to_string();
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { folder, issuer: Issuer::new(parameters, key) }
    }

    /// The authority's own certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Issues a certificate for `names`, as `change` makes it, into files called `file`.
    pub(crate) fn issue_with(
        &self,
        file: &str,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> CertificateFiles {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        change(&mut parameters);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        let files = CertificateFiles {
            chain: self.folder.path().join(format!("{file}.pem")),
            key: self.folder.path().join(format!("{file}.key")),
        };
        fs::write(&files.chain, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    pub(crate) fn issue(&self, file: &str, names: &[&str]) -> CertificateFiles {
        self.issue_with(file, names, |_| {})
    }

    /// The list of what the authority has revoked, by serial numbers; the next one comes in this year.
    pub(crate) fn revocations(&self, serials: &[u64], next_year: i32) -> String {
        let revoked = |&serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(next_year, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }

    pub(crate) fn acceptor(&self, names: &[&str]) -> Acceptor {
        let certificates = Certificates::load(vec![self.issue("server", names)]).unwrap();
        acceptor_for(certificates)
    }

    pub(crate) fn connector(&self, minimum_version: MinimumVersion) -> Connector {
        let roots = Roots::File(self.file());
        Connector::new(ConnectorSettings { roots, minimum_version, ..Default::default() }).unwrap()
    }
}

pub(crate) fn acceptor_for(certificates: Arc<Certificates>) -> Acceptor {
    Acceptor::new(certificates, AcceptorSettings::default()).unwrap()
}

/// Two ends of a TCP connection on loopback: who connected, who accepted.
pub(crate) async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

pub(crate) fn host(name: &str) -> Host {
    name.parse().unwrap()
}

/// Both sides of a handshake: the client's result and the server's.
pub(crate) async fn handshake(
    connector: &Connector,
    name: &str,
    acceptor: &Acceptor,
) -> (Result<Stream, TlsError>, Result<Stream, TlsError>) {
    let (near, far) = tcp_pair().await;
    let name = host(name);
    let (client, server) =
        tokio::join!(connector.connect(near, &name, soon()), acceptor.accept(far, soon()));
    (client.map(Stream::from), server.map(Stream::from))
}

/// Two ends of a TLS connection: client, server.
pub(crate) async fn tls_pair() -> (Stream, Stream) {
    let authority = Authority::new();
    let acceptor = authority.acceptor(&["a.test"]);
    let connector = authority.connector(MinimumVersion::Tls12);
    let (client, server) = handshake(&connector, "a.test", &acceptor).await;
    (client.unwrap(), server.unwrap())
}

/// Reads until the end.
pub(crate) async fn read_to_end(stream: &mut Stream) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(all),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Bytes that repeat only after a long time, so that a gap or a swap shows.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

/// What a leg is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp,
    Tls,
}

/// A relay with somebody at either end.
pub(crate) struct Rig<R = JoinHandle<RelayEnd>> {
    pub(crate) client: Stream,
    pub(crate) backend: Stream,
    pub(crate) relay: R,
    pub(crate) table: SessionTable,
    pub(crate) id: u64,
}

impl Rig {
    pub(crate) async fn new(client: Kind, backend: Kind) -> Self {
        Self::with_pending(client, backend, b"", b"").await
    }

    pub(crate) async fn with_pending(
        client: Kind,
        backend: Kind,
        from_client: &[u8],
        from_backend: &[u8],
    ) -> Self {
        let Rig { client, backend, relay, table, id } =
            Rig::<Relay>::assemble(client, backend, from_client, from_backend).await;
        Self { client, backend, relay: tokio::spawn(relay), table, id }
    }

    pub(crate) async fn unstarted(client: Kind, backend: Kind) -> Rig<Relay> {
        Rig::<Relay>::assemble(client, backend, b"", b"").await
    }
}

impl Rig<Relay> {
    async fn assemble(
        client: Kind,
        backend: Kind,
        from_client: &[u8],
        from_backend: &[u8],
    ) -> Self {
        // Towards the client Waypost accepts, towards the back end it connects.
        let (client, client_leg) = pair(client).await;
        let (backend_leg, backend) = pair(backend).await;
        let (table, record) = record();
        let id = record.id();
        let client_leg = Leg { stream: client_leg, pending: from_client.to_vec() };
        let backend_leg = Leg { stream: backend_leg, pending: from_backend.to_vec() };
        Self { client, backend, relay: relay(client_leg, backend_leg, record), table, id }
    }
}

/// Two ends of a connection: who connected, who accepted.
async fn pair(kind: Kind) -> (Stream, Stream) {
    match kind {
        Kind::Tcp => {
            let (near, far) = tcp_pair().await;
            (near.into(), far.into())
        }
        Kind::Tls => tls_pair().await,
    }
}

/// A table with one session in it.
pub(crate) fn record() -> (SessionTable, SessionRecord) {
    let table = SessionTable::new();
    let kind = Arc::new(SessionKind {
        listener: "test".into(),
        protocol: Protocol::Imap,
        idle_limit: Duration::from_secs(60),
    });
    let record = table.open(&kind, "192.0.2.1:4242".parse().unwrap());
    (table, record)
}

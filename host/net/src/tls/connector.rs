//! TLS on the back end's leg.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use waypost_model::Host;

use super::certificates::read_chain;
use super::engine::Engine;
use super::{CertificateFileError, MinimumVersion, TlsError, TlsStream, provider};

/// How many targets' sessions are remembered for resumption.
const MAX_TARGETS: usize = 1024;

/// Whom a back end's certificate must be signed by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// The authorities that the system trusts.
    #[default]
    System,
    /// The certificates of a PEM file, and nobody else.
    File(PathBuf),
}

/// How TLS is spoken with a back end.
#[derive(Clone, Debug)]
pub struct ConnectorSettings {
    /// The trusted authorities.
    pub roots: Roots,
    /// `false` accepts any certificate from anybody: passwords then go to whoever answers. It is
    /// logged as a warning.
    pub verify: bool,
    /// The protocols to offer (ALPN, RFC 7301); none by default, since older servers are known to
    /// stumble over it.
    pub application_protocols: Vec<Vec<u8>>,
    /// The oldest version that is spoken.
    pub minimum_version: MinimumVersion,
}

impl Default for ConnectorSettings {
    fn default() -> Self {
        Self {
            roots: Roots::System,
            verify: true,
            application_protocols: Vec::new(),
            minimum_version: MinimumVersion::default(),
        }
    }
}

/// Why there can be no connector.
#[derive(Debug, Error)]
pub enum ConnectorError {
    /// The file of trusted authorities.
    #[error("the trusted authorities: {0}")]
    File(#[from] CertificateFileError),
    /// A certificate of that file cannot be an authority.
    #[error("{}: a certificate in it cannot be trusted as an authority: {error}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: rustls::Error,
    },
    /// The system trusts nobody.
    #[error(
        "no trusted authorities were found on this system{0}; install them (ca-certificates) or name a file"
    )]
    NoSystemRoots(String),
    /// The settings contradict each other.
    #[error("TLS cannot be set up: {0}")]
    Settings(#[from] rustls::Error),
}

/// Makes the client's side of TLS handshakes, and remembers sessions of each target to resume.
/// Cheap to clone; clones share what they remember.
#[derive(Clone)]
pub struct Connector {
    inner: Arc<Inner>,
}

struct Inner {
    config: ClientConfig,
    /// The same configuration for each name and port, each with its own memory of sessions: a
    /// ticket means nothing to another server, and two ports of a host may be two servers.
    targets: Mutex<HashMap<(ServerName<'static>, u16), Arc<ClientConfig>>>,
}

impl Connector {
    /// Reads the trusted authorities.
    pub fn new(settings: ConnectorSettings) -> Result<Self, ConnectorError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(settings.minimum_version.versions())?;
        let mut config = if settings.verify {
            builder.with_root_certificates(roots(&settings.roots)?).with_no_client_auth()
        } else {
            tracing::warn!(
                target: "waypost::tls",
                "certificates of back ends are not verified: anybody on the way can read passwords"
            );
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AcceptAny(provider())))
                .with_no_client_auth()
        };
        config.alpn_protocols = settings.application_protocols;
        Ok(Self { inner: Arc::new(Inner { config, targets: Mutex::default() }) })
    }

    /// Forgets every session that could be resumed: the next handshakes are full ones.
    pub fn forget_sessions(&self) {
        self.inner.targets.lock().clear();
    }

    /// Makes the handshake with the server at the other end of `tcp`, which must prove to be
    /// `host` by `deadline`. A name is sent along (SNI, RFC 6066 section 3), an address is not.
    pub async fn connect(
        &self,
        tcp: TcpStream,
        host: &Host,
        deadline: Instant,
    ) -> Result<Box<TlsStream>, TlsError> {
        let name = server_name(host)?;
        let port = tcp.peer_addr().map_err(TlsError::Network)?.port();
        let config = self.inner.config_for(&name, port);
        let connection = UnbufferedClientConnection::new(config, name)?;
        let mut stream = TlsStream::new(tcp, Engine::Client(connection));
        timeout_at(deadline, poll_fn(|cx| stream.poll_handshake(cx)))
            .await
            .map_err(|_| TlsError::Timeout)??;
        Ok(stream)
    }
}

impl Inner {
    fn config_for(&self, name: &ServerName<'static>, port: u16) -> Arc<ClientConfig> {
        let mut targets = self.targets.lock();
        let key = (name.clone(), port);
        if let Some(config) = targets.get(&key) {
            return config.clone();
        }
        if targets.len() >= MAX_TARGETS {
            targets.clear();
        }
        let mut config = self.config.clone();
        config.resumption = Resumption::in_memory_sessions(1);
        let config = Arc::new(config);
        targets.insert(key, config.clone());
        config
    }
}

fn server_name(host: &Host) -> Result<ServerName<'static>, TlsError> {
    match host {
        Host::Address(address) => Ok(ServerName::from(*address)),
        Host::Name(name) => ServerName::try_from(name.as_str().to_owned())
            .map_err(|_| rustls::Error::General(format!("{name} is not a DNS name")).into()),
    }
}

fn roots(roots: &Roots) -> Result<RootCertStore, ConnectorError> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::File(path) => {
            for certificate in read_chain(path)? {
                store
                    .add(certificate)
                    .map_err(|error| ConnectorError::Authority { path: path.clone(), error })?;
            }
        }
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            // A system's store may hold what rustls cannot read; the rest is as good.
            store.add_parsable_certificates(found.certs);
            if store.is_empty() {
                let why = found.errors.first().map(|error| format!(" ({error})"));
                return Err(ConnectorError::NoSystemRoots(why.unwrap_or_default()));
            }
        }
    }
    Ok(store)
}

/// Accepts any certificate, but not a peer that has not even its key.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

//! TLS on the client's leg.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection, WebPkiClientVerifier};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::engine::Engine;
use super::{
    Certificates, ClientCertificates, MinimumVersion, NoName, TlsError, TlsStream, provider,
};
use crate::metrics::Metrics;

/// How TLS is spoken with the clients of a listener.
#[derive(Clone, Debug, Default)]
pub struct AcceptorSettings {
    /// The protocols that a client may name (ALPN, RFC 7301), such as `imap`. A client that names
    /// others only is refused, so that a page in a browser cannot be made to talk to a mail port
    /// (ALPACA; RFC 9325 section 3.7). A client that names none is served. An empty list asks
    /// nothing.
    pub application_protocols: Vec<Vec<u8>>,
    /// The oldest version that is spoken.
    pub minimum_version: MinimumVersion,
    /// What is asked of clients' certificates; `None`: nobody is asked for one.
    pub client_certificates: Option<Arc<ClientCertificates>>,
}

/// Makes the server's side of TLS handshakes. Cheap to clone; clones share the ticket keys.
#[derive(Clone)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    client_certificates: Option<Arc<ClientCertificates>>,
    metrics: Option<Metrics>,
}

impl Acceptor {
    /// An acceptor that shows `certificates`.
    ///
    /// # Errors
    /// Where the system has no random numbers for the ticket keys.
    pub fn new(
        certificates: Arc<Certificates>,
        settings: AcceptorSettings,
    ) -> Result<Self, TlsError> {
        let versions = settings.minimum_version.versions();
        let verifier: Arc<dyn ClientCertVerifier> = match &settings.client_certificates {
            Some(certificates) => certificates.clone(),
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(certificates);
        config.alpn_protocols = settings.application_protocols;
        // Sessions resume from tickets, which the client keeps. The keys change every six hours
        // and serve for twelve. A ticket holds the client's certificate too, and no other listener can
        // read it.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = Ticketer::new()?;
        // One ticket for each session; a client that wants to open several says so (RFC 9149).
        config.send_tls13_tickets = 1;
        config.max_tls13_tickets = 4;
        let client_certificates = settings.client_certificates;
        Ok(Self { config: Arc::new(config), client_certificates, metrics: None })
    }

    /// The same, counting its handshakes.
    #[must_use]
    pub fn counted(self, metrics: &Metrics) -> Self {
        Self { metrics: Some(metrics.clone()), ..self }
    }

    /// Makes the handshake, which must be over by `deadline`.
    ///
    /// # Errors
    /// What the client did wrong, or what it says is wrong with us.
    pub async fn accept(
        &self,
        tcp: TcpStream,
        deadline: Instant,
    ) -> Result<Box<TlsStream>, TlsError> {
        let result = self.handshake(tcp, deadline).await;
        if let Some(metrics) = &self.metrics {
            match &result {
                Ok(tls) if tls.is_resumed() => metrics.handshake(tls.version(), "resumed"),
                Ok(tls) => metrics.handshake(tls.version(), "full"),
                Err(error) => metrics.handshake(error.kind(), "failed"),
            }
        }
        result
    }

    /// What the certificate of a client whose handshake was made here says of who it is; `None` where
    /// it has shown none, or where certificates do not say that here.
    pub fn certificate_name(&self, stream: &TlsStream) -> Option<Result<Arc<str>, NoName>> {
        self.client_certificates.as_ref()?.name(stream)
    }

    async fn handshake(
        &self,
        tcp: TcpStream,
        deadline: Instant,
    ) -> Result<Box<TlsStream>, TlsError> {
        let connection = UnbufferedServerConnection::new(self.config.clone())?;
        let mut stream = TlsStream::new(tcp, Engine::Server(connection));
        timeout_at(deadline, poll_fn(|cx| stream.poll_handshake(cx)))
            .await
            .map_err(|_| TlsError::Timeout)??;
        if let Some(certificates) =
            self.client_certificates.as_ref().filter(|_| stream.is_resumed())
        {
            certificates.verify_resumed(&stream)?;
        }
        Ok(stream)
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}

//! TLS on the client's leg.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::engine::Engine;
use super::{Certificates, MinimumVersion, TlsError, TlsStream, provider};

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
}

/// Makes the server's side of TLS handshakes. Cheap to clone; clones share the ticket keys.
#[derive(Clone)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
}

impl Acceptor {
    /// An acceptor that shows `certificates`. Fails where the system has no random numbers.
    pub fn new(
        certificates: Arc<Certificates>,
        settings: AcceptorSettings,
    ) -> Result<Self, TlsError> {
        let versions = settings.minimum_version.versions();
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_cert_resolver(certificates);
        config.alpn_protocols = settings.application_protocols;
        // Sessions resume from tickets, which the client keeps. The keys change every six hours
        // and serve for twelve.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = Ticketer::new()?;
        // One ticket for each session; a client that wants to open several says so (RFC 9149).
        config.send_tls13_tickets = 1;
        config.max_tls13_tickets = 4;
        Ok(Self { config: Arc::new(config) })
    }

    /// Makes the handshake, which must be over by `deadline`.
    pub async fn accept(
        &self,
        tcp: TcpStream,
        deadline: Instant,
    ) -> Result<Box<TlsStream>, TlsError> {
        let connection = UnbufferedServerConnection::new(self.config.clone())?;
        let mut stream = TlsStream::new(tcp, Engine::Server(connection));
        timeout_at(deadline, poll_fn(|cx| stream.poll_handshake(cx)))
            .await
            .map_err(|_| TlsError::Timeout)??;
        Ok(stream)
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}

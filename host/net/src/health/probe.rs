use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use waypost_model::{Encryption, Protocol};

use crate::Stream;
use crate::backend::Endpoint;
use crate::proxy_header;
use crate::tls::TlsError;

/// Goes as far as a login does before its credentials: a connection, the PROXY header that says
/// nobody is behind it, TLS where it comes first, and the first byte of the greeting.
pub(super) struct Probe {
    address: SocketAddr,
    endpoint: Endpoint,
}

impl Probe {
    pub(super) fn new(address: SocketAddr, endpoint: &Endpoint) -> Self {
        Self { address, endpoint: endpoint.clone() }
    }

    /// Whether the server answers. Takes two connect timeouts at most.
    pub(super) async fn run(&self) -> bool {
        let deadline = Instant::now() + self.timeout() * 2;
        timeout_at(deadline, self.answers(deadline)).await == Ok(Some(()))
    }

    fn timeout(&self) -> Duration {
        self.endpoint.settings.connect_timeout
    }

    async fn answers(&self, deadline: Instant) -> Option<()> {
        let connected = Instant::now() + self.timeout();
        let connecting = TcpStream::connect(self.address);
        let mut tcp = timeout_at(connected, connecting).await.ok()?.ok()?;
        let header = proxy_header::own(self.endpoint.settings.client_identity);
        tcp.write_all(&header).await.ok()?;
        let mut stream = match &self.endpoint.tls {
            Some(tls) if self.endpoint.encryption == Encryption::Implicit => {
                match tls.connect(tcp, &self.endpoint.tls_name, deadline).await {
                    Ok(stream) => Stream::Tls(stream),
                    Err(TlsError::Timeout | TlsError::Closed | TlsError::Network(_)) => {
                        return None;
                    }
                    // Somebody is there. What is wrong with the certificate, the login shall say.
                    Err(_) => return Some(()),
                }
            }
            _ => Stream::Tcp(tcp),
        };
        if self.endpoint.settings.protocol == Protocol::Webmail {
            // In HTTP the client speaks first.
            return Some(());
        }
        let mut greeting = [0];
        matches!(stream.read(&mut greeting).await, Ok(1..)).then_some(())
    }
}

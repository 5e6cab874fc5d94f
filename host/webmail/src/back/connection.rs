//! From a target to a connection that takes a request.

use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use waypost_model::Encryption;
use waypost_net::backend::Endpoint;
use waypost_net::connect::{Connected, Connector, Request};
use waypost_net::stream::Stream;

use super::failure::TargetFailure;
use super::pool::Connection;
use crate::front::PatientStream;

/// The longest head of an answer, in octets. Applications set many and long cookies.
const MAX_ANSWER_HEAD: usize = 128 << 10;
/// The most fields of an answer.
const MAX_ANSWER_FIELDS: usize = 256;
/// The buffer of a connection: a head must fit.
const BUFFER: usize = MAX_ANSWER_HEAD + (8 << 10);

/// Opens a connection to a target, and encrypts it as the back-end table demands.
///
/// A connection that is open is enough to call the address up: how long an application takes over
/// one request says nothing of its server, and could be any user's to choose.
pub(crate) async fn connect_and_greet(
    connector: &Connector,
    request: &Request<'_>,
    stall: Duration,
) -> Result<Connection, TargetFailure> {
    let Connected { stream, address, endpoint, reached } = connector.connect(request).await?;
    let stream = match endpoint.encryption {
        Encryption::None => {
            reached.greeted();
            Stream::from(stream)
        }
        Encryption::Starttls => {
            reached.greeted();
            return Err(TargetFailure::NoStarttls);
        }
        Encryption::Implicit => match start_tls(&endpoint, stream).await {
            Ok(stream) => {
                reached.greeted();
                stream
            }
            Err(error @ TargetFailure::Tls(waypost_net::tls::TlsError::Timeout)) => {
                reached.silent();
                return Err(error);
            }
            Err(error) => {
                reached.greeted();
                return Err(error);
            }
        },
    };
    let io = TokioIo::new(PatientStream::new(stream, stall));
    let handshake = http1::Builder::new()
        .max_headers(MAX_ANSWER_FIELDS)
        .max_header_size(MAX_ANSWER_HEAD)
        .max_buf_size(BUFFER)
        .handshake(io);
    let handshake = timeout(endpoint.settings.reply_timeout, handshake).await;
    let (sender, connection) =
        handshake.map_err(|_| TargetFailure::Timeout)?.map_err(TargetFailure::Unsent)?;
    tokio::spawn(async move {
        // Whoever sent a request over it hears what became of that.
        let _ = connection.with_upgrades().await;
    });
    let settings = endpoint.settings.clone();
    Ok(Connection { sender, address, settings, opened: Instant::now() })
}

async fn start_tls(endpoint: &Endpoint, tcp: TcpStream) -> Result<Stream, TargetFailure> {
    // An endpoint that needs TLS says whom to trust, or there is no endpoint.
    let connector = endpoint.tls.as_ref().ok_or(TargetFailure::NoStarttls)?;
    let deadline = Instant::now() + endpoint.settings.reply_timeout;
    let tls = connector.connect(tcp, &endpoint.tls_name, deadline).await?;
    Ok(Stream::from(tls))
}

/// Whether a connection can be shared: where a PROXY header stood at its beginning it is one
/// client's.
pub(crate) fn is_of_one_client(endpoint: &Endpoint) -> bool {
    use waypost_net::backend::ClientIdentity::{ProxyV1, ProxyV2};
    matches!(endpoint.settings.client_identity, ProxyV1 | ProxyV2)
}

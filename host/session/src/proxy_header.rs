use std::net::SocketAddr;

use waypost_net::stream::Stream;
use waypost_wire::proxy::{Header, Ssl};

/// What a back end is told by a PROXY header of the client that is on `stream`: beside the addresses
/// the session's id in the log, and how the client's leg is encrypted (version 2 only).
pub fn proxy_header(client: SocketAddr, local: SocketAddr, id: &str, stream: &Stream) -> Header {
    let ssl = stream.tls().map(|tls| Ssl {
        encrypted: true,
        // One that TLS could not verify would have ended the connection.
        certificate: tls.peer_certificates().is_some(),
        verified: tls.peer_certificates().is_some(),
        version: Some(tls.version().to_owned()),
        cipher: tls.cipher_suite().map(str::to_owned),
        ..Ssl::default()
    });
    Header {
        source: Some(client),
        destination: Some(local),
        unique_id: Some(id.as_bytes().to_vec()),
        ssl,
        ..Header::default()
    }
}

//! The PROXY header on a socket: read before a client's first byte, written before a back end's.
//!
//! What it looks like is known to [`waypost_wire::proxy`]; who may send one is the listener's
//! `proxy-protocol-from`, who gets one the back-end table's `client-identity`.

use std::io;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::{Instant, timeout_at};
use waypost_wire::proxy::{self, Decoded, Header, Invalid};

use crate::backend::ClientIdentity;

/// Why a trusted peer's connection has no usable header.
#[derive(Debug, Error)]
pub enum HeaderError {
    /// What it sent instead.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The time was up.
    #[error("the PROXY header did not arrive in time")]
    Timeout,
    /// The connection ended within the header.
    #[error("the connection ended within the PROXY header")]
    Closed,
    /// The connection ended before the header's first byte: the way some balancers look whether
    /// anybody is there.
    #[error("the connection ended before its PROXY header")]
    Probe,
    /// The system's own word.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads the header at the start of `stream`, to its last byte and not one further: what stands
/// behind it is the client's, and may be the start of a TLS handshake.
///
/// # Errors
/// When there is none by `deadline`. Nothing can be done with the connection then but close it.
pub async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    deadline: Instant,
) -> Result<Box<Header>, HeaderError> {
    timeout_at(deadline, read_all(stream)).await.unwrap_or(Err(HeaderError::Timeout))
}

async fn read_all<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Box<Header>, HeaderError> {
    // Most headers of version 2 are 28 or 52 bytes; the decoder bounds all of them.
    let mut input = Vec::with_capacity(64);
    loop {
        let missing = match proxy::decode(&input) {
            Decoded::Header(header, _) => return Ok(header),
            Decoded::Invalid(invalid) => return Err(invalid.into()),
            Decoded::NeedMore(missing) => missing,
        };
        let missing = u64::try_from(missing).unwrap_or(u64::MAX);
        if (&mut *stream).take(missing).read_buf(&mut input).await? == 0 {
            return Err(if input.is_empty() { HeaderError::Probe } else { HeaderError::Closed });
        }
    }
}

/// What goes out to a back end of `identity` before anything else, for the client that `header`
/// names: nothing, unless it is told by a PROXY header.
pub(crate) fn told(identity: ClientIdentity, header: &Header) -> Vec<u8> {
    let mut out = Vec::new();
    match identity {
        ClientIdentity::None | ClientIdentity::Command => {}
        ClientIdentity::ProxyV1 => header.encode_v1(&mut out),
        ClientIdentity::ProxyV2 => header.encode_v2(&mut out),
    }
    out
}

/// The same for a connection on which Waypost speaks for itself.
pub(crate) fn own(identity: ClientIdentity) -> Vec<u8> {
    told(identity, &Header { local: true, ..Header::default() })
}

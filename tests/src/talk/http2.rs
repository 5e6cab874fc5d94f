//! HTTP/2 frame for frame, over TLS.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// How long a server may be silent before the test has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Types of frames (RFC 9113 section 6).
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// Flags of `DATA` and `HEADERS`.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// A connection.
pub(crate) struct Http2Talk(StreamOwned<ClientConnection, TcpStream>);

/// A frame.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub kind: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer with this status.
    Answered(u16),
    /// It was reset, with this code.
    Reset(u32),
    /// The connection has ended.
    Closed,
}

impl Http2Talk {
    /// Connects, and says nothing beyond TLS.
    pub fn silent(port: u16, ca: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.set_nodelay(true).unwrap();
        tls.complete_io(&mut tcp).unwrap();
        assert_eq!(tls.alpn_protocol(), Some(&b"h2"[..]));
        Self(StreamOwned::new(tls, tcp))
    }

    /// Connects and begins as HTTP/2 begins.
    pub fn connect(port: u16, ca: &Path) -> Self {
        let mut talk = Self::silent(port, ca);
        assert!(talk.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        assert!(talk.frame(SETTINGS, 0, 0, &[]));
        talk
    }

    /// Sends octets; whether they could be sent.
    pub fn send(&mut self, octets: &[u8]) -> bool {
        self.0.write_all(octets).and_then(|()| self.0.flush()).is_ok()
    }

    /// Sends a frame; whether it could be sent.
    pub fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.send(&frame(kind, flags, stream, payload))
    }

    /// The next frame; `None` when the connection has ended.
    pub fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        heard(self.0.read_exact(&mut head))?;
        let [a, b, c, kind, _, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        heard(self.0.read_exact(&mut payload))?;
        Some(Frame { kind, stream: u32::from_be_bytes(stream) & 0x7fff_ffff, payload })
    }

    /// Reads on until it is known what becomes of a stream.
    pub fn outcome(&mut self, stream: u32) -> Outcome {
        loop {
            match self.next() {
                None => return Outcome::Closed,
                Some(frame) if frame.stream != stream => {}
                Some(frame) if frame.kind == HEADERS => {
                    return Outcome::Answered(status(&frame.payload));
                }
                Some(frame) if frame.kind == RST_STREAM => {
                    let code = frame.payload[..].try_into().unwrap();
                    return Outcome::Reset(u32::from_be_bytes(code));
                }
                Some(_) => {}
            }
        }
    }

    /// Reads on until the connection ends, which it must.
    pub fn rest(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

/// A frame as it stands on the wire.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    let [d, e, f, g] = stream.to_be_bytes();
    [&[a, b, c, kind, flags, d, e, f, g], payload].concat()
}

/// Fields as literals that are not indexed, names and values as they are (RFC 7541 section 6.2.2).
pub(crate) fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        push_text(&mut block, name);
        push_text(&mut block, value);
    }
    block
}

/// A text with its length before it, in a prefix of seven bits (RFC 7541 sections 5.1 and 5.2).
pub(crate) fn push_text(block: &mut Vec<u8>, text: &str) {
    if text.len() < 127 {
        block.push(text.len() as u8);
    } else {
        block.push(127);
        let mut rest = text.len() - 127;
        while rest >= 128 {
            block.push((rest % 128) as u8 | 128);
            rest /= 128;
        }
        block.push(rest as u8);
    }
    block.extend_from_slice(text.as_bytes());
}

/// The status of an answer, its first field: from the static table (RFC 7541 appendix A), or a
/// literal of its own in digits of Huffman's (appendix B).
fn status(block: &[u8]) -> u16 {
    match *block {
        [0x88, ..] => 200,
        [0x89, ..] => 204,
        [0x8c, ..] => 400,
        [0x8d, ..] => 404,
        [0x8e, ..] => 500,
        [0x48, length, ..] if length & 128 != 0 => {
            let octets = &block[2..2 + usize::from(length & 127)];
            let bits: String = octets.iter().map(|octet| format!("{octet:08b}")).collect();
            let mut bits = &*bits;
            let mut status = 0;
            for _ in 0..3 {
                // 0 to 2 are five bits, 3 to 9 are six, from 011001.
                let (digit, rest) = match u16::from_str_radix(&bits[..5], 2).unwrap() {
                    digit @ 0..=2 => (digit, &bits[5..]),
                    _ => (u16::from_str_radix(&bits[..6], 2).unwrap() - 0b01_1001 + 3, &bits[6..]),
                };
                (status, bits) = (status * 10 + digit, rest);
            }
            status
        }
        _ => panic!("no status: {block:?}"),
    }
}

/// A connection that is reset is closed too; one that stays silent has failed the test.
fn heard(read: std::io::Result<()>) -> Option<()> {
    if let Err(error) = &read {
        let is_silent = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!is_silent, "nothing was heard within {PATIENCE:?}");
    }
    read.ok()
}

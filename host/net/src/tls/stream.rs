//! A TLS connection over TCP that holds no buffer while it is idle.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::ProtocolVersion;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::TlsError;
use super::engine::{Engine, Phase, Plaintext};
use crate::buffers::{self, Buffer, Leftover};

/// The most plaintext that one record carries (RFC 8446 section 5.1).
const RECORD_PLAINTEXT: usize = 16 * 1024;

/// The longest record on the wire that rustls accepts: plaintext, expansion (RFC 5246 section
/// 6.2.3 allows more than RFC 8446 section 5.2) and header.
const MAX_RECORD: usize = RECORD_PLAINTEXT + 2048 + 5;

/// How many records are read or written at once.
const RECORDS: usize = 3;

/// The most plaintext that [`TlsStream::poll_write`] takes at once, and that
/// [`TlsStream::poll_read`] hands out at once.
pub(crate) const BATCH: usize = RECORDS * RECORD_PLAINTEXT;

/// The longest handshake message that may be under way, with the headers of its records. A client
/// has to say no more than its hello; a server sends its certificate chain.
const MAX_CLIENT_MESSAGE: usize = MAX_RECORD;
const MAX_SERVER_MESSAGE: usize = buffers::SIZE - MAX_RECORD;

/// A TLS connection, of either side, after its handshake.
///
/// Plaintext, ciphertext and partial records are kept here only where the peer has sent part of a
/// record or where either side is slower than the other.
pub struct TlsStream {
    tcp: TcpStream,
    engine: Engine,
    /// Received records that are not complete, as rustls left them.
    incoming: Leftover,
    /// Decrypted bytes that the reader had no room for.
    plaintext: Leftover,
    /// Encrypted bytes that the socket had no room for.
    outgoing: Leftover,
    receiving: Receiving,
    /// Why receiving failed, until the reader has heard of it.
    failure: Option<Box<rustls::Error>>,
    close_sent: bool,
    /// `outgoing` waits for company, not for the socket.
    corked: bool,
}

/// What the peer may still send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiving {
    Open,
    /// It has said close_notify.
    Closed,
    /// Its TCP half ended without close_notify: bytes may have been cut off.
    Truncated,
    /// It broke the protocol.
    Failed,
}

impl TlsStream {
    /// A connection whose handshake is still to be made.
    pub(super) fn new(tcp: TcpStream, engine: Engine) -> Box<Self> {
        Box::new(Self {
            tcp,
            engine,
            incoming: Leftover::default(),
            plaintext: Leftover::default(),
            outgoing: Leftover::default(),
            receiving: Receiving::Open,
            failure: None,
            close_sent: false,
            corked: false,
        })
    }

    /// Drives the handshake to its end.
    ///
    /// What a TLS 1.3 server says last, its session tickets, is kept to leave with the first bytes
    /// of the session: one packet less for each login.
    pub(super) fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TlsError>> {
        loop {
            // Without new bytes: what is there to be said, and where do we stand?
            let (_, phase) = self.receive(0, &mut [], &mut Buffer::borrow())?;
            if phase == Phase::Traffic && self.is_tickets_only() {
                self.corked = true;
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_flush(cx))?;
            match (phase, self.receiving) {
                (Phase::Traffic, Receiving::Open) => return Poll::Ready(Ok(())),
                (Phase::Handshake, Receiving::Open) => {}
                _ => return Poll::Ready(Err(TlsError::Closed)),
            }
            ready!(self.poll_fill(cx, &mut []))?;
        }
    }

    /// Reads plaintext into `buffer`. `Ok(0)` is the peer's close_notify; the end of the TCP
    /// stream without one is the error `UnexpectedEof`.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let count = self.plaintext.move_to(buffer);
            if count > 0 || buffer.is_empty() {
                return Poll::Ready(Ok(count));
            }
            match self.receiving {
                Receiving::Open => {}
                Receiving::Closed => return Poll::Ready(Ok(0)),
                Receiving::Truncated => return Poll::Ready(Err(truncated())),
                Receiving::Failed => {
                    let failure = self.failure.take();
                    return Poll::Ready(Err(failure.map_or_else(failed, |error| invalid(*error))));
                }
            }
            let count = ready!(self.poll_fill(cx, buffer))?;
            if !self.corked {
                // The answer to a key update, say: it goes at once or with the next bytes.
                self.flush_now();
            }
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
        }
    }

    /// Encrypts the beginning of `bytes`, sends what the socket takes and keeps the rest, which
    /// goes out before anything else does: as long as some of it waits, nothing is taken. Returns
    /// how many bytes were taken.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.receiving == Receiving::Failed {
            return Poll::Ready(Err(failed()));
        }
        let mut out = Buffer::borrow();
        let queued = if self.corked {
            self.corked = false;
            self.outgoing.move_to(&mut out)
        } else {
            ready!(self.poll_flush(cx))?;
            0
        };
        let bytes = bytes.get(..BATCH).unwrap_or(bytes);
        let room = out.get_mut(queued..).unwrap_or_default();
        let count = self.engine.encrypt(self.incoming.as_mut_slice(), bytes, room);
        let count = count.map_err(invalid)?;
        let mut rest = out.get(..queued + count).unwrap_or_default();
        while !rest.is_empty() {
            match Pin::new(&mut self.tcp).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => rest = rest.get(count..).unwrap_or_default(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.outgoing.push(rest);
                    break;
                }
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    /// Sends what [`TlsStream::poll_write`] kept.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let tcp = Pin::new(&mut self.tcp);
            match ready!(tcp.poll_write(cx, self.outgoing.as_slice()))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.outgoing.consume(count),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the sending half: close_notify, then FIN. Receiving goes on (RFC 8446 section 6.1).
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.queue_close()?;
        ready!(self.poll_flush(cx))?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    /// Ends the sending half without close_notify, so that the peer learns that bytes may be
    /// missing.
    pub(crate) fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    /// Sends close_notify where the socket takes it at once.
    pub(crate) fn close_now(&mut self) {
        if self.queue_close().is_ok() {
            self.flush_now();
        }
    }

    /// How many bytes wait for the socket.
    pub(crate) fn unsent(&self) -> usize {
        self.outgoing.len()
    }

    /// How many bytes have been received and not been read.
    pub(crate) fn unread(&self) -> usize {
        self.incoming.len() + self.plaintext.len()
    }

    /// The socket below.
    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// The protocol version in the words of the log: `TLSv1.2` or `TLSv1.3`.
    pub fn version(&self) -> &'static str {
        match self.engine.common().protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "unknown",
        }
    }

    /// The cipher suite by its IANA name, such as `TLS13_AES_256_GCM_SHA384`.
    pub fn cipher_suite(&self) -> Option<&'static str> {
        self.engine.common().negotiated_cipher_suite()?.suite().as_str()
    }

    /// The application protocol that was agreed upon (RFC 7301), if any.
    pub fn application_protocol(&self) -> Option<&[u8]> {
        self.engine.common().alpn_protocol()
    }

    /// Whether the handshake resumed an earlier session.
    pub fn is_resumed(&self) -> bool {
        self.engine.common().handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    /// The certificates that the peer has shown, its own first, on this connection or when the session
    /// that was resumed here began.
    pub fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.engine.common().peer_certificates()
    }

    /// Reads what the socket has, once, and decrypts it into `buffer`. Returns how many bytes
    /// stand there, which may be none where the peer sent part of a record, or of a handshake.
    fn poll_fill(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut scratch = Buffer::borrow();
        let held = self.incoming.len();
        let end = held.saturating_add(self.read_size(buffer.len())).min(scratch.len());
        let room = scratch.get_mut(held..end).unwrap_or_default();
        let mut read = ReadBuf::new(room);
        ready!(tokio::io::AsyncRead::poll_read(Pin::new(&mut self.tcp), cx, &mut read))?;
        let count = read.filled().len();
        if count == 0 {
            self.receiving = Receiving::Truncated;
            return Poll::Ready(Err(truncated()));
        }
        let result = self.receive(count, buffer, &mut scratch);
        Poll::Ready(result.map(|(filled, _)| filled).map_err(invalid))
    }

    /// How many bytes to read for a reader with this much room: whole records where it has room
    /// for some, so that nothing is left over when the peer sends in bulk.
    fn read_size(&self, room: usize) -> usize {
        if room < RECORD_PLAINTEXT {
            return room.max(4096);
        }
        let expansion = match self.engine.common().protocol_version() {
            // Header, content type and tag; header, explicit nonce and tag.
            Some(ProtocolVersion::TLSv1_3) => 5 + 1 + 16,
            _ => 5 + 8 + 16,
        };
        let records = (room / RECORD_PLAINTEXT).min(RECORDS);
        let wanted = records * (RECORD_PLAINTEXT + expansion);
        // A record may be longer than that, or a handshake message reach over many.
        wanted.saturating_sub(self.incoming.len()).max(1024)
    }

    /// Decrypts the leftover and the `count` bytes that stand behind room for it in `scratch`.
    fn receive(
        &mut self,
        count: usize,
        buffer: &mut [u8],
        scratch: &mut [u8],
    ) -> Result<(usize, Phase), rustls::Error> {
        let held = self.incoming.move_to(scratch);
        let filled = scratch.get_mut(..held + count).unwrap_or_default();
        let mut plaintext = Plaintext::new(buffer, &mut self.plaintext);
        let (used, result) = self.engine.receive(filled, &mut plaintext, self.outgoing.as_vec());
        let decrypted = plaintext.filled();
        match result {
            Ok(phase) => {
                let rest = filled.get(used..).unwrap_or_default();
                if rest.len() > self.longest_message() {
                    self.receiving = Receiving::Failed;
                    return Err(rustls::Error::PeerSentOversizedRecord);
                }
                self.incoming.push(rest);
                if phase == Phase::PeerClosed {
                    self.receiving = Receiving::Closed;
                }
                Ok((decrypted, phase))
            }
            Err(error) => {
                self.receiving = Receiving::Failed;
                // The alert that tells the peer what was wrong.
                self.flush_now();
                if decrypted == 0 {
                    return Err(error);
                }
                // What came before is genuine, and is read first.
                self.failure = Some(Box::new(error));
                Ok((decrypted, Phase::Traffic))
            }
        }
    }

    fn longest_message(&self) -> usize {
        match self.engine {
            Engine::Server(_) => MAX_CLIENT_MESSAGE,
            Engine::Client(_) => MAX_SERVER_MESSAGE,
        }
    }

    fn queue_close(&mut self) -> io::Result<()> {
        if self.close_sent || self.receiving == Receiving::Failed {
            return Ok(());
        }
        self.close_sent = true;
        let mut out = Buffer::borrow();
        let count = self.engine.close(self.incoming.as_mut_slice(), &mut out).map_err(invalid)?;
        self.outgoing.push(out.get(..count).unwrap_or_default());
        Ok(())
    }

    /// Sends what the socket takes without waiting.
    fn flush_now(&mut self) {
        self.corked = false;
        while !self.outgoing.is_empty() {
            match self.tcp.try_write(self.outgoing.as_slice()) {
                Ok(0) | Err(_) => return,
                Ok(count) => self.outgoing.consume(count),
            }
        }
    }

    /// Whether all that waits to be sent after the handshake are a server's session tickets. In
    /// TLS 1.2 the client still waits for the server's Finished.
    fn is_tickets_only(&self) -> bool {
        matches!(self.engine, Engine::Server(_))
            && self.engine.common().protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }
}

impl fmt::Debug for TlsStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("version", &self.version())
            .field("receiving", &self.receiving)
            .finish_non_exhaustive()
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn truncated() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the TLS connection ended without close_notify")
}

fn failed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the TLS connection has failed")
}

//! One leg of a session: TCP, TLS over TCP, or memory in tests.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;

use crate::tls::TlsStream;

/// The most that a TLS record holds, in octets (RFC 8446 section 5.1).
const RECORD: usize = 1 << 14;

/// A connection with a client or a back end.
#[derive(Debug)]
pub enum Stream {
    /// In clear.
    Tcp(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream>),
    /// Between two tasks of a test (see [`tokio::io::duplex`]).
    Memory(DuplexStream),
}

impl Stream {
    /// Reads what there is into `buffer`, waiting for at least one byte. `Ok(0)` is the end of what
    /// the peer sends. Over TLS the end must be announced: where it is not, bytes may have been cut
    /// off, and the error is `UnexpectedEof`.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx, buffer)).await
    }

    /// Sends all of `bytes`: when this returns they are with the system.
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        poll_fn(|cx| {
            while !rest.is_empty() {
                let count = ready!(self.poll_write(cx, rest))?;
                rest = rest.get(count..).unwrap_or_default();
            }
            self.poll_flush(cx)
        })
        .await
    }

    /// Ends the sending half: close_notify over TLS, then FIN. The peer may still send.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_shutdown(cx)).await
    }

    /// Whether the leg is encrypted.
    pub fn is_encrypted(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// The TLS connection, for what was negotiated.
    pub fn tls(&self) -> Option<&TlsStream> {
        match self {
            Self::Tls(tls) => Some(tls),
            _ => None,
        }
    }

    /// The socket, to start TLS on: `None` where there is none, or where TLS runs already. The
    /// caller must hold no byte that was read from it (RFC 3207 section 4.2 and its likes).
    pub fn into_tcp(self) -> Option<TcpStream> {
        match self {
            Self::Tcp(tcp) => Some(tcp),
            Self::Tls(_) | Self::Memory(_) => None,
        }
    }

    /// The peer's address; memory has none.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.tcp()?.peer_addr().ok()
    }

    /// Our own address; memory has none.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.tcp()?.local_addr().ok()
    }

    /// The socket below.
    pub(crate) fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(tcp) => Some(tcp),
            Self::Tls(tls) => Some(tls.tcp()),
            Self::Memory(_) => None,
        }
    }

    /// See [`Stream::read`]. An empty buffer gives `Ok(0)` as well.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut read = ReadBuf::new(buffer);
        match self {
            Self::Tcp(tcp) => ready!(Pin::new(tcp).poll_read(cx, &mut read))?,
            Self::Memory(memory) => ready!(Pin::new(memory).poll_read(cx, &mut read))?,
            Self::Tls(tls) => return tls.poll_read(cx, buffer),
        }
        Poll::Ready(Ok(read.filled().len()))
    }

    /// The same into a buffer that need not have been written before.
    pub fn poll_read_buf(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::Memory(memory) => Pin::new(memory).poll_read(cx, buffer),
            Self::Tls(tls) => {
                let room = buffer.remaining().min(RECORD);
                let count = ready!(tls.poll_read(cx, buffer.initialize_unfilled_to(room)))?;
                buffer.advance(count);
                Poll::Ready(Ok(()))
            }
        }
    }

    /// As [`Stream::poll_write`], out of several buffers at once where [`Stream::is_vectored`].
    pub fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write_vectored(cx, buffers),
            Self::Memory(_) | Self::Tls(_) => {
                let first = buffers.iter().find(|buffer| !buffer.is_empty());
                self.poll_write(cx, first.map_or(&[], |first| first))
            }
        }
    }

    /// Whether writing out of several buffers costs no more than out of one.
    pub fn is_vectored(&self) -> bool {
        matches!(self, Self::Tcp(_))
    }

    /// Takes the beginning of `bytes` and returns how many were taken, never none. Over TLS they
    /// may wait, encrypted, for the socket: [`Stream::poll_flush`] sees them off.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let count = match self {
            Self::Tcp(tcp) => ready!(Pin::new(tcp).poll_write(cx, bytes))?,
            Self::Memory(memory) => ready!(Pin::new(memory).poll_write(cx, bytes))?,
            Self::Tls(tls) => ready!(tls.poll_write(cx, bytes))?,
        };
        if count == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        Poll::Ready(Ok(count))
    }

    /// Sends what [`Stream::poll_write`] took and the socket had no room for.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tls(tls) => tls.poll_flush(cx),
            Self::Tcp(_) | Self::Memory(_) => Poll::Ready(Ok(())),
        }
    }

    /// See [`Stream::shutdown`].
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = match self {
            Self::Tcp(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Memory(memory) => Pin::new(memory).poll_shutdown(cx),
            Self::Tls(tls) => tls.poll_shutdown(cx),
        };
        match ready!(result) {
            // The peer was faster: there is nothing left to end.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }
}

// What the relay needs besides.
impl Stream {
    /// Ends the sending half without close_notify, where there is one to be missed.
    pub(crate) fn poll_cut(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tls(tls) => tls.poll_cut(cx),
            Self::Tcp(_) | Self::Memory(_) => self.poll_shutdown(cx),
        }
    }

    /// How many bytes wait for the socket.
    pub(crate) fn unsent(&self) -> usize {
        if let Self::Tls(tls) = self { tls.unsent() } else { 0 }
    }

    /// How many bytes have come from the socket and not been read.
    pub(crate) fn unread(&self) -> usize {
        if let Self::Tls(tls) = self { tls.unread() } else { 0 }
    }
}

impl From<TcpStream> for Stream {
    fn from(tcp: TcpStream) -> Self {
        Self::Tcp(tcp)
    }
}

impl From<Box<TlsStream>> for Stream {
    fn from(tls: Box<TlsStream>) -> Self {
        Self::Tls(tls)
    }
}

impl From<DuplexStream> for Stream {
    fn from(memory: DuplexStream) -> Self {
        Self::Memory(memory)
    }
}

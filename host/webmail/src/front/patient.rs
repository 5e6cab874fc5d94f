use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use waypost_net::stream::Stream;

use crate::body::Patience;

/// A stream whose peer must not take nothing for too long. For how long it may *say* nothing
/// depends on whose turn it is, which is known elsewhere.
#[derive(Debug)]
pub(crate) struct PatientStream {
    stream: Stream,
    patience: Patience,
}

impl PatientStream {
    pub(crate) const fn new(stream: Stream, stall: Duration) -> Self {
        Self { stream, patience: Patience::new(stall) }
    }

    fn unless_lost<T>(
        &mut self,
        cx: &mut Context<'_>,
        done: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.patience.renew();
            return done;
        }
        self.patience.poll_lost(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for PatientStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().stream.poll_read_buf(cx, buffer)
    }
}

impl AsyncWrite for PatientStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let done = this.stream.poll_write(cx, bytes);
        this.unless_lost(cx, done)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let done = this.stream.poll_write_vectored(cx, buffers);
        this.unless_lost(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let done = this.stream.poll_flush(cx);
        this.unless_lost(cx, done)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let done = this.stream.poll_shutdown(cx);
        this.unless_lost(cx, done)
    }
}

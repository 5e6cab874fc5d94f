use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use waypost_net::stream::Stream;
use waypost_routing::Decide;

use super::PatientStream;
use crate::session::Session;

/// A client's stream, counted.
pub(crate) struct ClientStream<P: Decide> {
    stream: PatientStream,
    session: Arc<Session<P>>,
}

impl<P: Decide> ClientStream<P> {
    pub(crate) fn new(stream: Stream, session: &Arc<Session<P>>) -> Self {
        let stall = session.service.settings.stall_timeout;
        Self { stream: PatientStream::new(stream, stall), session: session.clone() }
    }
}

impl<P: Decide> AsyncRead for ClientStream<P> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let count = buffer.filled().len().saturating_sub(before);
        self.session.record.count_from_client(count as u64);
        self.session.record.touch();
        Poll::Ready(Ok(()))
    }
}

impl<P: Decide> AsyncWrite for ClientStream<P> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.session.record.count_from_backend(count as u64);
        self.session.record.touch();
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

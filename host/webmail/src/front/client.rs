use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use waypost_net::stream::Stream;
use waypost_routing::Decide;

use super::PatientStream;
use super::framing::{Framing, UNREADABLE};
use crate::session::Session;

/// A client's stream, counted. Over HTTP/1 its requests are looked through as they come.
pub(crate) struct ClientStream<P: Decide> {
    stream: PatientStream,
    session: Arc<Session<P>>,
    framing: Option<Box<Framing>>,
}

impl<P: Decide> ClientStream<P> {
    pub(crate) fn new(stream: Stream, session: &Arc<Session<P>>, is_http2: bool) -> Self {
        let stall = session.service.settings.stall_timeout;
        let framing = (!is_http2).then(Box::default);
        Self { stream: PatientStream::new(stream, stall), session: session.clone(), framing }
    }
}

impl<P: Decide> AsyncRead for ClientStream<P> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.framing.as_ref().is_some_and(|framing| framing.has_refused_body()) {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let count = buffer.filled().len().saturating_sub(before);
        self.session.record.count_from_client(count as u64);
        self.session.record.touch();
        if self.session.has_switched() {
            self.framing = None;
        }
        if let Some(framing) = &mut self.framing
            && let Some(place) = framing.look_through(buffer.filled().get(before..).unwrap_or(&[]))
        {
            buffer.set_filled(before + place);
            if framing.has_refused_body() {
                // What came before is whole, and has its turn first.
                return match place {
                    0 => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                    _ => Poll::Ready(Ok(())),
                };
            }
            let room = buffer.remaining().min(UNREADABLE.len());
            buffer.put_slice(UNREADABLE.get(..room).unwrap_or_default());
        }
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

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use waypost_net::stream::Stream;
use waypost_routing::Decide;

use super::PatientStream;
use super::framing::{Framing, UNREADABLE};
use crate::body::Patience;
use crate::session::Session;

/// What an HTTP/2 client says first (RFC 9113 section 3.4), in octets.
const PREFACE: usize = 24;
/// RFC 9110 section 15.5.9: with it the connection ends.
const TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A client's stream, counted. Over HTTP/1 its requests are looked through as they come, and their
/// heads have a time in which they must have come.
pub(crate) struct ClientStream<P: Decide> {
    stream: PatientStream,
    session: Arc<Session<P>>,
    syntax: Syntax,
    /// For how long a head may be waited for.
    head: Patience,
    /// An answer waits for the client to take it.
    is_writing: bool,
}

/// What comes over the connection.
enum Syntax {
    Http1(Box<Framing>),
    /// So much of the preface is to come.
    Http2(usize),
    /// No requests any more.
    Switched,
}

/// What a client has to send in time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owed {
    Nothing,
    /// The first octet of all.
    First,
    /// The rest of the preface.
    Preface,
    /// The rest of this head.
    Head(u64),
}

impl Syntax {
    /// What is owed where hyper finds nothing to read.
    ///
    /// Where it reads in the middle of a head it waits for that head, and for nothing else: as long
    /// as it answers a request it reads no further than into the next one's head.
    fn owed(&self) -> Owed {
        match self {
            Self::Http1(framing) => match framing.within_head() {
                Some(head) => Owed::Head(head),
                None if framing.is_fresh() => Owed::First,
                None => Owed::Nothing,
            },
            Self::Http2(PREFACE) => Owed::First,
            Self::Http2(1..) => Owed::Preface,
            Self::Http2(0) | Self::Switched => Owed::Nothing,
        }
    }
}

impl<P: Decide> ClientStream<P> {
    pub(crate) fn new(stream: Stream, session: &Arc<Session<P>>, is_http2: bool) -> Self {
        let settings = &session.service.settings;
        let syntax = match is_http2 {
            true => Syntax::Http2(PREFACE),
            false => Syntax::Http1(Box::default()),
        };
        Self {
            stream: PatientStream::new(stream, settings.stall_timeout),
            session: session.clone(),
            syntax,
            head: Patience::new(settings.header_timeout),
            is_writing: false,
        }
    }

    /// Nothing comes now. Ready when what is owed should have come by now.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let owed = self.syntax.owed();
        // Whoever has not taken the last answer yet has a time of its own for that.
        if owed == Owed::Nothing || self.is_writing {
            self.head.renew();
            return Poll::Pending;
        }
        ready!(self.head.poll_lost(cx));
        if matches!(owed, Owed::Head(_)) {
            self.session.service.metrics.request("head-timeout");
            self.say_late(cx);
        }
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }

    /// All that went before has gone out, so there is room for this, or nobody reads it.
    fn say_late(&mut self, cx: &mut Context<'_>) {
        let mut stream = Pin::new(&mut self.stream);
        let _ = stream.as_mut().poll_write(cx, TIMEOUT);
        let _ = stream.as_mut().poll_flush(cx);
        let _ = stream.poll_shutdown(cx);
    }

    /// Notes what the client has taken.
    fn note(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.is_writing = written.is_pending();
        let count = ready!(written)?;
        self.session.record.count_from_backend(count as u64);
        self.session.record.touch();
        Poll::Ready(Ok(count))
    }

    /// Notes what has come, and keeps back what hyper may not see.
    fn look_through(&mut self, buffer: &mut ReadBuf<'_>, before: usize) -> io::Result<()> {
        let octets = buffer.filled().get(before..).unwrap_or_default();
        let framing = match &mut self.syntax {
            Syntax::Http1(framing) => framing,
            Syntax::Http2(left) => {
                *left = left.saturating_sub(octets.len());
                return Ok(());
            }
            Syntax::Switched => return Ok(()),
        };
        let Some(place) = framing.look_through(octets) else { return Ok(()) };
        buffer.set_filled(before + place);
        if framing.has_refused_body() {
            // What came before is whole, and has its turn first.
            return if place == 0 { Err(io::ErrorKind::InvalidData.into()) } else { Ok(()) };
        }
        let room = buffer.remaining().min(UNREADABLE.len());
        buffer.put_slice(UNREADABLE.get(..room).unwrap_or_default());
        Ok(())
    }
}

impl<P: Decide> AsyncRead for ClientStream<P> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if matches!(&self.syntax, Syntax::Http1(framing) if framing.has_refused_body()) {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let before = buffer.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(cx, buffer) else {
            return self.poll_late(cx).map(Err);
        };
        read?;
        let owed = self.syntax.owed();
        let count = buffer.filled().len().saturating_sub(before);
        self.session.record.count_from_client(count as u64);
        self.session.record.touch();
        if self.session.has_switched() {
            self.syntax = Syntax::Switched;
        }
        self.look_through(buffer, before)?;
        if self.syntax.owed() != owed {
            self.head.renew();
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
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.is_writing = flushed.is_pending();
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

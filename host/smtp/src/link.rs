//! A stream with what has been read from it and not understood yet, and what is to be sent.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use waypost_net::stream::Stream;

/// What commands and replies need; it grows for content.
const SMALL: usize = 2 * 1024;
/// What a small message needs.
const CONTENT: usize = 16 * 1024;
/// The most that is unread at once.
const ROOM: usize = 64 * 1024;

/// One half of a session, or a back end's connection. Every method may be cancelled: it goes on
/// where it was the next time.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) stream: Stream,
    /// What is to be sent.
    pub(crate) out: Vec<u8>,
    /// How much of it has been.
    sent: usize,
    input: Vec<u8>,
    /// How much of the input is done with.
    done: usize,
    /// How much is read at once.
    appetite: usize,
}

impl Link {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, out: Vec::new(), sent: 0, input: Vec::new(), done: 0, appetite: SMALL }
    }

    /// What has been read and not consumed.
    pub(crate) fn input(&self) -> &[u8] {
        self.input.get(self.done..).unwrap_or_default()
    }

    /// Input and output at once, for a dialogue.
    pub(crate) fn parts(&mut self) -> (&[u8], &mut Vec<u8>) {
        (self.input.get(self.done..).unwrap_or_default(), &mut self.out)
    }

    /// Takes the first `count` octets of the input away.
    pub(crate) fn consume(&mut self, count: usize) {
        self.done = self.done.saturating_add(count).min(self.input.len());
        if self.done == self.input.len() {
            self.input.clear();
            self.done = 0;
        }
    }

    /// Whether something waits to be sent: here, or in a TLS layer that has taken it and could not
    /// pass it on yet.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.out.is_empty()
    }

    /// Content is about to come: a small message shall be one read.
    pub(crate) fn expect_content(&mut self) {
        self.appetite = self.appetite.max(CONTENT);
    }

    /// Content has come: gives back the memory that commands do not need.
    pub(crate) fn expect_commands(&mut self) {
        self.appetite = SMALL;
        if self.input.is_empty() {
            self.input = Vec::new();
        }
        if self.out.is_empty() {
            self.out = Vec::new();
        }
    }

    /// Reads once, behind the input. Content comes in bulk: a full read doubles the next one.
    ///
    /// # Errors
    /// `UnexpectedEof` at the end of what the peer sends.
    pub(crate) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.done > 0 {
            self.input.drain(..self.done);
            self.done = 0;
        }
        let length = self.input.len();
        if length >= ROOM {
            return Poll::Ready(Err(io::Error::other("more octets without a meaning than may be")));
        }
        let room = self.appetite.min(ROOM - length);
        self.input.resize(length + room, 0);
        let buffer = self.input.get_mut(length..).unwrap_or_default();
        let polled = self.stream.poll_read(cx, buffer);
        let read = match &polled {
            Poll::Ready(Ok(count)) => *count,
            _ => 0,
        };
        self.input.truncate(length + read);
        if read == room {
            self.appetite = self.appetite.saturating_mul(2).min(ROOM);
        }
        match ready!(polled)? {
            0 => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Sends all that is to be sent. Comes back with whether anything went out meanwhile, also
    /// where not all of it did.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> (bool, Poll<io::Result<()>>) {
        let mut moved = false;
        while let Some(rest) = self.out.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.poll_write(cx, rest) {
                Poll::Ready(Ok(count)) => {
                    self.sent += count;
                    moved = true;
                }
                Poll::Ready(Err(error)) => return (moved, Poll::Ready(Err(error))),
                Poll::Pending => return (moved, Poll::Pending),
            }
        }
        let flushed = self.stream.poll_flush(cx);
        if flushed.is_ready() {
            self.out.clear();
            self.sent = 0;
        }
        (moved, flushed)
    }

    /// See [`Link::poll_fill`].
    pub(crate) async fn fill(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    /// Sends all that is to be sent.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        if !self.has_unsent() {
            return Ok(());
        }
        poll_fn(|cx| self.poll_flush(cx).1).await
    }
}

//! The client's half of a session: its stream, the dialogue that reads it, and the scrutiny of what
//! it sends.

use std::io;
use std::task::{Context, Poll, ready};

use tokio::time::Instant;
use waypost_net::stream::Stream;
use waypost_net::tls::Acceptor;
use waypost_session::UpgradeError;
use waypost_wire::login::{Advance, Bye, CloseReason};
use waypost_wire::smtp::{Front, FrontAction, Mail, Recipient, Reply};

use crate::link::Link;
use crate::scrutiny::Scrutiny;

/// So much output waits at most while commands are pipelined.
const OUTPUT: usize = 16 * 1024;

/// A client.
pub(crate) struct Client {
    link: Link,
    pub(crate) front: Front,
    /// The message that is coming.
    scrutiny: Option<Scrutiny>,
    /// Its end has come, and what is to be said before that.
    ended: bool,
}

/// What a client wants.
#[derive(Debug)]
pub(crate) enum Wish {
    StartTls,
    Mail(Mail),
    Recipient(Recipient),
    Data,
    Chunk,
    Reset,
    Close(CloseReason),
}

/// What has come of a message.
#[derive(Debug)]
pub(crate) enum Content {
    /// Some of it.
    More,
    /// It may not be passed on, and this is why.
    Spoilt(Reply),
    /// Its end.
    Ended,
    /// The client has taken it back.
    Reset,
    /// The session is over, and the client has heard why.
    Closed(CloseReason),
    /// The client has gone.
    Gone(io::Error),
}

impl Client {
    pub(crate) fn new(stream: Stream, front: Front) -> Self {
        Self { link: Link::new(stream), front, scrutiny: None, ended: false }
    }

    /// The connection, for what was negotiated on it.
    pub(crate) fn stream(&self) -> &Stream {
        &self.link.stream
    }

    /// Whether its leg is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.link.stream.is_encrypted()
    }

    /// How, where it is.
    pub(crate) fn cipher_suite(&self) -> Option<&'static str> {
        self.link.stream.tls().map(|tls| tls.cipher_suite().unwrap_or("unknown"))
    }

    /// Greets.
    pub(crate) fn greet(&mut self) {
        self.front.greet(&mut self.link.out);
    }

    /// Answers what was asked last.
    pub(crate) fn reply(&mut self, reply: &Reply) {
        self.front.reply(reply, &mut self.link.out);
    }

    /// Answers a message: over LMTP with one reply for each recipient.
    pub(crate) fn replies(&mut self, replies: &[Reply]) {
        self.front.replies(replies, &mut self.link.out);
        self.over();
    }

    /// Says goodbye, where the client has not asked for it.
    pub(crate) fn bye(&mut self, bye: Bye) {
        self.front.bye(bye, &mut self.link.out);
    }

    /// Lets the client send its message.
    pub(crate) fn go_ahead(&mut self, scrutiny: Scrutiny) {
        self.scrutiny = Some(scrutiny);
        self.ended = false;
        self.link.expect_content();
        self.front.go_ahead(&mut self.link.out);
    }

    /// What it wants next.
    pub(crate) async fn next(&mut self) -> io::Result<Wish> {
        loop {
            let (input, out) = self.link.parts();
            let Advance { consumed, action } = self.front.advance(input, out);
            let wish = match action {
                FrontAction::StartTls => Some(Wish::StartTls),
                FrontAction::Mail(mail) => Some(Wish::Mail(mail)),
                FrontAction::Recipient(recipient) => Some(Wish::Recipient(recipient)),
                FrontAction::Data => Some(Wish::Data),
                FrontAction::Chunk(_) => Some(Wish::Chunk),
                FrontAction::Reset => Some(Wish::Reset),
                FrontAction::Close(reason) => Some(Wish::Close(reason)),
                // Of a message that nobody has let it send there is none.
                FrontAction::Content(_) | FrontAction::ChunkEnd | FrontAction::ContentEnd => {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                FrontAction::Read => None,
            };
            self.link.consume(consumed);
            if let Some(wish) = wish {
                return Ok(wish);
            }
            // What is pipelined by the thousand is answered while it is read.
            if consumed == 0 || self.link.out.len() > OUTPUT {
                self.link.flush().await?;
            }
            if consumed == 0 {
                self.link.fill().await?;
            }
        }
    }

    /// Appends what comes of the message to `sink`.
    pub(crate) fn poll_content(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut Vec<u8>,
    ) -> Poll<Content> {
        if self.ended {
            return Poll::Ready(Content::Ended);
        }
        match self.poll_more(cx, sink) {
            Poll::Ready(Ok(content)) => Poll::Ready(content),
            // What has come is worth no waiting for more.
            Poll::Pending if !sink.is_empty() => Poll::Ready(Content::More),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Content::Gone(error)),
        }
    }

    fn poll_more(&mut self, cx: &mut Context<'_>, sink: &mut Vec<u8>) -> Poll<io::Result<Content>> {
        loop {
            let (input, out) = self.link.parts();
            let Advance { consumed, action } = self.front.advance(input, out);
            let Some(scrutiny) = &mut self.scrutiny else {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            };
            let mut waits = false;
            let content = match action {
                FrontAction::Content(octets) => scrutiny.push(octets, sink).map(Content::Spoilt),
                FrontAction::ContentEnd => {
                    self.ended = true;
                    let spoilt = scrutiny.end(sink).map(Content::Spoilt);
                    Some(spoilt.unwrap_or(Content::Ended))
                }
                FrontAction::ChunkEnd => {
                    let reply = scrutiny.chunk_taken();
                    self.front.reply(&reply, out);
                    None
                }
                FrontAction::Chunk(_) => {
                    self.front.go_ahead(out);
                    None
                }
                FrontAction::Reset => Some(Content::Reset),
                FrontAction::Close(reason) => Some(Content::Closed(reason)),
                FrontAction::Read => {
                    waits = consumed == 0;
                    None
                }
                // Nothing of this can be said within a message.
                FrontAction::StartTls
                | FrontAction::Mail(_)
                | FrontAction::Recipient(_)
                | FrontAction::Data => {
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
            };
            self.link.consume(consumed);
            if let Some(content) = content {
                return Poll::Ready(Ok(content));
            }
            if waits {
                if self.link.has_unsent() {
                    ready!(self.link.poll_flush(cx).1)?;
                }
                if !sink.is_empty() {
                    // The back ends may have it meanwhile.
                    return Poll::Ready(Ok(Content::More));
                }
                ready!(self.link.poll_fill(cx))?;
            }
        }
    }

    /// Sends what is to be said.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        self.link.flush().await
    }

    /// Sends what is to be said, and ends the sending half.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        self.link.flush().await?;
        self.link.stream.shutdown().await
    }

    /// STARTTLS: the go-ahead that the front has written, then TLS.
    ///
    /// # Errors
    /// The connection is of no use any more.
    pub(crate) async fn accept_tls(
        mut self,
        acceptor: Option<&Acceptor>,
        deadline: Instant,
    ) -> Result<Self, UpgradeError> {
        if !self.link.input().is_empty() {
            return Err(UpgradeError::Plaintext);
        }
        let flushed = tokio::time::timeout_at(deadline, self.link.flush()).await;
        flushed.map_err(|_| UpgradeError::Timeout)?.map_err(waypost_session::Broken::from)?;
        let Self { link, mut front, .. } = self;
        let (Some(acceptor), Some(tcp)) = (acceptor, link.stream.into_tcp()) else {
            return Err(UpgradeError::NoTls);
        };
        let tls = acceptor.accept(tcp, deadline).await?;
        front.tls_started();
        Ok(Self::new(Stream::from(tls), front))
    }

    /// The message is over.
    fn over(&mut self) {
        self.scrutiny = None;
        self.ended = false;
        self.link.expect_commands();
    }
}

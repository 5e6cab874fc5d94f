use std::future::poll_fn;
use std::io;
use std::task::ready;

use thiserror::Error;
use tokio::time::{Instant, timeout_at};
use waypost_net::stream::Stream;
use waypost_net::tls::{Acceptor, TlsError};
use waypost_wire::login::{Advance, BackAction, FrontAction, MAX_UNREAD};
use waypost_wire::{Back, Front};
use zeroize::Zeroizing;

/// What an ordinary login needs; it grows for tokens.
const SMALL: usize = 1024;

/// One half of a session: a stream, the dialogue that reads it, and what has
/// been read and not understood yet.
///
/// Both buffers hold passwords, so both are overwritten when they go, also when they grow.
pub struct Conversation<D> {
    /// The connection.
    pub stream: Stream,
    /// What reads it.
    pub dialogue: D,
    /// What is to be sent: [`flush`](Self::flush) does.
    pub out: Zeroizing<Vec<u8>>,
    unread: Zeroizing<Vec<u8>>,
    /// How much of `out` has been sent.
    sent: usize,
}

/// A dialogue without I/O, as the loop in [`waypost_wire::login`] wants to be driven.
pub trait Dialogue {
    /// What it wants its driver to do.
    type Action;

    /// The most that it ever wants to see at once, in octets.
    const ROOM: usize = MAX_UNREAD;

    /// Looks at what the peer has sent and is not consumed yet, and appends what it is to be sent.
    fn advance(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance<Self::Action>;

    /// Whether nothing is to be done but to send what there is and read more.
    fn waits(action: &Self::Action) -> bool;
}

impl Dialogue for Front {
    type Action = FrontAction;

    fn advance(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance<FrontAction> {
        Self::advance(self, input, out)
    }

    fn waits(action: &FrontAction) -> bool {
        *action == FrontAction::Read
    }
}

impl Dialogue for Back {
    type Action = BackAction;

    fn advance(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance<BackAction> {
        Self::advance(self, input, out)
    }

    fn waits(action: &BackAction) -> bool {
        *action == BackAction::Read
    }
}

/// Why a conversation cannot go on.
#[derive(Debug, Error)]
pub enum Broken {
    /// The peer closed its side.
    #[error("the connection was closed")]
    Closed,
    /// The network's word.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// More than a dialogue may want to see at once. Dialogues do not let it come to this.
    #[error("more octets without a meaning than a dialogue may want to see")]
    Overrun,
}

/// Why TLS did not come up on a conversation that was to go on over it.
#[derive(Debug, Error)]
pub enum UpgradeError {
    /// What the peer sent in clear behind its command may be somebody else's (RFC 3207 section 6,
    /// RFC 3501 section 6.2.1, RFC 2595 section 2).
    #[error("plain text behind the command that starts TLS")]
    Plaintext,
    /// TLS runs already, or there is no certificate to show.
    #[error("TLS cannot be started here")]
    NoTls,
    /// The go-ahead did not get through.
    #[error("{0}")]
    Broken(#[from] Broken),
    /// The handshake.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// The go-ahead did not get through in time.
    #[error("the peer did not take the go-ahead in time")]
    Timeout,
}

impl<D: Dialogue> Conversation<D> {
    /// Nothing said and nothing heard yet.
    pub fn new(stream: Stream, dialogue: D) -> Self {
        Self {
            stream,
            dialogue,
            out: Zeroizing::new(Vec::with_capacity(SMALL)),
            unread: Zeroizing::new(Vec::new()),
            sent: 0,
        }
    }

    /// Drives the dialogue to its next action other than reading. What the action says of `out`
    /// is for the caller to [`flush`](Self::flush).
    pub async fn next(&mut self) -> Result<D::Action, Broken> {
        loop {
            let Advance { consumed, action } = self.dialogue.advance(&self.unread, &mut self.out);
            let done = consumed.min(self.unread.len());
            self.unread.drain(..done);
            if !D::waits(&action) {
                return Ok(action);
            }
            // What is pipelined by the thousand is answered while it is read.
            if consumed == 0 || self.out.len() > D::ROOM {
                self.flush().await?;
            }
            if consumed == 0 {
                self.fill().await?;
            }
        }
    }

    /// Sends what the dialogue has to say. Cancelled, it goes on where it was the next time.
    pub async fn flush(&mut self) -> io::Result<()> {
        let Self { stream, out, sent, .. } = self;
        poll_fn(|cx| {
            while let Some(rest) = out.get(*sent..).filter(|rest| !rest.is_empty()) {
                *sent += ready!(stream.poll_write(cx, rest))?;
            }
            stream.poll_flush(cx)
        })
        .await?;
        self.out.clear();
        self.sent = 0;
        Ok(())
    }

    /// Waits for the peer's first word, in a protocol in which the peer speaks first.
    pub async fn hear(&mut self) -> Result<(), Broken> {
        self.fill().await
    }

    /// Whether octets were read that the dialogue did not consume: where TLS starts, somebody
    /// else may have put them there.
    pub fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Makes room for `octets` more of output, so that secrets in it are never moved without
    /// being overwritten where they were.
    pub fn make_room(&mut self, octets: usize) {
        grow(&mut self.out, octets);
    }

    /// STARTTLS and its likes, as a server: the go-ahead that the dialogue has written, then TLS,
    /// over which the dialogue goes on; it must be told. With what was read in clear behind the
    /// command nothing goes on.
    ///
    /// # Errors
    /// The connection is of no use any more.
    pub async fn accept_tls(
        mut self,
        acceptor: Option<&Acceptor>,
        deadline: Instant,
    ) -> Result<Self, UpgradeError> {
        if self.has_unread() {
            return Err(UpgradeError::Plaintext);
        }
        let flushed = timeout_at(deadline, self.flush()).await;
        flushed.map_err(|_| UpgradeError::Timeout)?.map_err(Broken::from)?;
        let Self { stream, dialogue, .. } = self;
        let (Some(acceptor), Some(tcp)) = (acceptor, stream.into_tcp()) else {
            return Err(UpgradeError::NoTls);
        };
        let tls = acceptor.accept(tcp, deadline).await?;
        Ok(Self::new(Stream::from(tls), dialogue))
    }

    /// The stream, and what was read from it beyond the dialogue.
    pub fn into_parts(self) -> (Stream, Zeroizing<Vec<u8>>) {
        (self.stream, self.unread)
    }

    async fn fill(&mut self) -> Result<(), Broken> {
        let length = self.unread.len();
        if length >= D::ROOM {
            return Err(Broken::Overrun);
        }
        if self.unread.capacity() - length < SMALL / 2 {
            grow(&mut self.unread, SMALL.max(length).min(D::ROOM));
        }
        let room = self.unread.capacity().min(D::ROOM);
        self.unread.resize(room, 0);
        let read = self.stream.read(self.unread.get_mut(length..).unwrap_or_default()).await;
        self.unread.truncate(length + *read.as_ref().unwrap_or(&0));
        match read? {
            0 => Err(Broken::Closed),
            _ => Ok(()),
        }
    }
}

fn grow(buffer: &mut Zeroizing<Vec<u8>>, more: usize) {
    if buffer.capacity() - buffer.len() < more {
        let mut larger = Vec::with_capacity(buffer.len() + more);
        larger.extend_from_slice(buffer);
        *buffer = Zeroizing::new(larger);
    }
}

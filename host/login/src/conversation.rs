use std::future::poll_fn;
use std::io;
use std::task::ready;

use thiserror::Error;
use waypost_net::stream::Stream;
use waypost_wire::login::{Advance, MAX_UNREAD};
use waypost_wire::login::{BackAction, FrontAction};
use waypost_wire::{Back, Front};
use zeroize::Zeroizing;

/// What an ordinary login needs; it grows for tokens.
const SMALL: usize = 1024;

/// One half of a session before the hand-over: a stream, the dialogue that reads it, and what has
/// been read and not understood yet.
///
/// Both buffers hold passwords, so both are overwritten when they go, also when they grow.
pub(crate) struct Conversation<D> {
    pub(crate) stream: Stream,
    pub(crate) dialogue: D,
    pub(crate) out: Zeroizing<Vec<u8>>,
    unread: Zeroizing<Vec<u8>>,
    /// How much of `out` has been sent.
    sent: usize,
}

/// A dialogue without I/O, as the loop in [`waypost_wire::login`] wants to be driven.
pub(crate) trait Dialogue {
    type Action;

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
pub(crate) enum Broken {
    /// The peer closed its side.
    #[error("the connection was closed")]
    Closed,
    /// The network's word.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// More than a dialogue may want to see at once. Dialogues do not let it come to this.
    #[error("more than {MAX_UNREAD} octets without a meaning")]
    Overrun,
}

impl<D: Dialogue> Conversation<D> {
    pub(crate) fn new(stream: Stream, dialogue: D) -> Self {
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
    pub(crate) async fn next(&mut self) -> Result<D::Action, Broken> {
        loop {
            let Advance { consumed, action } = self.dialogue.advance(&self.unread, &mut self.out);
            let done = consumed.min(self.unread.len());
            self.unread.drain(..done);
            if !D::waits(&action) {
                return Ok(action);
            }
            // What is pipelined by the thousand is answered while it is read.
            if consumed == 0 || self.out.len() > MAX_UNREAD {
                self.flush().await?;
            }
            if consumed == 0 {
                self.fill().await?;
            }
        }
    }

    /// Sends what the dialogue has to say. Cancelled, it goes on where it was the next time.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
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
    pub(crate) async fn hear(&mut self) -> Result<(), Broken> {
        self.fill().await
    }

    /// Whether octets were read that the dialogue did not consume: where TLS starts, somebody
    /// else may have put them there.
    pub(crate) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Makes room for `octets` more of output, so that secrets in it are never moved without
    /// being overwritten where they were.
    pub(crate) fn make_room(&mut self, octets: usize) {
        grow(&mut self.out, octets);
    }

    /// The stream, and what was read from it beyond the dialogue.
    pub(crate) fn into_parts(self) -> (Stream, Zeroizing<Vec<u8>>) {
        (self.stream, self.unread)
    }

    async fn fill(&mut self) -> Result<(), Broken> {
        let length = self.unread.len();
        if length >= MAX_UNREAD {
            return Err(Broken::Overrun);
        }
        if self.unread.capacity() - length < SMALL / 2 {
            grow(&mut self.unread, SMALL.max(length).min(MAX_UNREAD));
        }
        let room = self.unread.capacity().min(MAX_UNREAD);
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

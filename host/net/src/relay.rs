//! The byte pump behind a login.
//!
//! It owns both legs and nothing else: no buffer, no timer, no task of its own. Each time that one
//! of the legs is ready it moves what there is, in memory that it borrows from its worker, and
//! waits again.

mod flow;
mod pipe;

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use self::flow::{Broken, Flow, Step};
use crate::session::{EndReason, SessionRecord};
use crate::stream::Stream;

/// The most bytes of a session that wait here for slow peers, both directions together.
pub const MAX_WAITING: usize = 64 * 1024;
/// The most that wait for one of the two. The rest stays free for the other direction, since a
/// server may have to see off what it says before it reads on.
const MAX_WAITING_ONE_WAY: usize = 48 * 1024;
const _: () = assert!(MAX_WAITING_ONE_WAY < MAX_WAITING, "no room would look like an end");
/// How often each direction moves before other sessions of the worker have their turn.
const ROUNDS: usize = 16;

/// One side of a session at the hand-over.
#[derive(Debug)]
pub struct Leg {
    /// The connection.
    pub stream: Stream,
    /// What has been read from it and not been used by the login: it goes to the other side
    /// first.
    pub pending: Vec<u8>,
}

impl From<Stream> for Leg {
    fn from(stream: Stream) -> Self {
        Self { stream, pending: Vec::new() }
    }
}

/// Who ended a session, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndCause {
    /// The client said its last word first.
    ClientClosed,
    /// The back end did.
    BackendClosed,
    /// The client's connection broke.
    ClientFailed,
    /// The back end's connection broke.
    BackendFailed,
    /// It was ended from outside.
    Ended(EndReason),
}

impl EndCause {
    /// The name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientClosed => "client-closed",
            Self::BackendClosed => "backend-closed",
            Self::ClientFailed => "client-failed",
            Self::BackendFailed => "backend-failed",
            Self::Ended(reason) => reason.as_str(),
        }
    }
}

/// What there is to say of a relay that is over.
#[derive(Debug)]
pub struct RelayEnd {
    /// Who ended it.
    pub cause: EndCause,
    /// The error of the leg that broke.
    pub error: Option<io::Error>,
    /// Bytes that came from the client, those behind the login included.
    pub from_client: u64,
    /// Bytes that came from the back end.
    pub from_backend: u64,
    /// How many of all these were never copied.
    pub spliced: u64,
    /// The session's record, which ends the session in the table when it is dropped.
    pub record: SessionRecord,
}

/// Passes bytes between the legs until both directions have ended or the session is ended from
/// outside.
///
/// - What is pending goes first. Each direction keeps its order.
/// - The end of one direction is passed on (close_notify over TLS, FIN) and leaves the other open.
///   A TLS leg that ends without close_notify ends the other leg without one.
/// - No more than [`MAX_WAITING`] bytes wait here for slow peers, and while bytes of a direction
///   wait nothing more of it is read.
/// - When a leg breaks, what it has said still reaches the other, which is then given ten seconds
///   to close as well.
///
/// Must run in the runtime that the streams are registered with.
pub fn relay(client: Leg, backend: Leg, record: SessionRecord) -> Relay {
    record.touch();
    record.count_from_client(client.pending.len() as u64);
    record.count_from_backend(backend.pending.len() as u64);
    Relay {
        up: Flow::new(client.pending),
        down: Flow::new(backend.pending),
        client: client.stream,
        backend: backend.stream,
        first: None,
        record: Some(record),
    }
}

/// The future of [`relay`].
pub struct Relay {
    client: Stream,
    backend: Stream,
    /// From the client to the back end.
    up: Flow,
    /// From the back end to the client.
    down: Flow,
    /// The first thing that went to an end; what follows from it is not its cause.
    first: Option<(EndCause, Option<io::Error>)>,
    record: Option<SessionRecord>,
}

impl Future for Relay {
    type Output = RelayEnd;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<RelayEnd> {
        let this = &mut *self;
        let record = this.record.take().expect("a future that is over is not polled");
        match this.poll_with(cx, &record) {
            Poll::Pending => {
                this.record = Some(record);
                Poll::Pending
            }
            Poll::Ready(()) => Poll::Ready(this.end(record)),
        }
    }
}

impl Relay {
    fn poll_with(&mut self, cx: &mut Context<'_>, record: &SessionRecord) -> Poll<()> {
        if let Poll::Ready(reason) = record.poll_ended(cx) {
            self.note(EndCause::Ended(reason), None);
            self.say_goodbye();
            return Poll::Ready(());
        }
        let before = self.moved();
        let result = self.move_all(cx, record);
        let (up, down) = self.moved();
        if (up, down) != before {
            record.count_from_client(up - before.0);
            record.count_from_backend(down - before.1);
            record.touch();
        }
        result
    }

    fn move_all(&mut self, cx: &mut Context<'_>, record: &SessionRecord) -> Poll<()> {
        let mut moving = [true; 2];
        for _ in 0..ROUNDS {
            for direction in [Direction::Up, Direction::Down] {
                // A direction that is blocked stays so for this turn: its waker is set.
                if !moving[direction as usize] {
                    continue;
                }
                let step = self.step(cx, direction);
                moving[direction as usize] = !matches!(step, Ok(Step::Blocked));
                if step.is_err() {
                    moving = [true; 2];
                }
                self.judge(step, direction, record);
            }
            if self.up.is_over() && self.down.is_over() {
                return Poll::Ready(());
            }
            if moving == [false; 2] {
                return Poll::Pending;
            }
        }
        // There may be more at once, but not before the others had their turn.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn step(&mut self, cx: &mut Context<'_>, direction: Direction) -> Result<Step, Broken> {
        match direction {
            Direction::Up => {
                let room = room_beside(self.down.held(&self.backend, &self.client));
                self.up.step(cx, &mut self.client, &mut self.backend, room)
            }
            Direction::Down => {
                let room = room_beside(self.up.held(&self.client, &self.backend));
                self.down.step(cx, &mut self.backend, &mut self.client, room)
            }
        }
    }

    /// Draws the conclusions from one step of one direction.
    fn judge(&mut self, step: Result<Step, Broken>, direction: Direction, record: &SessionRecord) {
        match step {
            Ok(Step::Moved | Step::Blocked) => {}
            Ok(Step::SourceEnded) => {
                record.set_half_closed();
                self.note(direction.source().closed(), None);
            }
            Err(Broken::Source(error)) => {
                record.set_lingering();
                self.note(direction.source().failed(), Some(error));
                self.flow_mut(direction.other()).lose_sink();
            }
            Err(Broken::Sink(error)) => {
                record.set_lingering();
                self.note(direction.sink().failed(), Some(error));
            }
        }
    }

    fn flow_mut(&mut self, direction: Direction) -> &mut Flow {
        match direction {
            Direction::Up => &mut self.up,
            Direction::Down => &mut self.down,
        }
    }

    fn note(&mut self, cause: EndCause, error: Option<io::Error>) {
        if self.first.is_none() {
            self.first = Some((cause, error));
        }
    }

    /// Tells both peers that this is the end and no accident, as far as they listen.
    fn say_goodbye(&mut self) {
        for stream in [&mut self.client, &mut self.backend] {
            if let Stream::Tls(tls) = stream {
                tls.close_now();
            }
        }
    }

    fn moved(&self) -> (u64, u64) {
        (self.up.moved, self.down.moved)
    }

    fn end(&mut self, record: SessionRecord) -> RelayEnd {
        // Both directions cannot be over without a cause.
        let (cause, error) = self.first.take().unwrap_or((EndCause::ClientClosed, None));
        let info = record.info();
        RelayEnd {
            cause,
            error,
            from_client: info.from_client,
            from_backend: info.from_backend,
            spliced: self.up.spliced + self.down.spliced,
            record,
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("client", &self.client)
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Up,
    Down,
}

#[derive(Clone, Copy)]
enum Side {
    Client,
    Backend,
}

impl Direction {
    const fn other(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }

    const fn source(self) -> Side {
        match self {
            Self::Up => Side::Client,
            Self::Down => Side::Backend,
        }
    }

    const fn sink(self) -> Side {
        match self {
            Self::Up => Side::Backend,
            Self::Down => Side::Client,
        }
    }
}

impl Side {
    const fn closed(self) -> EndCause {
        match self {
            Self::Client => EndCause::ClientClosed,
            Self::Backend => EndCause::BackendClosed,
        }
    }

    const fn failed(self) -> EndCause {
        match self {
            Self::Client => EndCause::ClientFailed,
            Self::Backend => EndCause::BackendFailed,
        }
    }
}

/// How much may be read in one direction while the other holds so much: never less than what is
/// kept free for it.
fn room_beside(held: usize) -> usize {
    let floor = MAX_WAITING - MAX_WAITING_ONE_WAY;
    MAX_WAITING.saturating_sub(held).clamp(floor, MAX_WAITING_ONE_WAY)
}

#[cfg(test)]
mod tests;

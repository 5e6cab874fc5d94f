//! One direction of a relay.

use std::io;
use std::task::{Context, Poll};

use tokio::io::Interest;
use tokio::net::TcpStream;

use super::pipe::Pipe;
use crate::buffers::{Buffer, Leftover};
use crate::stream::Stream;

/// As long as splice(2) brings so many bytes at a time, it goes on: copying fewer is cheaper than
/// the system call that it needs more.
const WORTH_SPLICING: usize = 16 * 1024;

/// Bytes on their way from one leg to the other.
pub(super) struct Flow {
    /// What was read and could not be written.
    waiting: Leftover,
    /// The same, where it was never copied out of the kernel.
    pipe: Option<Pipe>,
    end: End,
    /// The last read brought as much as was asked for: there is much to move.
    bulk: bool,
    pub(super) moved: u64,
    pub(super) spliced: u64,
}

/// How far a direction is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The source may send more.
    Open,
    /// The source has ended properly, and the sink has still to hear of it.
    Closing,
    /// The source was cut off, and the sink is to be as well.
    Cutting,
    /// The sink is gone. What the source still says is thrown away, so that closing its socket with
    /// unread bytes does not reset the connection, and with it what is on its way to the source.
    Draining,
    /// Nothing moves any more.
    Over,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Something moved; there may be more.
    Moved,
    /// The task will be woken when there is something to do.
    Blocked,
    /// The source has said its last word.
    SourceEnded,
}

/// Which of its legs broke a direction.
#[derive(Debug)]
pub(super) enum Broken {
    Source(io::Error),
    Sink(io::Error),
}

impl Flow {
    /// A direction in which `pending` goes first.
    pub(super) fn new(pending: Vec<u8>) -> Self {
        Self {
            waiting: pending.into(),
            pipe: None,
            end: End::Open,
            bulk: false,
            moved: 0,
            spliced: 0,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.end == End::Over
    }

    /// How many bytes of this direction wait here, in the legs included.
    pub(super) fn held(&self, source: &Stream, sink: &Stream) -> usize {
        let piped = self.pipe.as_ref().map_or(0, Pipe::held);
        self.waiting.len() + piped + source.unread() + sink.unsent()
    }

    /// Moves what there is, once: what waits first, then up to `room` bytes that are new.
    pub(super) fn step(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Stream,
        sink: &mut Stream,
        room: usize,
    ) -> Result<Step, Broken> {
        match self.end {
            End::Over => return Ok(Step::Blocked),
            End::Draining => return Ok(self.drain(cx, source)),
            End::Open | End::Closing | End::Cutting => {}
        }
        match self.poll_written(cx, sink) {
            Poll::Pending => return Ok(Step::Blocked),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Err(self.sink_broke(error)),
        }
        let ended = match self.end {
            End::Closing => sink.poll_shutdown(cx),
            End::Cutting => sink.poll_cut(cx),
            _ => return self.read(cx, source, sink, room),
        };
        match ended {
            Poll::Pending => Ok(Step::Blocked),
            Poll::Ready(Ok(())) => {
                self.end = End::Over;
                Ok(Step::Moved)
            }
            Poll::Ready(Err(error)) => Err(self.sink_broke(error)),
        }
    }

    /// Sees off everything that waits for the sink.
    fn poll_written(&mut self, cx: &mut Context<'_>, sink: &mut Stream) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            match sink.poll_write(cx, self.waiting.as_slice())? {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(count) => self.waiting.consume(count),
            }
        }
        if let (Some(pipe), Stream::Tcp(sink)) = (&mut self.pipe, &*sink) {
            match poll_drained(cx, pipe, sink)? {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => self.pipe = None,
            }
        }
        sink.poll_flush(cx)
    }

    fn read(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Stream,
        sink: &mut Stream,
        room: usize,
    ) -> Result<Step, Broken> {
        if self.bulk
            && let (Stream::Tcp(source), Stream::Tcp(sink)) = (&*source, &*sink)
            && let Some(pipe) = Pipe::borrow()
        {
            return self.splice(cx, source, sink, pipe, room);
        }
        self.copy(cx, source, sink, room)
    }

    fn copy(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Stream,
        sink: &mut Stream,
        room: usize,
    ) -> Result<Step, Broken> {
        let mut buffer = Buffer::borrow();
        let buffer = buffer.get_mut(..room).unwrap_or_default();
        let count = match source.poll_read(cx, buffer) {
            Poll::Pending => return Ok(Step::Blocked),
            Poll::Ready(Ok(0)) => return Ok(self.source_ended(End::Closing)),
            Poll::Ready(Ok(count)) => count,
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(self.source_ended(End::Cutting));
            }
            Poll::Ready(Err(error)) => return Err(self.source_broke(error)),
        };
        self.bulk = count == buffer.len();
        self.moved += count as u64;
        let mut rest = buffer.get(..count).unwrap_or_default();
        while !rest.is_empty() {
            match sink.poll_write(cx, rest) {
                Poll::Pending => break,
                Poll::Ready(Ok(count)) => rest = rest.get(count..).unwrap_or_default(),
                Poll::Ready(Err(error)) => return Err(self.sink_broke(error)),
            }
        }
        self.waiting.push(rest);
        Ok(Step::Moved)
    }

    fn splice(
        &mut self,
        cx: &mut Context<'_>,
        source: &TcpStream,
        sink: &TcpStream,
        mut pipe: Pipe,
        room: usize,
    ) -> Result<Step, Broken> {
        let count = match poll_filled(cx, &mut pipe, source, room) {
            Poll::Pending => return Ok(Step::Blocked),
            Poll::Ready(Ok(0)) => return Ok(self.source_ended(End::Closing)),
            Poll::Ready(Ok(count)) => count,
            Poll::Ready(Err(error)) => return Err(self.source_broke(error)),
        };
        self.bulk = count >= WORTH_SPLICING;
        self.moved += count as u64;
        self.spliced += count as u64;
        match poll_drained(cx, &mut pipe, sink) {
            Poll::Ready(Ok(())) => {}
            Poll::Pending => self.pipe = Some(pipe),
            Poll::Ready(Err(error)) => return Err(self.sink_broke(error)),
        }
        Ok(Step::Moved)
    }

    fn drain(&mut self, cx: &mut Context<'_>, source: &mut Stream) -> Step {
        match source.poll_read(cx, &mut Buffer::borrow()) {
            Poll::Pending => Step::Blocked,
            Poll::Ready(Ok(1..)) => Step::Moved,
            Poll::Ready(Ok(0) | Err(_)) => {
                self.end = End::Over;
                Step::Moved
            }
        }
    }

    /// Notes that nothing can be written any more: what waits for the sink waits no longer.
    pub(super) fn lose_sink(&mut self) {
        self.end = match self.end {
            End::Open | End::Draining => End::Draining,
            End::Closing | End::Cutting | End::Over => End::Over,
        };
        self.waiting = Leftover::default();
        self.pipe = None;
    }

    fn source_ended(&mut self, end: End) -> Step {
        self.end = end;
        Step::SourceEnded
    }

    fn source_broke(&mut self, error: io::Error) -> Broken {
        self.end = End::Cutting;
        Broken::Source(error)
    }

    fn sink_broke(&mut self, error: io::Error) -> Broken {
        self.lose_sink();
        Broken::Sink(error)
    }
}

fn poll_filled(
    cx: &mut Context<'_>,
    pipe: &mut Pipe,
    source: &TcpStream,
    limit: usize,
) -> Poll<io::Result<usize>> {
    loop {
        std::task::ready!(source.poll_read_ready(cx))?;
        match source.try_io(Interest::READABLE, || pipe.fill_from(source, limit)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return Poll::Ready(result),
        }
    }
}

fn poll_drained(cx: &mut Context<'_>, pipe: &mut Pipe, sink: &TcpStream) -> Poll<io::Result<()>> {
    while pipe.held() > 0 {
        std::task::ready!(sink.poll_write_ready(cx))?;
        match sink.try_io(Interest::WRITABLE, || pipe.drain_to(sink)) {
            Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
    Poll::Ready(Ok(()))
}

//! Pipes for splice(2), which moves bytes from socket to socket without copying them.
//!
//! A pipe costs two descriptors and counts against its user's limit of pipe pages (pipe(7),
//! `pipe-user-pages-soft`), so a worker has few of them: a session borrows one for as long as
//! bytes of its own are in it. Who finds none left copies instead.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::pipe::{
    PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with, splice,
};

/// How many pipes a worker has at most, those that stalled sessions hold included.
const PIPES: usize = 64;
/// How many of them it keeps when nobody needs them.
const SPARE: usize = 8;
/// What a pipe should hold. A session never has as much in one; but what a pipe really has is
/// slots, one for each page, and a packet fills a slot however short it is.
const WANTED: usize = 256 * 1024;
/// A pipe that holds less is not worth its system calls: Linux hands such ones out (two pages)
/// to a user who has reached the limit.
const NEEDED: usize = 64 * 1024;

thread_local! {
    static SHELF: RefCell<Vec<Ends>> = const { RefCell::new(Vec::new()) };
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// A pipe on loan from this thread, with what is in it. It goes back when it is dropped empty; one
/// that is dropped with bytes in it is closed, since they must reach nobody else.
#[derive(Debug)]
pub(super) struct Pipe {
    ends: Option<Ends>,
    held: u32,
}

#[derive(Debug)]
struct Ends {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Pipe {
    /// Borrows an empty pipe. `None` where there is none left, or none to be had.
    pub(super) fn borrow() -> Option<Self> {
        let spare = SHELF.try_with(|shelf| shelf.borrow_mut().pop()).ok()?;
        let ends = match spare {
            Some(ends) => ends,
            None => Ends::open()?,
        };
        Some(Self { ends: Some(ends), held: 0 })
    }

    /// How many bytes are in it.
    pub(super) fn held(&self) -> usize {
        self.held as usize
    }

    /// Moves up to `limit` bytes out of a socket into the pipe, which is empty. Returns how many;
    /// none is the end of what the socket receives, `WouldBlock` that there is nothing yet.
    pub(super) fn fill_from(&mut self, socket: impl AsFd, limit: usize) -> io::Result<usize> {
        debug_assert_eq!(self.held, 0, "an empty pipe tells a dry socket from a full pipe");
        let ends = self.ends.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        let count = splice(socket, None, &ends.writer, None, limit, flags())?;
        self.held = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(count)
    }

    /// Moves bytes out of the pipe into a socket. Returns how many.
    pub(super) fn drain_to(&mut self, socket: impl AsFd) -> io::Result<usize> {
        let ends = self.ends.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        let count = splice(&ends.reader, None, socket, None, self.held(), flags())?;
        self.held = self.held.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        Ok(count)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let Some(ends) = self.ends.take().filter(|_| self.held == 0) else {
            return;
        };
        let _ = SHELF.try_with(|shelf| {
            let mut shelf = shelf.borrow_mut();
            if shelf.len() < SPARE {
                shelf.push(ends);
            }
        });
    }
}

impl Ends {
    fn open() -> Option<Self> {
        let count = COUNT.try_with(Cell::get).ok()?;
        if count >= PIPES {
            return None;
        }
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        let _ = COUNT.try_with(|cell| cell.set(count + 1));
        let ends = Self { reader, writer };
        let size = fcntl_setpipe_size(&ends.writer, WANTED)
            .or_else(|_| fcntl_getpipe_size(&ends.writer))
            .ok()?;
        (size >= NEEDED).then_some(ends)
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = COUNT.try_with(|count| count.set(count.get().saturating_sub(1)));
    }
}

fn flags() -> SpliceFlags {
    SpliceFlags::NONBLOCK | SpliceFlags::MOVE
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::{COUNT, PIPES, Pipe, SHELF};

    fn spare() -> usize {
        SHELF.with(|shelf| shelf.borrow().len())
    }

    #[test]
    fn an_empty_pipe_is_used_again_and_a_full_one_is_closed() {
        let (mut near, far) = UnixStream::pair().unwrap();
        far.set_nonblocking(true).unwrap();
        let mut pipe = Pipe::borrow().unwrap();
        assert!(pipe.fill_from(&far, 100).is_err(), "nothing there yet");
        near.write_all(b"abc").unwrap();
        assert_eq!(pipe.fill_from(&far, 100).unwrap(), 3);
        drop(pipe);
        assert_eq!((spare(), COUNT.get()), (0, 0), "somebody else's bytes must not be inherited");

        let mut pipe = Pipe::borrow().unwrap();
        near.write_all(b"def").unwrap();
        assert_eq!(pipe.fill_from(&far, 2).unwrap(), 2);
        assert_eq!(pipe.drain_to(&far).unwrap(), 2);
        let mut received = [0; 2];
        near.read_exact(&mut received).unwrap();
        assert_eq!((&received, pipe.held()), (b"de", 0));
        drop(pipe);
        assert_eq!((spare(), COUNT.get()), (1, 1));
    }

    #[test]
    fn there_are_few() {
        let pipes: Vec<_> = std::iter::from_fn(Pipe::borrow).take(PIPES + 1).collect();
        assert_eq!(pipes.len(), PIPES);
        drop(pipes);
        assert_eq!((spare(), COUNT.get()), (super::SPARE, super::SPARE));
    }
}

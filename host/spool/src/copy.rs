//! The octets of a message, in its file and, while they come, in memory.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::error::{DamageKind, Error, damaged};
use crate::files::{File, Files};
use crate::name::Name;
use crate::spool::Inner;
use crate::storage::Access;

/// The most that [`CopyReader::read_at`] reads at once, in octets.
pub const MAX_READ: usize = 256 * 1024;

/// The octets of a copy, of which the last may not be in the file yet.
pub(crate) struct MessageCopy {
    name: Name,
    /// Held for as long as copying in memory takes.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    file: Option<File>,
    /// How many octets the file has.
    written: u64,
    /// The octets after those, while they are being written.
    moving: Arc<Vec<u8>>,
    /// The octets after those.
    tail: Vec<u8>,
}

/// Where octets are to be read.
enum Found {
    /// They have been copied already, so many.
    Memory(usize),
    /// In the file, so many at most.
    File(usize),
}

impl MessageCopy {
    /// The copy of a draft: nothing yet.
    pub(crate) fn empty(name: Name) -> Self {
        Self { name, state: Mutex::default() }
    }

    pub(crate) fn name(&self) -> Name {
        self.name
    }

    /// The copy of a kept message, of this length, which is opened when it is read.
    pub(crate) fn whole(name: Name, length: u64) -> Self {
        Self { name, state: Mutex::new(State { written: length, ..State::default() }) }
    }

    pub(crate) fn length(&self) -> u64 {
        self.state.lock().length()
    }

    /// Adds octets if there are `limit` at most then. Returns how many of them all wait in memory.
    pub(crate) fn append(&self, octets: &[u8], limit: u64) -> Result<usize, Error> {
        let mut state = self.state.lock();
        let length = state.length().saturating_add(octets.len() as u64);
        if length > limit {
            return Err(Error::BeyondReservation);
        }
        state.tail.extend_from_slice(octets);
        Ok(state.tail.len())
    }

    /// The octets that are to be written next, and where in the file. Whoever takes them tells what
    /// came of it by [`wrote`](Self::wrote).
    pub(crate) fn take(&self) -> Option<(Arc<Vec<u8>>, u64)> {
        let mut state = self.state.lock();
        if state.moving.is_empty() {
            state.moving = Arc::new(std::mem::take(&mut state.tail));
        }
        let taken = (state.moving.clone(), state.written);
        (!taken.0.is_empty()).then_some(taken)
    }

    /// Notes that what was taken is in `file` now.
    pub(crate) fn wrote(&self, octets: Arc<Vec<u8>>, file: &File) {
        let mut state = self.state.lock();
        state.file.get_or_insert_with(|| file.clone());
        state.written = state.written.saturating_add(octets.len() as u64);
        state.moving = Arc::default();
        // The memory serves again.
        if state.tail.capacity() == 0
            && let Ok(mut octets) = Arc::try_unwrap(octets)
        {
            octets.clear();
            state.tail = octets;
        }
    }

    fn find(&self, offset: u64, buf: &mut [u8]) -> Found {
        let state = self.state.lock();
        let Some(behind) = offset.checked_sub(state.written) else {
            let left = usize::try_from(state.written.saturating_sub(offset)).unwrap_or(usize::MAX);
            return Found::File(left.min(buf.len()).min(MAX_READ));
        };
        let behind = usize::try_from(behind).unwrap_or(usize::MAX);
        let octets = match state.moving.get(behind..) {
            Some(moving) if !moving.is_empty() => moving,
            _ => {
                let start = behind.saturating_sub(state.moving.len());
                state.tail.get(start..).unwrap_or_default()
            }
        };
        let length = octets.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..length), octets.get(..length)) {
            to.copy_from_slice(from);
        }
        Found::Memory(length)
    }

    fn read_file(&self, files: &Files, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        let known = self.state.lock().file.clone();
        let file = match known {
            Some(file) => file,
            None => match files.open(self.name, Access::Read) {
                Ok(file) => self.state.lock().file.get_or_insert(file).clone(),
                Err(error) if error.is_not_found() => return Err(Error::Gone),
                Err(error) => return Err(error),
            },
        };
        match file.read_at(offset, buf)? {
            0 if !buf.is_empty() => {
                let expected = self.length();
                Err(damaged(self.name, DamageKind::Copy { expected, found: offset }))
            }
            read => Ok(read),
        }
    }
}

impl State {
    fn length(&self) -> u64 {
        let memory = self.moving.len().saturating_add(self.tail.len());
        self.written.saturating_add(memory as u64)
    }
}

/// Reads the octets of a copy, at its own pace, while they are written and afterwards. Once it has
/// read from the file, it can go on after the message has been removed.
pub struct CopyReader {
    inner: Arc<Inner>,
    copy: Arc<MessageCopy>,
    /// A read whose future was dropped, or is waited for.
    pending: Option<Pending>,
    /// Memory that serves again.
    spare: Vec<u8>,
}

struct Pending {
    offset: u64,
    answer: oneshot::Receiver<(Vec<u8>, Result<usize, Error>)>,
}

impl CopyReader {
    pub(crate) fn new(inner: &Arc<Inner>, copy: &Arc<MessageCopy>) -> Self {
        Self { inner: inner.clone(), copy: copy.clone(), pending: None, spare: Vec::new() }
    }

    /// How many octets there are so far.
    pub fn len(&self) -> u64 {
        self.copy.length()
    }

    /// Whether there are none so far.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads octets from `offset` on, as many as `buf` holds or fewer, but at most [`MAX_READ`].
    /// None means that there are none yet at this place, or that this is the end; the reader is not
    /// told when more come.
    ///
    /// The future may be dropped. What is read already serves the next call if that is for the same
    /// place.
    ///
    /// # Errors
    /// [`Error::Gone`] where the message was removed before the first read from the file;
    /// [`Error::Damaged`] where the file is shorter than what was written; and what the system says.
    pub async fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            let Some(pending) = &mut self.pending else {
                match self.copy.find(offset, buf) {
                    Found::Memory(read) => return Ok(read),
                    Found::File(length) => self.pending = Some(self.start(offset, length)),
                }
                continue;
            };
            let serves = pending.offset == offset;
            let answer = (&mut pending.answer).await;
            self.pending = None;
            let (octets, result) = answer.map_err(|_| Error::Closed)?;
            if !serves {
                self.spare = octets;
                continue;
            }
            let length = result?.min(buf.len());
            if let (Some(to), Some(from)) = (buf.get_mut(..length), octets.get(..length)) {
                to.copy_from_slice(from);
            }
            self.spare = octets;
            return Ok(length);
        }
    }

    fn start(&mut self, offset: u64, length: usize) -> Pending {
        let (sender, answer) = oneshot::channel();
        let (inner, copy) = (self.inner.clone(), self.copy.clone());
        let mut octets = std::mem::take(&mut self.spare);
        octets.resize(length, 0);
        self.inner.threads.submit(Box::new(move || {
            let result = copy.read_file(&inner.files, offset, &mut octets);
            let _ = sender.send((octets, result));
        }));
        Pending { offset, answer }
    }
}

impl std::fmt::Debug for CopyReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id = self.copy.name.id;
        f.debug_struct("CopyReader").field("id", &id).finish_non_exhaustive()
    }
}

//! Memory that sessions borrow from their worker and give back.
//!
//! An idle session holds no buffer: it waits for readiness, borrows a [`Buffer`], moves what there
//! is, and drops it before it waits again. What could not be moved stays behind in a [`Leftover`],
//! which owns exactly as many bytes as it needs.

use std::cell::RefCell;
use std::mem;
use std::ops::{Deref, DerefMut};

/// The length of every [`Buffer`], in bytes.
pub(crate) const SIZE: usize = 64 * 1024;

/// How many buffers a worker keeps. One step of a relay between two TLS legs borrows three.
const SHELF: usize = 4;

thread_local! {
    static BUFFERS: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// [`SIZE`] bytes on loan from this thread. Their content is whatever the last borrower left, so
/// only what the borrower itself wrote may be read.
pub(crate) struct Buffer(Box<[u8]>);

impl Buffer {
    /// Borrows a buffer; allocates one where this thread has none to spare.
    pub(crate) fn borrow() -> Self {
        let spare = BUFFERS.try_with(|shelf| shelf.borrow_mut().pop()).ok().flatten();
        Self(spare.unwrap_or_else(|| vec![0; SIZE].into_boxed_slice()))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let buffer = mem::take(&mut self.0);
        // A thread that is ending has no shelf any more: then the buffer is simply freed.
        let _ = BUFFERS.try_with(|shelf| {
            let mut shelf = shelf.borrow_mut();
            if shelf.len() < SHELF {
                shelf.push(buffer);
            }
        });
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// How far into a buffer a login reaches: a record that is decrypted in place, behind what was held
/// of the one before.
const LOGIN_REACH: usize = SIZE / 2;

/// Overwrites what logins over TLS have left in this thread's spare buffers, passwords among it. To
/// be called when a login is over, whatever came of it; the relay's own reading is not worth it.
pub fn wipe() {
    let _ = BUFFERS.try_with(|shelf| {
        for buffer in shelf.borrow_mut().iter_mut() {
            // The buffer lives on and will be read: no compiler may leave this out.
            buffer.iter_mut().take(LOGIN_REACH).for_each(|byte| *byte = 0);
        }
    });
}

/// Bytes that wait for a peer that is slower than the other. Holds no memory while empty.
#[derive(Default)]
pub(crate) struct Leftover {
    bytes: Vec<u8>,
    start: usize,
}

impl Leftover {
    /// What waits, oldest first.
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// The same, for one who works in place.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..).unwrap_or_default()
    }

    /// How many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.start)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds bytes behind those that wait.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.reserve_exact(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes the first `count` bytes away; the memory goes with the last of them.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count);
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Moves as many bytes as fit to the front of `to`. Returns how many.
    pub(crate) fn move_to(&mut self, to: &mut [u8]) -> usize {
        let waiting = self.as_slice();
        let count = waiting.len().min(to.len());
        if let (Some(to), Some(from)) = (to.get_mut(..count), waiting.get(..count)) {
            to.copy_from_slice(from);
        }
        self.consume(count);
        count
    }

    /// The bytes as a vector to append to. The caller appends and nothing else.
    pub(crate) fn as_vec(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl From<Vec<u8>> for Leftover {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.is_empty() { Self::default() } else { Self { bytes, start: 0 } }
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffer, Leftover, SIZE, wipe};

    #[test]
    fn what_a_login_left_behind_is_overwritten() {
        let mut buffer = Buffer::borrow();
        buffer[..6].copy_from_slice(b"secret");
        drop(buffer);
        assert_eq!(&Buffer::borrow()[..6], b"secret", "it is the same buffer");
        wipe();
        assert_eq!(Buffer::borrow()[..6], [0; 6]);
    }

    #[test]
    fn a_buffer_comes_back_to_its_thread() {
        let first = Buffer::borrow();
        assert_eq!(first.len(), SIZE);
        let address = first.as_ptr();
        drop(first);
        assert_eq!(Buffer::borrow().as_ptr(), address);
    }

    #[test]
    fn a_leftover_keeps_the_order_and_frees_its_memory() {
        let mut leftover = Leftover::default();
        leftover.push(b"abc");
        leftover.consume(1);
        leftover.push(b"def");
        let mut out = [0; 4];
        assert_eq!(leftover.move_to(&mut out), 4);
        assert_eq!(&out, b"bcde");
        assert_eq!(leftover.as_slice(), b"f");
        for _ in 0..1_000 {
            leftover.push(b"xyz");
            leftover.consume(3);
        }
        assert!(leftover.as_vec().capacity() < 100, "what is gone takes no memory");
        leftover.consume(1);
        assert!(leftover.is_empty());
        assert_eq!(leftover.as_vec().capacity(), 0);
    }
}

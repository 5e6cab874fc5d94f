use std::fmt;

use waypost_net::session::SessionRecord;

/// Names sessions so that those of two processes are told apart, as far as chance goes.
#[derive(Debug)]
pub struct SessionIds(u64);

impl SessionIds {
    /// Starts somewhere.
    pub fn new() -> Self {
        Self(rand::random::<u64>())
    }

    /// The name of the session with this record.
    pub fn of(&self, record: &SessionRecord) -> SessionId {
        SessionId(self.0.wrapping_add(record.id()))
    }
}

impl Default for SessionIds {
    fn default() -> Self {
        Self::new()
    }
}

/// A session's name in the log, and towards back ends that hear of it: 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionId(u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

//! The table of sessions: a small record for each, to count, list, sweep and end them by.
//!
//! A session opens its record when it is accepted and takes it along through login and relay; the
//! record leaves the table when it is dropped. No session has a timer of its own: the relay notes
//! the time of each movement, and [`SessionTable::sweep`] looks at all notes once a second.

mod record;
mod table;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use waypost_model::Protocol;

pub use record::SessionRecord;
pub use table::SessionTable;

/// How long a session of which one side has said its last word may be silent. It is usually over
/// within a round trip; the peer that never answers must not keep it for the whole idle limit.
const HALF_CLOSED_LIMIT: Duration = Duration::from_secs(300);

/// How long a session of which one side is gone may wait for the other to close.
const LINGERING_LIMIT: Duration = Duration::from_secs(10);

/// What the sessions of a listener have in common.
#[derive(Clone, Debug)]
pub struct SessionKind {
    /// The listener's name in the configuration.
    pub listener: Arc<str>,
    /// The listener's protocol.
    pub protocol: Protocol,
    /// How long a session may be silent in both directions. Clients count on 30 minutes for IMAP
    /// (RFC 9051 section 5.4), 10 for POP3 (RFC 1939 section 3), 5 for submission (RFC 5321 section
    /// 4.5.3.2.7).
    pub idle_limit: Duration,
}

/// Why a session is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EndReason {
    /// Silent for longer than its limit.
    Idle = 1,
    /// An operator ended it.
    Killed = 2,
    /// The program is ending.
    Shutdown = 3,
}

impl EndReason {
    /// The name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Killed => "killed",
            Self::Shutdown => "shutdown",
        }
    }

    const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            1 => Some(Self::Idle),
            2 => Some(Self::Killed),
            3 => Some(Self::Shutdown),
            _ => None,
        }
    }
}

/// A session as it is listed.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// The session's number, unique in the life of the process.
    pub id: u64,
    /// What it shares with its listener's other sessions.
    pub kind: Arc<SessionKind>,
    /// The client's address.
    pub client: IpAddr,
    /// The client's port.
    pub client_port: u16,
    /// Whose session it is and where it went, once that is known.
    pub route: Option<Arc<SessionRoute>>,
    /// How long it has lasted.
    pub age: Duration,
    /// How long it has been silent.
    pub idle: Duration,
    /// Bytes relayed from the client.
    pub from_client: u64,
    /// Bytes relayed from the back end.
    pub from_backend: u64,
}

/// Whose session it is and where it went. Sessions of one user to one target share it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionRoute {
    /// The user's address.
    pub user: Box<str>,
    /// The target, as host and port.
    pub target: Box<str>,
}

//! What became of a leg.

use waypost_wire::smtp::{EnhancedCode, Reply};

use crate::translate::Translated;

/// What became of a leg.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The back end has the message: 2yz behind the final dot.
    Accepted(Reply),
    /// Not now: 4yz to DATA or behind the final dot. The back end does not have it.
    Temporary(Reply),
    /// No: 5yz to DATA or behind the final dot. The back end does not have it.
    Permanent(Reply),
    /// The final dot was sent and no reply came: the back end may have it or not.
    Unknown(Loss),
    /// The leg was detached before its final dot: the back end does not have it.
    Late(Loss),
}

impl Outcome {
    /// What the client is told where this outcome is passed on to it: the back end's reply, or a
    /// temporary one of our own.
    pub fn reply(&self) -> Reply {
        match self {
            Self::Accepted(reply) | Self::Temporary(reply) | Self::Permanent(reply) => {
                reply.clone()
            }
            Self::Unknown(loss) | Self::Late(loss) => loss.reply(),
        }
    }

    /// The name in logs and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::Temporary(_) => "temporary",
            Self::Permanent(_) => "permanent",
            Self::Unknown(_) => "unknown",
            Self::Late(_) => "late",
        }
    }
}

impl From<Translated> for Outcome {
    fn from(translated: Translated) -> Self {
        let reply = translated.into_reply();
        match reply.code() / 100 {
            2 => Self::Accepted(reply),
            5 => Self::Permanent(reply),
            _ => Self::Temporary(reply),
        }
    }
}

/// Why a leg has no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// The connection was closed or broke.
    Closed,
    /// The back end took nothing for too long, or not all in time.
    Stalled,
    /// The back end has not answered in time.
    Silent,
    /// What it said made no sense, or came before its time.
    Nonsense,
    /// We gave it up ourselves: the message may not be delivered, its client has left, or the
    /// client was told to try again.
    Dropped,
}

impl Loss {
    /// The name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Stalled => "stalled",
            Self::Silent => "silent",
            Self::Nonsense => "nonsense",
            Self::Dropped => "dropped",
        }
    }

    /// What the client is told.
    pub const fn reply(self) -> Reply {
        match self {
            Self::Closed | Self::Stalled | Self::Silent | Self::Dropped => LOST,
            Self::Nonsense => crate::translate::MISUNDERSTOOD,
        }
    }
}

/// RFC 3463 X.4.2: the connection was established and could not complete the transaction.
const LOST: Reply = Reply::new(
    451,
    EnhancedCode::new(4, 4, 2),
    "The mailbox server did not finish the transaction, try again later",
);

use std::time::{Duration, Instant};

use waypost_wire::smtp::Reply;

use crate::outcome::Outcome;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Let the client send its content: a back end wants it.
    Continue,
    /// No back end wants the content: answer DATA with this. The delivery has ended.
    Refuse(Reply),
    /// Nobody needs the content any more: read it to its end and keep nothing of it.
    Discard,
    /// Bring the copy and its name in the folder to stable storage.
    SyncCopy,
    /// Send the final dot, or the last chunk.
    SendDot {
        /// To whom.
        transfer: usize,
    },
    /// Close the connection with a back end as it is: without a dot, without QUIT.
    Abandon {
        /// Whose.
        transfer: usize,
    },
    /// Bring the promise to stable storage: what became of each recipient, in their order.
    WritePromise(Vec<Promised>),
    /// Answer the client: with one reply, or over LMTP with one for each recipient in their order.
    Answer(Vec<Reply>),
    /// Remove the copy, what is reserved for it, and whatever there is of a promise. It may come
    /// while the disk has not finished with either: then after that.
    DropCopy,
    /// The client has been answered and this transfer has a final dot but not all its replies: go
    /// on listening to it, beside the client's session.
    HearOn {
        /// Which.
        transfer: usize,
        /// Until when. The tick then says so.
        until: Instant,
    },
    /// The promise has been kept, or not, for some recipients: a late leg's outcome for the record.
    /// That it cannot be written is for the log; the worst of it is a duplicate.
    Update {
        /// Whose.
        recipients: Vec<usize>,
        /// What became of their leg.
        outcome: Outcome,
    },
}

/// What the promise says of a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Promised {
    /// What has become of its leg so far; one that is undecided is unknown.
    pub outcome: Outcome,
    /// For how long the leg will still be heard: nothing is to be tried again before.
    pub heard_for: Duration,
}

//! What a message is made of, and what its driver has to do.

use std::sync::Arc;

use waypost_net::session::EndReason;
use waypost_spool::{CopyReader, Draft, Kept};
use waypost_wire::login::CloseReason;
use waypost_wire::smtp::Reply;

use crate::fail_point::FailPoints;
use crate::legs::Promised;
use crate::outcome::Outcome;
use crate::{Metrics, Settings};

/// What it needs of its surroundings.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) settings: Arc<Settings>,
    pub(crate) metrics: Metrics,
    pub(crate) fail_points: FailPoints,
    /// Whether the log may show what back ends say.
    pub(crate) clear: bool,
}

/// Where the content comes from.
pub(crate) enum Source {
    /// From the client, behind what we say first; into this copy too, where there are several legs.
    Client { trace: Vec<u8>, draft: Option<Draft> },
    /// From a copy that is whole; with a reader for each transfer.
    Copy { length: u64, readers: Vec<CopyReader> },
    /// It is all here.
    Whole(Vec<u8>),
}

/// What its driver has to do.
pub(crate) enum Task {
    /// Let the client send its content.
    Continue,
    /// Answer the client: no content is wanted.
    Refuse(Reply),
    /// Answer the client.
    Answer(Vec<Reply>),
    /// Write the promise, by [`Delivering::keep`](super::Delivering::keep).
    Promise(Vec<Promised>),
    /// The promise stands: the message is the queue's.
    Kept(Kept),
    /// Write what became of a late leg.
    Update { recipients: Vec<usize>, outcome: Outcome },
    /// The client is gone, and nothing comes of the message.
    ClientLost(Lost),
    /// The client has been answered, and some legs are open: they are to be heard elsewhere.
    HearOn,
    /// Nothing more: the client has been answered, and no leg is open.
    Finished,
}

/// Why a client is taken for lost in the middle of a message.
#[derive(Debug)]
pub(crate) enum Lost {
    /// It has gone.
    Gone(std::io::Error),
    /// It has taken back what it began.
    Reset,
    /// The dialogue with it is over.
    Closed(CloseReason),
    /// It has said nothing for too long.
    Timeout,
    /// The session is ended from outside.
    Ended(EndReason),
}

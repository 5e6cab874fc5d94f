use waypost_wire::smtp::Reply;

use crate::outcome::Loss;
use crate::translate::Translated;

/// What happened. `transfer` and `leg` count as in the [`Plan`](super::Plan).
///
/// An event that cannot be, such as a word about a transfer that has ended, changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A back end is ready for content: it said 354, or it takes BDAT.
    Opened {
        /// Which.
        transfer: usize,
    },
    /// A back end has answered DATA, or a BDAT that was not the last, otherwise.
    Refused {
        /// Which.
        transfer: usize,
        /// With what, translated for [`Situation::Data`](crate::translate::Situation::Data).
        reply: Translated,
    },
    /// Everything but the final dot, or the chunk marked as the last, has been written to a back
    /// end. Not before the client's end of data.
    Sent {
        /// Which.
        transfer: usize,
    },
    /// A leg's final reply.
    Replied {
        /// Which.
        transfer: usize,
        /// Which of its legs.
        leg: usize,
        /// With what, translated for [`Situation::Final`](crate::translate::Situation::Final).
        reply: Translated,
    },
    /// The connection with a back end is of no more use, and closed. Its legs that have their reply
    /// keep it.
    Lost {
        /// Which.
        transfer: usize,
        /// How.
        loss: Loss,
    },
    /// The content may not be passed on, for the reason that the client will hear. As soon as it is
    /// seen: [`Event::Ended`] still follows.
    Spoilt(Reply),
    /// The client's end of data has come.
    Ended,
    /// The client has left, or must be taken for lost. Its leaving after [`Event::Ended`] changes
    /// nothing.
    ClientLost,
    /// The copy is on stable storage, its name in the folder too.
    CopySynced,
    /// The copy cannot be written.
    CopyFailed,
    /// The promise is on stable storage.
    PromiseSynced,
    /// The promise cannot be written.
    PromiseFailed,
    /// Time has passed: [`Delivery::deadline`](super::Delivery::deadline).
    Tick,
}

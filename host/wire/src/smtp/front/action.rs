use std::sync::Arc;

use crate::login::CloseReason;
use crate::smtp::{Chunk, ClientProtocol, Mail, Recipient};

/// What the driver is to do for a front.
///
/// Where a reply is asked for, the front consumes nothing until it has come, so that what is
/// pipelined behind stays in order.
#[derive(Debug, PartialEq, Eq)]
pub enum FrontAction<'a> {
    /// Send the output and read more.
    Read,
    /// The output ends with the go-ahead: send it, start TLS, call `tls_started`. Octets that the
    /// driver has read beyond the command close the session instead; where they are in the same
    /// input, the front says so itself with [`CloseReason::PlaintextAfterStarttls`]. There is no
    /// transaction.
    StartTls,
    /// A transaction is to begin: `reply`. 2yz begins it.
    Mail(Mail),
    /// A further recipient: `reply`. 2yz adds it.
    Recipient(Recipient),
    /// The message is to come by DATA, for all recipients that were added, of which there are
    /// some: `go_ahead`, or `reply` with a refusal, which ends the transaction.
    Data,
    /// A part of the message is to come by BDAT, for the recipients of `Data`: `go_ahead`, or
    /// `reply` with a refusal. After one the front swallows this part before it says so, and refuses
    /// all further ones by itself.
    Chunk(Chunk),
    /// Octets of the message, never none, as they are meant: without the dots of DATA and without
    /// its end.
    Content(&'a [u8]),
    /// A part of the message has come that is not the last: `reply`. What is not 2yz is a refusal
    /// like `Chunk`'s.
    ChunkEnd,
    /// The message has come: `reply`, or LMTP's `replies`. The transaction ends with it.
    ContentEnd,
    /// The transaction has ended without a message, or with one of which only a part has come:
    /// forget it. It has been answered.
    Reset,
    /// Send the output and close. Input behind it is of no interest, and a transaction is
    /// forgotten.
    Close(CloseReason),
}

/// How a client has introduced itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// What it calls itself: 1 to 255 octets of graphic ASCII, which may stand in a `Received`
    /// field as they are. It need not be a host name.
    pub name: Arc<str>,
    /// HELO, EHLO or LHLO.
    pub protocol: ClientProtocol,
}

//! A durable store of messages. It knows nothing of mail: a message is a *copy*, octets that are
//! written once, and a *record*, octets that its owner writes and rewrites.
//!
//! A message begins as a [`Draft`]: its copy is written, read meanwhile by any number of
//! [`CopyReader`]s, and synced, which also secures the space for its record. A draft that is
//! dropped leaves nothing. With [`Draft::keep`] it becomes a [`Kept`] message, which no crash takes
//! away before it is removed. A [`Reader`] looks into the folder from outside, while the spool is used
//! and when it is not.
//!
//! ```no_run
//! # use waypost_spool::{Error, Id, Metrics, Settings, Spool};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let opened = Spool::open("/var/spool/waypost".as_ref(), Settings::default(), Metrics::default())?;
//! let spool = opened.spool;
//! let reservation = spool.reserve(1024 * 1024, 2000).await?;
//! let mut draft = spool.begin(Id::generate(), reservation);
//! draft.append(b"Received: from ...\r\n").await?;
//! draft.sync().await?;
//! let mut kept = draft.keep(b"to be delivered to ...".to_vec()).await?;
//! kept.update(b"delivered to ..., to be delivered to ...".to_vec()).await?;
//! kept.remove().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # On disk
//!
//! The folder is its owner's alone (mode 0700, files 0600) and has one writer, who holds the lock of
//! the file `lock`. A message has the files `ID.copy`, as it is, and `ID.record`; a record that is
//! being made is `ID.draft`. What makes a message kept is that a file bears the name of its record:
//! it gets that name by renaming, when copy and record are on stable storage.
//!
//! No step relies on the order in which the file system writes, only on what has been synced:
//!
//! | step | order |
//! | --- | --- |
//! | sync a draft | write the copy, allocate the draft record; sync the copy; sync the folder |
//! | keep | write the draft record; sync it; rename it to the record; sync the folder |
//! | update | write the record's other slot; sync it |
//! | update that needs more space | as keep: the new file takes the old one's name |
//! | remove | write to the record's other slot that the message is removed; sync it; remove the files |
//!
//! So a crash between two steps leaves files without a record, or with one that says that they are
//! over, which the next start removes; or a whole message with its last record or the one that was
//! being written. After a sync that failed, nothing that it was to make durable is counted on: the
//! next record goes to a new file.
//!
//! # Threads
//!
//! Nothing blocks the caller: what waits for the file system is done on a few threads of the spool's
//! own, and those who wait for the folder at the same time share one sync.

mod copy;
mod draft;
mod error;
mod files;
#[doc(hidden)]
pub mod fuzz;
mod id;
mod kept;
mod ledger;
mod metrics;
mod name;
mod reader;
mod record;
mod recovery;
#[doc(hidden)]
pub mod simulated;
mod slot;
mod spool;
mod storage;
mod threads;

pub use copy::{CopyReader, MAX_READ};
pub use draft::{Draft, Reservation};
pub use error::{Damage, Error, OpenError};
pub use id::{ID_LENGTH, Id, IdError};
pub use kept::Kept;
pub use ledger::Usage;
pub use metrics::Metrics;
pub use reader::{Listed, ListedCopy, Reader};
pub use recovery::Finding;
pub use slot::MAX_RECORD;
pub use spool::{Opened, Recovered, Room, Settings, Spool};
pub use storage::{Access, LockError, Operation, Storage, StoredFile};

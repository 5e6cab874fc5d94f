use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::oneshot;

use crate::Id;
use crate::draft::{Draft, Reservation, message_bytes};
use crate::error::{Error, OpenError};
use crate::files::Files;
use crate::kept::Kept;
use crate::ledger::{Attempt, Ledger, Usage};
use crate::metrics::Metrics;
use crate::recovery::{self, Finding};
use crate::slot::{self, MAX_RECORD};
use crate::storage::{Folder, LockError, Storage};
use crate::threads::Threads;

/// How a spool works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The most bytes that kept messages and reservations may take together.
    pub max_bytes: u64,
    /// How many threads wait for the file system: so many messages can be synced at once.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_bytes: 1024 * 1024 * 1024, threads: 8 }
    }
}

/// A durable store of messages in a folder. Cheap to clone; all clones are the same spool.
///
/// The lock on the folder is given back by [`close`](Self::close), or when the spool and whatever
/// came from it have been dropped.
#[derive(Clone)]
pub struct Spool {
    pub(crate) inner: Arc<Inner>,
}

/// What all parts of a spool share.
pub(crate) struct Inner {
    pub(crate) files: Files,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) threads: Threads,
    metrics: Metrics,
    /// Whether the file system is asked for its free space no more often than must be.
    trusts_free: bool,
}

/// What opening a spool has brought.
#[derive(Debug)]
pub struct Opened {
    /// The spool.
    pub spool: Spool,
    /// The messages that it keeps, the oldest first.
    pub messages: Vec<Recovered>,
    /// What else was found in the folder and left there, for the operator.
    pub findings: Vec<Finding>,
}

/// A message that was kept before the spool was opened.
#[derive(Debug)]
pub struct Recovered {
    /// The message.
    pub message: Kept,
    /// Its record.
    pub record: Vec<u8>,
}

/// How large the file system below a spool is, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// All of it.
    pub total: u64,
    /// What is left now.
    pub free: u64,
}

impl Spool {
    /// Opens the spool in `folder`, which is made if only its last part is missing, takes its lock,
    /// and clears up what a crash has left: drafts are removed, kept messages come back.
    ///
    /// Blocks: to be called at the start, as the user that the process is going to be.
    pub fn open(folder: &Path, settings: Settings, metrics: Metrics) -> Result<Opened, OpenError> {
        Self::open_on(Arc::new(Folder::open(folder)?), settings, metrics)
    }

    /// What stands against [`open`](Self::open), found without making, locking or changing anything:
    /// another process may be using the spool. `None` where the folder is still to be made.
    ///
    /// # Errors
    /// What `open` would end in.
    pub fn look(folder: &Path) -> Result<Option<Room>, OpenError> {
        let Some(found) = Folder::found(folder)? else { return Ok(None) };
        let (total, free) = found.room().map_err(|error| OpenError::Folder {
            folder: folder.to_owned(),
            what: "measure",
            error,
        })?;
        Ok(Some(Room { total, free }))
    }

    /// Opens the spool on a storage of the caller's own.
    pub fn open_on(
        storage: Arc<dyn Storage>,
        settings: Settings,
        metrics: Metrics,
    ) -> Result<Opened, OpenError> {
        let folder = storage.place();
        storage.lock().map_err(|error| match error {
            LockError::Held { pid } => OpenError::Locked { folder: folder.clone(), pid },
            LockError::Io(error) => OpenError::Lock { folder: folder.clone(), error },
        })?;
        let blocks = storage.blocks();
        let files = Files::new(storage, metrics.clone());
        let ledger = Ledger::new(settings.max_bytes, metrics.clone());
        let recovery = recovery::recover(&files);
        let recovery = recovery.map_err(|error| OpenError::Read { folder, error })?;
        let threads = if blocks { Threads::start(settings.threads) } else { Ok(Threads::inline()) };
        let threads = threads.map_err(OpenError::Threads)?;
        let inner = Arc::new(Inner { files, ledger, threads, metrics, trusts_free: blocks });
        let messages = recovery.messages.into_iter().map(|(id, loaded)| {
            inner.ledger.keep(id, message_bytes(loaded.copy_length, loaded.place.slot_bytes));
            let message = Kept::new(&inner, id, loaded.copy_length, loaded.place);
            Recovered { message, record: loaded.record }
        });
        let messages = messages.collect();
        Ok(Opened { messages, findings: recovery.findings, spool: Self { inner } })
    }

    /// Reserves space for a message: a copy of at most `copy_bytes` and a record that will have
    /// `record_bytes` or a little more, in octets.
    ///
    /// # Errors
    /// [`Error::Full`] where the limit would be exceeded, [`Error::FileSystemFull`] where the file
    /// system has less, and what the system says.
    pub async fn reserve(
        &self,
        copy_bytes: u64,
        record_bytes: usize,
    ) -> Result<Reservation, Error> {
        let slot_bytes = slot::slot_bytes(record_bytes.min(MAX_RECORD));
        let bytes = message_bytes(copy_bytes, slot_bytes);
        let attempt = self.inner.ledger.reserve(bytes)?;
        let space = match attempt {
            Attempt::Reserved(space) if self.inner.trusts_free => space,
            attempt => {
                drop(attempt);
                let ask =
                    move |inner: &Arc<Inner>| inner.ledger.reserve_of(inner.files.free()?, bytes);
                self.inner.run(ask).await?
            }
        };
        Ok(Reservation { space, copy_bytes, slot_bytes })
    }

    /// Begins a message in the space of `reservation`. Nothing is asked of the file system yet. An
    /// `id` that the spool has already is an error at the first write.
    pub fn begin(&self, id: Id, reservation: Reservation) -> Draft {
        Draft::new(&self.inner, id, reservation)
    }

    /// When the oldest kept message arrived; `None` if there is none.
    pub fn oldest(&self) -> Option<SystemTime> {
        self.inner.ledger.oldest()
    }

    /// How much there is.
    pub fn usage(&self) -> Usage {
        self.inner.ledger.usage()
    }

    /// Shows the age of the oldest message at `now` in the metrics: to be called now and then.
    pub fn observe(&self, now: SystemTime) {
        let age = self.oldest().and_then(|oldest| now.duration_since(oldest).ok());
        let seconds = age.unwrap_or_default().as_secs();
        self.inner.metrics.oldest_age.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }

    /// Finishes what has been begun, and gives the lock back. Afterwards every call that needs the
    /// file system ends in [`Error::Closed`].
    pub async fn close(&self) {
        self.inner.threads.close().await;
        self.inner.files.storage().unlock();
    }
}

impl Inner {
    /// Has `work` done where it may block, to its end even if the future is dropped.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (sender, answer) = oneshot::channel();
        let inner = self.clone();
        self.threads.submit(Box::new(move || {
            let _ = sender.send(work(&inner));
        }));
        answer.await.unwrap_or(Err(Error::Closed))
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").field("usage", &self.usage()).finish_non_exhaustive()
    }
}

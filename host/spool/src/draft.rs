use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::Id;
use crate::copy::{CopyReader, MessageCopy};
use crate::error::Error;
use crate::files::{File, Files};
use crate::kept::{Fresh, Kept};
use crate::ledger::Space;
use crate::name::Name;
use crate::record::{self, DraftRecord, Place};
use crate::slot::{self, Content, State};
use crate::spool::Inner;

/// So many octets wait in memory at most before they are written, so that a small message costs one
/// turn of another thread in all.
const BUFFER: usize = 128 * 1024;

/// Space for a message: its copy and its record. Dropping it gives it back.
#[must_use = "dropping the reservation gives the space back"]
pub struct Reservation {
    pub(crate) space: Space,
    pub(crate) copy_bytes: u64,
    pub(crate) slot_bytes: u64,
}

/// What a message of these lengths takes of the disk, in octets.
pub(crate) fn message_bytes(copy_length: u64, slot_bytes: u64) -> u64 {
    slot::blocks(copy_length).saturating_add(record::file_bytes(slot_bytes))
}

/// A message that is being written and that nobody has been promised. Dropping it removes it.
///
/// Every future may be dropped. What a call has begun is carried out nevertheless, and what failed
/// once fails ever after.
pub struct Draft {
    inner: Arc<Inner>,
    id: Id,
    /// The most octets that the copy may have.
    limit: u64,
    copy: Arc<MessageCopy>,
    work: Arc<Mutex<Work>>,
    /// Whether anything was asked of the file system.
    begun: bool,
    /// Whether the draft's files are somebody else's now.
    handed_over: bool,
}

/// What the threads know of a draft. Held while they work, and never by the caller.
struct Work {
    space: Option<Space>,
    slot_bytes: u64,
    copy: Option<File>,
    record: Option<DraftRecord>,
    /// Whether octets were written since the last sync.
    unsynced: bool,
    /// Whether the folder has been synced since the files were created.
    named: bool,
    /// Whether it was tried to make the draft a kept message.
    promised: bool,
    failed: Option<Error>,
    ended: bool,
}

impl Draft {
    pub(crate) fn new(inner: &Arc<Inner>, id: Id, reservation: Reservation) -> Self {
        let Reservation { space, copy_bytes, slot_bytes } = reservation;
        let work = Work {
            space: Some(space),
            slot_bytes,
            copy: None,
            record: None,
            unsynced: false,
            named: false,
            promised: false,
            failed: None,
            ended: false,
        };
        Self {
            inner: inner.clone(),
            id,
            limit: copy_bytes,
            copy: Arc::new(MessageCopy::empty(Name::copy(id))),
            work: Arc::new(Mutex::new(work)),
            begun: false,
            handed_over: false,
        }
    }

    /// The message's name.
    pub fn id(&self) -> Id {
        self.id
    }

    /// How many octets have been appended.
    pub fn len(&self) -> u64 {
        self.copy.length()
    }

    /// Whether nothing has been appended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A reader of the copy. There may be any number.
    pub fn reader(&self) -> CopyReader {
        CopyReader::new(&self.inner, &self.copy)
    }

    /// Appends octets to the copy. They are the draft's, for readers too, as soon as the future is
    /// polled; it waits where many are not written yet.
    ///
    /// # Errors
    /// [`Error::BeyondReservation`], and nothing was appended; or what went wrong with the file,
    /// now or earlier.
    pub async fn append(&mut self, octets: &[u8]) -> Result<(), Error> {
        let waiting = self.copy.append(octets, self.limit)?;
        if waiting < BUFFER { Ok(()) } else { self.run(Work::flush).await }
    }

    /// Makes the copy durable, its name too, and secures the space for the record. Afterwards
    /// [`keep`](Self::keep) does not fail for want of space, if the record is no longer than what
    /// was reserved for it.
    pub async fn sync(&mut self) -> Result<(), Error> {
        self.run(Work::sync).await
    }

    /// Makes the draft a kept message with this record. When it returns the message, copy and
    /// record are durable: a crash leaves them whole. A draft that is not synced is synced first.
    ///
    /// If the future is dropped, the message is removed again: nobody has been told of it.
    ///
    /// # Errors
    /// Then nothing is kept and the draft is gone. Where not even that can be made certain, the
    /// files stay, and the message is whole if a restart finds it.
    pub async fn keep(mut self, record: Vec<u8>) -> Result<Kept, Error> {
        self.handed_over = true;
        let (id, copy, work) = (self.id, self.copy.clone(), self.work.clone());
        let fresh = self.inner.run(move |inner| {
            let length = copy.length();
            let mut work = work.lock();
            let place = match work.keep(inner, &copy, &record) {
                Ok(place) => place,
                Err(error) => {
                    work.discard(&inner.files, id, length);
                    return Err(error);
                }
            };
            work.ended = true;
            if let Some(space) = work.space.take() {
                space.keep(id, message_bytes(length, place.slot_bytes));
            }
            Ok(Fresh::new(Kept::new(inner, id, length, place)))
        });
        fresh.await?.take()
    }

    async fn run(
        &mut self,
        step: impl FnOnce(&mut Work, &Inner, &MessageCopy) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        self.begun = true;
        let (copy, work) = (self.copy.clone(), self.work.clone());
        self.inner
            .run(move |inner| {
                let mut work = work.lock();
                work.check()?;
                let result = step(&mut work, inner, &copy);
                if let Err(error) = &result {
                    work.failed = Some(error.clone());
                }
                result
            })
            .await
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.handed_over || !self.begun {
            return;
        }
        let (id, length) = (self.id, self.len());
        let (work, inner) = (self.work.clone(), self.inner.clone());
        self.inner.threads.submit(Box::new(move || work.lock().discard(&inner.files, id, length)));
    }
}

impl Work {
    /// Whether the draft can be worked on: it is not over, and nothing has failed.
    fn check(&self) -> Result<(), Error> {
        match &self.failed {
            Some(error) => Err(error.clone()),
            None if self.ended => Err(Error::Gone),
            None => Ok(()),
        }
    }

    /// Writes what waits in memory.
    fn flush(&mut self, inner: &Inner, copy: &MessageCopy) -> Result<(), Error> {
        let file = match &self.copy {
            Some(file) => file.clone(),
            None => self.create_copy(inner, copy)?,
        };
        // What comes meanwhile is written too, so that the last who asks finds nothing left.
        while let Some((octets, offset)) = copy.take() {
            file.write_at(offset, &octets)?;
            self.unsynced = true;
            if let Some(space) = &mut self.space {
                space.wrote(octets.len() as u64);
            }
            copy.wrote(octets, &file);
        }
        Ok(())
    }

    fn create_copy(&mut self, inner: &Inner, copy: &MessageCopy) -> Result<File, Error> {
        let file = inner.files.create(copy.name())?;
        self.unsynced = true;
        self.copy = Some(file.clone());
        Ok(file)
    }

    fn sync(&mut self, inner: &Inner, copy: &MessageCopy) -> Result<(), Error> {
        self.flush(inner, copy)?;
        if self.record.is_none() {
            // Before the wait for the disk: there may be no space.
            let record = DraftRecord::create(&inner.files, copy.name().id, self.slot_bytes)?;
            self.record = Some(record);
            if let Some(space) = &mut self.space {
                space.wrote(record::file_bytes(self.slot_bytes));
            }
        }
        if self.unsynced
            && let Some(file) = &self.copy
        {
            file.sync()?;
            self.unsynced = false;
        }
        if !self.named {
            inner.files.sync_folder()?;
            self.named = true;
        }
        Ok(())
    }

    fn keep(&mut self, inner: &Inner, copy: &MessageCopy, record: &[u8]) -> Result<Place, Error> {
        self.check()?;
        record::check_length(record)?;
        self.sync(inner, copy)?;
        let Some(draft) = &mut self.record else { return Err(Error::Gone) };
        let copy_length = copy.length();
        let place =
            draft.write(&Content { state: State::Kept, sequence: 1, copy_length, record })?;
        // From here on the message may be kept, even if the answer is no.
        self.promised = true;
        let id = copy.name().id;
        inner.files.rename(Name::draft(id), Name::record(id))?;
        inner.files.sync_folder()?;
        Ok(place)
    }

    /// Removes the draft's files.
    fn discard(&mut self, files: &Files, id: Id, length: u64) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if let Err(error) = self.remove(files, id, length) {
            // The next start does it.
            tracing::warn!(target: "waypost::spool", %id, %error, "a draft cannot be removed");
        }
        self.space = None;
    }

    fn remove(&self, files: &Files, id: Id, length: u64) -> Result<(), Error> {
        let mut names = vec![Name::draft(id)];
        if self.copy.is_some() {
            names.push(Name::copy(id));
        }
        if self.promised {
            // The record may come back after a crash, so it must say that the message is over.
            let content =
                Content { state: State::Removed, sequence: 2, copy_length: length, record: &[] };
            let revoked = self.record.as_ref().map(|record| record.revoke(&content));
            if revoked.is_none_or(|revoked| revoked.is_err()) {
                // Or it must be certain that it does not.
                files.remove(Name::record(id))?;
                files.sync_folder()?;
            }
            names.push(Name::record(id));
        }
        let results: Vec<_> = names.into_iter().map(|name| files.remove(name)).collect();
        results.into_iter().collect()
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, len) = (self.id, self.len());
        f.debug_struct("Draft").field("id", &id).field("len", &len).finish_non_exhaustive()
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("copy_bytes", &self.copy_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::simulated::Simulated;
    use crate::{Error, Id, Metrics, Settings, Spool};

    #[tokio::test]
    async fn what_comes_after_the_end_creates_nothing() {
        let disk = Simulated::new();
        let opened = Spool::open_on(disk.storage(), Settings::default(), Metrics::default());
        let spool = opened.unwrap().spool;
        let mut draft = spool.begin(Id::generate(), spool.reserve(10, 10).await.unwrap());
        draft.append(b"octets").await.unwrap();
        // As when two threads have a sync and the end to do, and the end comes first.
        draft.work.lock().discard(&spool.inner.files, draft.id, 6);
        assert!(matches!(draft.sync().await, Err(Error::Gone)));
        assert!(matches!(draft.keep(Vec::new()).await, Err(Error::Gone)));
        assert_eq!(disk.names(), [""; 0]);
        assert_eq!(spool.usage().reserved, 0);
    }
}

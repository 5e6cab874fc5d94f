use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::Id;
use crate::copy::{CopyReader, MessageCopy};
use crate::draft::message_bytes;
use crate::error::Error;
use crate::files::Files;
use crate::name::Name;
use crate::record::{self, DraftRecord, Place};
use crate::slot::{self, Content, State};
use crate::spool::Inner;

/// A message that the spool keeps: durable, until it is removed. Dropping it changes nothing; the
/// message is there again when the spool is opened the next time.
///
/// Every future may be dropped. What a call has begun is carried out nevertheless.
pub struct Kept {
    inner: Arc<Inner>,
    id: Id,
    length: u64,
    work: Arc<Mutex<Work>>,
    /// The sequence number of the last update that was asked for.
    sequence: u64,
}

/// What the threads know of a message. Held while they work, and never by the caller.
struct Work {
    place: Place,
    /// Whether nobody knows which file the record's name stands for on the disk, or whether the file
    /// can still be written. The next record is then written to a new one.
    suspect: bool,
    /// Whether the record's name was taken away and that could not be made durable.
    unnamed: bool,
    removed: bool,
}

impl Kept {
    pub(crate) fn new(inner: &Arc<Inner>, id: Id, length: u64, place: Place) -> Self {
        let work = Work { place, suspect: false, unnamed: false, removed: false };
        let (work, sequence) = (Arc::new(Mutex::new(work)), place.sequence);
        Self { inner: inner.clone(), id, length, work, sequence }
    }

    /// The message's name, which also says when it arrived.
    pub fn id(&self) -> Id {
        self.id
    }

    /// The length of the copy in octets.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether the copy is empty.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// A reader of the copy. It holds a descriptor from its first read on.
    pub fn reader(&self) -> CopyReader {
        let copy = MessageCopy::whole(Name::copy(self.id), self.length);
        CopyReader::new(&self.inner, &Arc::new(copy))
    }

    /// Reads the record: the last one whose [`update`](Self::update) succeeded, or one whose update
    /// failed afterwards.
    pub async fn record(&self) -> Result<Vec<u8>, Error> {
        let (id, work) = (self.id, self.work.clone());
        self.inner
            .run(move |inner| {
                let work = work.lock();
                if work.removed {
                    return Err(Error::Gone);
                }
                Ok(record::load(&inner.files, id)?.record)
            })
            .await
    }

    /// Puts another record in place of the current one. When it returns, the new one is durable; a
    /// crash before leaves the old one or the new one, whole. It needs no space as long as the
    /// record is no longer than what was reserved, or than the longest so far.
    ///
    /// # Errors
    /// Then a crash may leave either record. A later update may succeed.
    pub async fn update(&mut self, record: Vec<u8>) -> Result<(), Error> {
        record::check_length(&record)?;
        let (id, copy_length, sequence) = (self.id, self.length, self.next());
        let work = self.work.clone();
        let update = move |inner: &Arc<Inner>| {
            let content = Content { state: State::Kept, sequence, copy_length, record: &record };
            work.lock().update(inner, id, &content)
        };
        self.inner.run(update).await
    }

    /// Removes the message. When it returns, the message never comes back.
    ///
    /// # Errors
    /// Then it may come back after a crash, whole; it can be tried again.
    pub async fn remove(&mut self) -> Result<(), Error> {
        let removal = self.removal();
        self.inner.run(move |_| removal()).await
    }

    /// What removes the message, and may block.
    fn removal(&mut self) -> impl FnOnce() -> Result<(), Error> + Send + 'static {
        let (id, copy_length, sequence) = (self.id, self.length, self.next());
        let (inner, work) = (self.inner.clone(), self.work.clone());
        move || {
            let content = Content { state: State::Removed, sequence, copy_length, record: &[] };
            work.lock().remove(&inner, id, &content)
        }
    }

    /// The next sequence number. An update whose future was dropped may be overtaken by a later
    /// one, but not undo it.
    fn next(&mut self) -> u64 {
        self.sequence = self.sequence.saturating_add(1);
        self.sequence
    }
}

impl Work {
    fn update(&mut self, inner: &Inner, id: Id, content: &Content<'_>) -> Result<(), Error> {
        if self.removed {
            return Err(Error::Gone);
        }
        if self.place.sequence >= content.sequence {
            return Ok(());
        }
        let slot_bytes = slot::slot_bytes(content.record.len());
        if self.suspect || slot_bytes > self.place.slot_bytes {
            return self.rewrite(inner, id, content, slot_bytes.max(self.place.slot_bytes));
        }
        match record::update(&inner.files, id, self.place, content) {
            Ok(place) => {
                self.place = place;
                Ok(())
            }
            Err(error) => {
                // Where there is no space, there is none for another file either.
                self.suspect = !error.is_full();
                Err(error)
            }
        }
    }

    /// Writes the record to a new file, which takes the old one's place.
    fn rewrite(
        &mut self,
        inner: &Inner,
        id: Id,
        content: &Content<'_>,
        slot_bytes: u64,
    ) -> Result<(), Error> {
        let files = &inner.files;
        let written =
            DraftRecord::create(files, id, slot_bytes).and_then(|mut file| file.write(content));
        let place = match written {
            Ok(place) => place,
            Err(error) => {
                // It is made anew the next time, and the next start removes it too.
                let _ = files.remove(Name::draft(id));
                return Err(error);
            }
        };
        // Until the folder is synced, nobody knows which of the two files the disk has.
        self.suspect = true;
        files.rename(Name::draft(id), Name::record(id))?;
        files.sync_folder()?;
        self.suspect = false;
        self.unnamed = false;
        self.place = place;
        inner.ledger.keep(id, message_bytes(content.copy_length, place.slot_bytes));
        Ok(())
    }

    /// Removes the message without a mark, where that cannot be written: a file system that writes
    /// everything to a new place may be too full for the mark, though a removal gives space back.
    fn unname(&mut self, inner: &Inner, id: Id) -> Result<(), Error> {
        self.suspect = true;
        if std::mem::replace(&mut self.unnamed, true) {
            // A sync that succeeds now would say nothing about the removal before the one that
            // failed. A new file may take the name and be marked.
            return Err(Error::Gone);
        }
        inner.files.remove(Name::record(id))?;
        inner.files.sync_folder()
    }

    /// Marks the message as removed, and removes its files when that is durable: whichever of them
    /// a crash brings back, the start knows that they are worth nothing.
    fn remove(&mut self, inner: &Inner, id: Id, content: &Content<'_>) -> Result<(), Error> {
        if self.removed {
            return Ok(());
        }
        if let Err(error) = self.update(inner, id, content) {
            tracing::debug!(target: "waypost::spool", %id, %error, "removed by name alone");
            self.unname(inner, id).map_err(|_| error)?;
        }
        self.removed = true;
        inner.ledger.forget(id);
        remove_files(&inner.files, id);
        Ok(())
    }
}

/// Removes the files of a message that is over. What stays is removed at the next start.
fn remove_files(files: &Files, id: Id) {
    for name in [Name::record(id), Name::copy(id), Name::draft(id)] {
        if let Err(error) = files.remove(name) {
            tracing::warn!(target: "waypost::spool", %error, "a file of the spool cannot be removed");
        }
    }
}

/// A message that was kept a moment ago and of which nobody knows yet. Dropping it removes the
/// message: whoever asked for it has gone, and has told nobody.
pub(crate) struct Fresh(Option<Kept>);

impl Fresh {
    pub(crate) fn new(kept: Kept) -> Self {
        Self(Some(kept))
    }

    /// The message, for whoever has asked for it.
    pub(crate) fn take(mut self) -> Result<Kept, Error> {
        self.0.take().ok_or(Error::Gone)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let Some(mut kept) = self.0.take() else { return };
        let (id, removal) = (kept.id, kept.removal());
        let job = move || {
            if let Err(error) = removal() {
                tracing::warn!(target: "waypost::spool", %id, %error, "a message cannot be removed");
            }
        };
        kept.inner.threads.submit(Box::new(job));
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, len) = (self.id, self.length);
        f.debug_struct("Kept").field("id", &id).field("len", &len).finish_non_exhaustive()
    }
}

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use thiserror::Error;
use tokio::sync::Mutex;
use waypost_spool::{CopyReader, Error, Id, Kept};

use crate::record::{Record, RecordError};

/// A message that is kept.
pub(crate) struct Message {
    id: Id,
    length: u64,
    state: Mutex<State>,
    /// There is a [`Hearing`].
    is_heard: AtomicBool,
}

/// That back ends which may have a message are heard, from the promise on: as long as it lives, no
/// operator has the message tried or dropped. Each message has one at most.
pub(crate) struct Hearing(Arc<Message>);

struct State {
    kept: Kept,
    /// The record, where the disk has an older one: what is known is not to be forgotten because it
    /// could not be written.
    unsaved: Option<Record>,
}

/// Why a message's record is not to be had.
#[derive(Debug, Error)]
pub(crate) enum MessageError {
    #[error("{0}")]
    Spool(#[from] Error),
    #[error("{0}")]
    Record(#[from] RecordError),
}

impl Message {
    pub(super) fn new(kept: Kept) -> Self {
        Self {
            id: kept.id(),
            length: kept.len(),
            state: Mutex::new(State { kept, unsaved: None }),
            is_heard: AtomicBool::new(false),
        }
    }

    pub(crate) fn id(&self) -> Id {
        self.id
    }

    /// How long its copy is.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Readers of its copy.
    pub(crate) async fn readers(&self, count: usize) -> Vec<CopyReader> {
        let state = self.state.lock().await;
        (0..count).map(|_| state.kept.reader()).collect()
    }

    /// Its record as it is now.
    pub(crate) async fn read(&self) -> Result<Record, MessageError> {
        self.state.lock().await.read().await
    }

    /// Changes its record, and writes it. Comes back with it and with what `change` said.
    ///
    /// # Errors
    /// `Err` where it cannot be read, and nothing is changed. Where it cannot be written, the change
    /// counts for as long as the process lives, and the third of what comes back says why.
    pub(crate) async fn edit<T>(
        &self,
        change: impl FnOnce(&mut Record) -> T + Send,
    ) -> Result<(T, Record, Result<(), Error>), MessageError> {
        let mut state = self.state.lock().await;
        let mut record = state.read().await?;
        let said = change(&mut record);
        let written = state.kept.update(record.to_bytes()).await;
        state.unsaved = written.is_err().then(|| record.clone());
        Ok((said, record, written))
    }

    /// Removes it from the spool.
    pub(crate) async fn remove(&self) -> Result<(), Error> {
        self.state.lock().await.kept.remove().await
    }

    /// Whether somebody hears a back end that may have it.
    pub(crate) fn is_heard(&self) -> bool {
        self.is_heard.load(Ordering::Relaxed)
    }
}

impl Hearing {
    pub(super) fn new(message: Arc<Message>) -> Self {
        message.is_heard.store(true, Ordering::Relaxed);
        Self(message)
    }

    pub(crate) fn message(&self) -> &Arc<Message> {
        &self.0
    }

    /// There is nobody to be heard any more.
    pub(crate) fn end(&self) {
        self.0.is_heard.store(false, Ordering::Relaxed);
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.end();
    }
}

impl State {
    async fn read(&self) -> Result<Record, MessageError> {
        if let Some(unsaved) = &self.unsaved {
            return Ok(unsaved.clone());
        }
        Ok(Record::from_bytes(&self.kept.record().await?)?)
    }
}

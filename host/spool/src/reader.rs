use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::Id;
use crate::error::{Error, OpenError};
use crate::files::{File, Files};
use crate::metrics::Metrics;
use crate::name::{Kind, LOCK, Name};
use crate::record;
use crate::recovery;
use crate::slot::State;
use crate::storage::{Access, Folder, Storage};

/// A record may be overwritten while it is read; two updates within one reading are rare, this many
/// times in a row they do not happen.
const ATTEMPTS: usize = 5;

/// A look into a spool that another process may be using: it takes no lock and changes nothing.
/// What it reports may be gone the next moment. Its calls block.
pub struct Reader {
    files: Files,
}

/// A kept message as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The message's name, which also says when it arrived.
    pub id: Id,
    /// The length of the copy in octets.
    pub len: u64,
    /// The record.
    pub record: Vec<u8>,
}

impl Reader {
    /// Opens the folder of a spool, as any user who may look into it.
    ///
    /// # Errors
    /// Where it cannot be looked into, and [`OpenError::NoSpool`] where nothing says that it is one.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let found = Folder::existing(folder)?;
        if folder.join(LOCK).symlink_metadata().is_err() {
            return Err(OpenError::NoSpool(folder.to_owned()));
        }
        Ok(Self::open_on(Arc::new(found)))
    }

    /// The same on a storage of the caller's own.
    pub fn open_on(storage: Arc<dyn Storage>) -> Self {
        Self { files: Files::new(storage, Metrics::default()) }
    }

    /// The messages that are kept, the oldest first.
    pub fn ids(&self) -> Result<Vec<Id>, Error> {
        let messages = recovery::list(&self.files)?.messages;
        let kept = messages.into_iter().filter(|(_, kinds)| kinds.contains(&Kind::Record));
        Ok(kept.map(|(id, _)| id).collect())
    }

    /// A message; `None` if it is not kept, or no longer.
    ///
    /// # Errors
    /// [`Error::Damaged`] where its record cannot be used, and what the system says.
    pub fn message(&self, id: Id) -> Result<Option<Listed>, Error> {
        let mut attempt = 1;
        loop {
            match record::load(&self.files, id) {
                Ok(loaded) if loaded.state == State::Removed => return Ok(None),
                Ok(loaded) => {
                    let (len, record) = (loaded.copy_length, loaded.record);
                    return Ok(Some(Listed { id, len, record }));
                }
                Err(error) if error.is_not_found() => return Ok(None),
                Err(Error::Damaged { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The octets of a message's copy; `None` if the message is not kept, or no longer.
    pub fn copy(&self, id: Id) -> Result<Option<ListedCopy>, Error> {
        let Some(message) = self.message(id)? else { return Ok(None) };
        match self.files.open(Name::copy(id), Access::Read) {
            Ok(file) => Ok(Some(ListedCopy { file, offset: 0, left: message.len })),
            // Removed meanwhile; a record that is still there has lost its copy.
            Err(error) if error.is_not_found() && self.message(id)?.is_none() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The octets of a message, to be read once from beginning to end.
pub struct ListedCopy {
    file: File,
    offset: u64,
    left: u64,
}

impl ListedCopy {
    /// How many octets are left.
    pub fn len(&self) -> u64 {
        self.left
    }

    /// Whether all have been read.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }
}

impl io::Read for ListedCopy {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let wanted = buf.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let buf = buf.get_mut(..wanted).unwrap_or_default();
        if buf.is_empty() {
            return Ok(0);
        }
        let read = self.file.read_at(self.offset, buf).map_err(io::Error::other)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.offset = self.offset.saturating_add(read as u64);
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

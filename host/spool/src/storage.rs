//! What the spool needs of a file system, so that tests can put another one below it.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;

mod folder;
#[cfg(test)]
mod tests;

pub(crate) use folder::Folder;

/// A folder of files. Its operations may block: they are called on the spool's own threads, or at
/// the start.
///
/// Names are plain: they hold no separator. Nothing is durable before it is synced: a file's octets
/// by [`StoredFile::sync`], its name by [`Storage::sync_folder`].
pub trait Storage: Send + Sync {
    /// Whether operations may block. Where they do not, they are done on the caller's thread.
    fn blocks(&self) -> bool;

    /// What the folder is called in messages to operators.
    fn place(&self) -> String;

    /// Takes the folder for one writer, until [`unlock`](Self::unlock) or until the storage is
    /// dropped.
    fn lock(&self) -> Result<(), LockError>;

    /// Gives the lock back.
    fn unlock(&self);

    /// Creates a file for reading and writing that only its owner may open; an error where the name
    /// is taken.
    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>>;

    /// Opens a file. A symbolic link, or anything else than a plain file, is an error.
    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn StoredFile>>;

    /// Renames a file, in place of another one of that name if there is one.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes every creation, renaming and removal so far durable.
    fn sync_folder(&self) -> io::Result<()>;

    /// The names of all files.
    fn list(&self) -> io::Result<Vec<OsString>>;

    /// How many octets more may be written before the file system is full.
    fn free(&self) -> io::Result<u64>;
}

/// An open file. It can be read and written from several threads at once.
pub trait StoredFile: Send + Sync {
    /// Reads into `buf` from `offset` on. Less than was asked for means the end of the file.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `octets`. After an error any part of them may have been written.
    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()>;

    /// Secures space for the first `length` octets, which then can be written once even if the file
    /// system is full. What was not there reads as zeros. Never shortens the file.
    fn allocate(&self, length: u64) -> io::Result<()>;

    /// The length in octets.
    fn length(&self) -> io::Result<u64>;

    /// Makes the octets durable, but not the file's name.
    fn sync(&self) -> io::Result<()>;
}

/// What an existing file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading alone.
    Read,
    /// Reading and writing.
    Write,
}

/// Why a folder cannot be taken.
#[derive(Debug)]
pub enum LockError {
    /// Another writer has it.
    Held {
        /// Its process, if it could be told.
        pid: Option<u32>,
    },
    /// The system's own word.
    Io(io::Error),
}

/// What is done to a storage; the label of failures in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// [`Storage::create`]
    Create,
    /// [`Storage::open`]
    Open,
    /// [`StoredFile::read_at`], [`StoredFile::length`]
    Read,
    /// [`StoredFile::write_at`]
    Write,
    /// [`StoredFile::allocate`]
    Allocate,
    /// [`StoredFile::sync`]
    Sync,
    /// [`Storage::sync_folder`]
    SyncFolder,
    /// [`Storage::rename`]
    Rename,
    /// [`Storage::remove`]
    Remove,
    /// [`Storage::list`]
    List,
    /// [`Storage::free`]
    Free,
}

impl Operation {
    /// The name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
            Self::Allocate => "allocate",
            Self::Sync => "sync",
            Self::SyncFolder => "sync-folder",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::List => "list",
            Self::Free => "free",
        }
    }
}

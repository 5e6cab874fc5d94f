use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use crate::name::Name;
use crate::slot::{MAX_RECORD, SlotProblem};
use crate::storage::Operation;

/// Why the spool did not do what it was asked.
#[derive(Clone, Debug, Error)]
pub enum Error {
    /// `max-bytes` would be exceeded.
    #[error("the spool is full: {wanted} octets more would exceed its limit of {max}")]
    Full {
        /// What was asked for, in octets.
        wanted: u64,
        /// The limit, in octets.
        max: u64,
    },
    /// The file system has too little space left for what is reserved.
    #[error("the file system of the spool is full: {wanted} octets more do not fit")]
    FileSystemFull {
        /// What was asked for, in octets.
        wanted: u64,
    },
    /// More than was reserved for the copy.
    #[error("the copy would be longer than what was reserved for it")]
    BeyondReservation,
    /// Longer than [`MAX_RECORD`].
    #[error("the record is longer than {MAX_RECORD} octets")]
    RecordTooLong,
    /// A record or a copy on disk is not what was written.
    #[error("{name}: {problem}")]
    Damaged {
        /// The file.
        name: String,
        /// What is wrong with it.
        problem: Damage,
    },
    /// The message has been removed, or its draft dropped.
    #[error("the message is no longer in the spool")]
    Gone,
    /// The spool has been closed.
    #[error("the spool is closed")]
    Closed,
    /// The system's own word.
    #[error("{name}: {}: {error}", operation.as_str())]
    Io {
        /// What was done.
        operation: Operation,
        /// To which file; `.` is the folder itself.
        name: String,
        /// What the system says.
        error: Arc<io::Error>,
    },
}

/// What is wrong with a file that should be a message's.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Damage(pub(crate) DamageKind);

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum DamageKind {
    /// The length is not one of two slots.
    #[error("{0} octets are no length of a record's file")]
    Length(u64),
    /// Neither slot holds a record.
    #[error("no record can be read: in one half {0}, in the other {1}")]
    Slots(SlotProblem, SlotProblem),
    /// The copy is not as long as its record says.
    #[error("the copy has {found} octets, its record says {expected}")]
    Copy { expected: u64, found: u64 },
}

/// A file that is not what was written.
pub(crate) fn damaged(name: Name, kind: DamageKind) -> Error {
    Error::Damaged { name: name.to_string(), problem: Damage(kind) }
}

impl Error {
    /// Whether there is no space: less would have fitted, or will later.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full { .. } | Self::FileSystemFull { .. } => true,
            Self::Io { error, .. } => {
                matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }

    /// Whether a file was not there.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }

    /// Whether a file was there that should not be.
    pub(crate) fn is_already_there(&self) -> bool {
        matches!(self, Self::Io { error, .. } if error.kind() == io::ErrorKind::AlreadyExists)
    }
}

/// Why a spool cannot be opened. The text says what to do.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Neither can it be used nor made.
    #[error("cannot {what} the spool's folder {}: {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What was tried.
        what: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// A file, or a symbolic link, which could be turned elsewhere.
    #[error("the spool's folder {} is no folder; a symbolic link to one will not do", .0.display())]
    NotAFolder(PathBuf),
    /// Every spool has its lock from the first use on.
    #[error("{} is no spool, or no process has used it yet", .0.display())]
    NoSpool(PathBuf),
    /// Not the user's that this process runs as.
    #[error(
        "the spool's folder {} belongs to user {owner}, but this process is user {user}'s; \
         chown it, or run as its owner",
        folder.display()
    )]
    Owner {
        /// The folder.
        folder: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose this process is.
        user: u32,
    },
    /// Mail lies in it.
    #[error(
        "others than its owner may use the spool's folder {} (mode {mode:04o}); chmod 0700 it",
        folder.display()
    )]
    Exposed {
        /// The folder.
        folder: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// One writer at a time.
    #[error(
        "the spool {folder} is in use by another process{}",
        pid.map(|pid| format!(" ({pid})")).unwrap_or_default()
    )]
    Locked {
        /// The folder.
        folder: String,
        /// The process that has it, if it could be told.
        pid: Option<u32>,
    },
    /// The lock cannot even be tried.
    #[error("cannot lock the spool {folder}: {error}")]
    Lock {
        /// The folder.
        folder: String,
        /// What the system says.
        error: io::Error,
    },
    /// What is in the folder cannot be told.
    #[error("cannot read the spool {folder}: {error}")]
    Read {
        /// The folder.
        folder: String,
        /// What failed.
        error: Error,
    },
    /// No threads to work on.
    #[error("cannot start the spool's threads: {0}")]
    Threads(io::Error),
}

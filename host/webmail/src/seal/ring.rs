//! The keys in force: from a file that is read anew when it changes.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{SealKeys, SealKeysError};

/// A file of keys is small; what is larger is something else.
const MAX_FILE: u64 = 64 * 1024;

/// The keys in force, shared by all listeners and workers.
#[derive(Debug)]
pub struct KeyRing {
    current: ArcSwap<SealKeys>,
    /// None where the keys live as long as the process.
    file: Option<Mutex<File>>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    /// What it looked like when it was last read, whatever came of it.
    seen: Option<Stamp>,
}

/// Tells whether a file is still the one that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

/// Why a file of keys cannot be used.
#[derive(Debug, Error)]
pub enum KeyRingError {
    /// It cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It holds no keys.
    #[error("{}: {error}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: SealKeysError,
    },
}

/// What [`KeyRing::refresh`] has done.
#[derive(Debug)]
pub enum Refreshed {
    /// The file is the one that was read, or there is none.
    Unchanged,
    /// The keys of the changed file are in force.
    Renewed,
    /// The changed file cannot be used; the keys that were there before stay.
    Failed(KeyRingError),
}

impl KeyRing {
    /// Reads the keys from a file.
    ///
    /// # Errors
    /// Says what is wrong with the file.
    pub fn load(path: &Path) -> Result<Self, KeyRingError> {
        let seen = stamp(path);
        let current = ArcSwap::from_pointee(read(path)?);
        let file = Some(Mutex::new(File { path: path.to_owned(), seen }));
        Ok(Self { current, file })
    }

    /// A key that lives as long as the process: with its end every browser is asked again, and no
    /// other node knows the cookies of this one.
    pub fn random() -> Self {
        Self { current: ArcSwap::from_pointee(SealKeys::random()), file: None }
    }

    /// The keys in force now.
    pub fn keys(&self) -> Arc<SealKeys> {
        self.current.load_full()
    }

    /// Reads the file anew if it has changed since it was last read, and says so in the log. Keys
    /// that cannot be used leave those before them in force.
    pub fn refresh(&self) -> Refreshed {
        let Some(file) = &self.file else { return Refreshed::Unchanged };
        let mut file = file.lock();
        let seen = stamp(&file.path);
        if seen == file.seen {
            return Refreshed::Unchanged;
        }
        file.seen = seen;
        match read(&file.path) {
            Ok(keys) => {
                tracing::info!(
                    target: "waypost::webmail", keys = keys.count(),
                    "the keys of the route cookie were read anew"
                );
                self.current.store(Arc::new(keys));
                Refreshed::Renewed
            }
            Err(error) => {
                tracing::error!(
                    target: "waypost::webmail", %error,
                    "the changed keys of the route cookie cannot be used; those before them stay"
                );
                Refreshed::Failed(error)
            }
        }
    }

    /// Calls [`KeyRing::refresh`] as often as `every` says, until it is dropped.
    pub async fn watch(self: Arc<Self>, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let ring = self.clone();
            // The file may lie on a slow disk.
            let _ = tokio::task::spawn_blocking(move || ring.refresh()).await;
        }
    }
}

fn read(path: &Path) -> Result<SealKeys, KeyRingError> {
    let unreadable = |error| KeyRingError::Read { path: path.to_owned(), error };
    let length = fs::metadata(path).map_err(unreadable)?.len();
    if length > MAX_FILE {
        return Err(unreadable(io::Error::from(io::ErrorKind::FileTooLarge)));
    }
    let text = Zeroizing::new(fs::read(path).map_err(unreadable)?);
    let content = |error| KeyRingError::Content { path: path.to_owned(), error };
    SealKeys::parse(&text).map_err(content)
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        length: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
    })
}

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why there is no cache of compiled plugins. The text is for the operator and says what to do.
#[derive(Debug, Error)]
pub enum CodeCacheError {
    /// The file system.
    #[error("cannot {what} {}: {error}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Something else lies in the folder's place: a file, or a link to a folder.
    #[error("{} is no folder, or a link to one: name the folder itself", .0.display())]
    NotAFolder(PathBuf),
    /// Somebody else's.
    #[error(
        "{} belongs to user {owner}, and user {user} takes compiled code from nobody else: chown \
         it, or name another",
        path.display()
    )]
    Owner {
        /// The folder or the key.
        path: PathBuf,
        /// To whom it belongs.
        owner: u32,
        /// Who asks.
        user: u32,
    },
    /// Others have rights.
    #[error(
        "others than its owner have rights in {} (mode {mode:04o}): chmod go= it, and remove what \
         they may have put there",
        path.display()
    )]
    Exposed {
        /// The folder or the key.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The key lies in the folder that it is to protect.
    #[error("{} lies in the folder that it protects: name a key elsewhere", .0.display())]
    KeyInside(PathBuf),
    /// Not the form of a key.
    #[error(
        "{} is no key: expected a plain file of {} octets; remove it to have a new one made",
        .0.display(),
        super::key::LENGTH
    )]
    NotAKey(PathBuf),
}

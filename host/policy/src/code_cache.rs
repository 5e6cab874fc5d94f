//! A folder of compiled plugins, so that nothing is compiled twice: an interpreter's seconds of
//! compiling become the milliseconds of reading.
//!
//! Compiled code runs as it is, outside of every sandbox: who could have an entry of the folder
//! loaded would be this process. So nothing in the folder is believed. The folder must be ours and
//! nobody else's ([`folder`]); each entry carries a keyed digest over what it is and what it holds
//! ([`entry`]), under a key that does not lie in the folder ([`key`]); and what was read is checked
//! and loaded from memory, so that nobody changes it in between. An entry that does not pass is
//! removed, said once, and compiled anew.

mod entry;
mod error;
mod folder;
mod key;

use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::Engine;

pub(crate) use entry::{Genuine, Identity, engine_digest};
pub use error::CodeCacheError;
use folder::Folder;
use key::Key;

/// Where compiled plugins are kept: the table `[code-cache]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeCacheSettings {
    /// The folder, which holds nothing else.
    pub folder: PathBuf,
    /// The file with the key, outside of the folder.
    pub key: PathBuf,
    /// How many octets all entries may take together.
    pub max_bytes: u64,
}

/// Compiled plugins in a folder. Cheap to clone; all clones are the same cache. Several processes
/// of one user may share a folder.
#[derive(Clone)]
pub struct CodeCache(Arc<Inner>);

struct Inner {
    folder: Folder,
    key: Key,
    max_bytes: u64,
}

impl CodeCache {
    /// Opens the cache as who serves. Folder and key are made where they are not there.
    ///
    /// # Errors
    /// A folder or a key that somebody else could have to do with, and what to do about it.
    pub fn open(settings: &CodeCacheSettings) -> Result<Self, CodeCacheError> {
        let folder = Folder::make(&settings.folder)?;
        let key = Key::read_or_make(&settings.key, &folder)?;
        Ok(Self::new(folder, key, settings))
    }

    /// Opens the cache as it is; `None` where there is none yet.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn existing(settings: &CodeCacheSettings) -> Result<Option<Self>, CodeCacheError> {
        let Some(folder) = Folder::existing(&settings.folder)? else { return Ok(None) };
        let key = Key::existing(&settings.key, &folder)?;
        Ok(key.map(|key| Self::new(folder, key, settings)))
    }

    fn new(folder: Folder, key: Key, settings: &CodeCacheSettings) -> Self {
        Self(Arc::new(Inner { folder, key, max_bytes: settings.max_bytes }))
    }

    /// What is kept under `identity` and has passed every check. What has not is removed.
    pub(crate) fn find(&self, identity: &Identity) -> Found {
        let name = identity.file_name();
        let read = self.0.folder.read(&name, entry::MAX_ENTRY);
        let checked = match read {
            Ok(None) => return Found::Nothing,
            Ok(Some(octets)) => Genuine::check(octets, identity, &self.0.key),
            Err(reason) => Err(reason),
        };
        match checked {
            Ok(genuine) => {
                self.0.folder.touch(&name);
                Found::Genuine(genuine)
            }
            Err(reason) => {
                self.reject(identity, &reason);
                Found::Bad
            }
        }
    }

    /// Removes an entry that cannot be used, and says so.
    pub(crate) fn reject(&self, identity: &Identity, reason: &str) {
        let name = identity.file_name();
        let left = self.0.folder.remove(&name).err();
        tracing::warn!(
            target: "waypost::policy",
            entry = %self.0.folder.path().join(&name).display(),
            reason,
            not_removed = left.map(|error| error.to_string()),
            "compiled code in the cache is not what Waypost has put there: it is dropped, and the \
             plugin compiled anew"
        );
    }

    /// Keeps compiled code, and lets go of what has not been used for the longest time where there
    /// is no more room. `false` where it cannot be kept, which the log then says.
    pub(crate) fn store(&self, identity: &Identity, is_configured: bool, code: &[u8]) -> bool {
        let kept = self.try_store(identity, is_configured, code);
        if let Err(reason) = &kept {
            tracing::warn!(
                target: "waypost::policy",
                folder = %self.0.folder.path().display(),
                reason,
                "compiled code cannot be kept: the next start compiles it again"
            );
        }
        kept.is_ok()
    }

    fn try_store(
        &self,
        identity: &Identity,
        is_configured: bool,
        code: &[u8],
    ) -> Result<(), String> {
        let size = entry::HEAD.saturating_add(code.len()) as u64;
        if size > self.0.max_bytes.min(entry::MAX_ENTRY) {
            return Err(format!("it has {size} octets, which is more than `max-bytes` allows"));
        }
        let head = entry::head(identity, is_configured, code, &self.0.key);
        let name = identity.file_name();
        self.0.folder.write(&name, &[&head, code]).map_err(|error| error.to_string())?;
        self.0.folder.make_room(self.0.max_bytes, &name).map_err(|error| error.to_string())
    }
}

/// What the cache has under an identity.
pub(crate) enum Found {
    /// Code that this cache has stored for the same.
    Genuine(Genuine),
    /// No entry.
    Nothing,
    /// One that has been removed.
    Bad,
}

/// A cache with the engine whose code it is asked for.
pub(crate) struct EngineCode {
    pub(crate) cache: CodeCache,
    engine: [u8; 32],
}

impl EngineCode {
    pub(crate) fn new(cache: CodeCache, engine: &Engine) -> Self {
        Self { cache, engine: engine_digest(engine) }
    }

    /// Under what the code of a component with settings is kept, given the digests of both.
    pub(crate) fn identity(&self, component: [u8; 32], settings: [u8; 32]) -> Identity {
        Identity { engine: self.engine, component, settings }
    }
}

impl std::fmt::Debug for CodeCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CodeCache").field(&self.0.folder.path()).finish()
    }
}

#[cfg(test)]
mod tests;

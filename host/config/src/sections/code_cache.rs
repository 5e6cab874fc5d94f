use std::ffi::OsString;
use std::path::{Path, PathBuf};

use waypost_policy::CodeCacheSettings;

use crate::read::{Section, Setting, Table};
use crate::value::{AnyPath, Octets};

static FOLDER: Setting<AnyPath> = Setting::optional(
    "folder",
    "\"/var/cache/waypost/code\"",
    "nothing is kept: each start compiles its plugins, an interpreter for seconds",
    "Where compiled plugins are kept from one start to the next. It is made if it is not there, \
     belongs to who serves, nobody else may look into it, and nothing else may lie in it. What \
     this Waypost has not put there itself is removed and said in the log, never run.",
);
static KEY: Setting<AnyPath> = Setting::optional(
    "key",
    "\"/var/lib/waypost/code-cache.key\"",
    "the folder's path with .key behind it",
    "The file with the key by which Waypost knows what it has put there: 32 octets, not inside the \
     folder. It is made if it is not there, and whoever can read it can have code run as Waypost. \
     One of root's may be readable by the group of who serves.",
);
static MAX_BYTES: Setting<Octets> = Setting::with_default(
    "max-bytes",
    "\"512MiB\"",
    "How much may be kept. Beyond, what was not used for the longest time goes. A plugin takes \
     about ten times the size of its component, an interpreter three times.",
);

pub(crate) static CODE_CACHE: Section = Section {
    header: "code-cache",
    about: "Compiled plugins, so that a start or a reload compiles nothing twice.",
    settings: &[&FOLDER, &KEY, &MAX_BYTES],
};

pub(crate) fn read(table: &Table<'_>) -> Option<CodeCacheSettings> {
    let max_bytes = table.get(&MAX_BYTES).0 as u64;
    let key = table.find(&KEY).map(|AnyPath(path)| path);
    if key.is_some() && !table.has(&FOLDER) {
        table.error(&KEY, "a key without a folder has no meaning; expected folder too");
    }
    let AnyPath(folder) = table.find(&FOLDER)?;
    let key = key.unwrap_or_else(|| beside(&folder));
    Some(CodeCacheSettings { folder, key, max_bytes })
}

/// The folder's own path with `.key` behind it.
fn beside(folder: &Path) -> PathBuf {
    // Without the separator that the path may end with, which would lead into the folder.
    let mut key: OsString = folder.components().as_path().into();
    key.push(".key");
    key.into()
}

use std::path::PathBuf;

use crate::read::{Section, Setting, Table};
use crate::value::{AnyPath, Octets};

/// The spool: `[spool]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    /// Where it lies.
    pub folder: PathBuf,
    /// How much it may hold, in octets.
    pub max_bytes: u64,
}

static FOLDER: Setting<AnyPath> = Setting::optional(
    "folder",
    "\"/var/spool/waypost\"",
    "there is no spool; with a listener for smtp, split must be defer",
    "Where copies of messages are kept while several back ends decide on them, and until those \
     that could not have them. It is made if it is not there, belongs to who serves, and nobody \
     else may look into it. One process at a time can have it.",
);
static MAX_BYTES: Setting<Octets> = Setting::with_default(
    "max-bytes",
    "\"1GiB\"",
    "How much it may hold. A message that does not fit is refused for the moment before it is sent.",
);

pub(crate) static SPOOL: Section = Section {
    header: "spool",
    about: "The spool for messages whose recipients live on several back ends.",
    settings: &[&FOLDER, &MAX_BYTES],
};

pub(crate) fn read(table: &Table<'_>) -> Option<Spool> {
    let max_bytes = table.get(&MAX_BYTES).0 as u64;
    table.find(&FOLDER).map(|AnyPath(folder)| Spool { folder, max_bytes })
}

//! What a start finds in the folder, and what it makes of it.
//!
//! | found | is | done |
//! | --- | --- | --- |
//! | a copy and a record | a kept message | it comes back |
//! | a copy without a record | a draft, or what is left of a removed message | removed |
//! | a record that says that the message is removed | what is left of it | removed |
//! | a record that is being made | a draft, or an update that was under way | removed |
//! | a record that cannot be read, or whose copy is missing or of another length | damage | reported, left |
//! | anything else | not ours | reported, left |

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;

use thiserror::Error as ThisError;

use crate::Id;
use crate::error::{DamageKind, Error, damaged};
use crate::files::Files;
use crate::name::{self, Kind, Name};
use crate::record::{self, Loaded};
use crate::slot::State;
use crate::storage::Access;

/// Something in the folder that an operator should know of. The file stays where it is.
#[derive(Clone, Debug, ThisError)]
pub enum Finding {
    /// A file whose name is none of ours.
    #[error("`{0}` in the spool's folder is no file of the spool")]
    Foreign(String),
    /// A message whose record or copy cannot be used. It is not delivered.
    #[error(
        "the message {id} in the spool cannot be used, its files are left as they are: {error}"
    )]
    Unusable {
        /// The message.
        id: Id,
        /// What is wrong with it.
        error: Error,
    },
    /// A file that is worth nothing and cannot be removed.
    #[error("a file that is left over in the spool cannot be removed: {0}")]
    NotRemoved(Error),
}

/// What is in the folder.
pub(crate) struct Recovery {
    /// Kept messages, the oldest first.
    pub(crate) messages: Vec<(Id, Loaded)>,
    pub(crate) findings: Vec<Finding>,
}

/// Reads the folder and removes what is left over in it.
pub(crate) fn recover(files: &Files) -> Result<Recovery, Error> {
    // Another process may have been killed between a change and its sync. What it has left is seen
    // here, and a crash could still take it away: it is synced before anything is made of it.
    files.sync_folder()?;
    let Listing { messages: listed, foreign } = list(files)?;
    let mut findings: Vec<Finding> = foreign.into_iter().map(Finding::Foreign).collect();
    let mut messages = Vec::new();
    let mut left_over = Vec::new();
    for (id, kinds) in listed {
        if !kinds.contains(&Kind::Record) {
            left_over.extend(kinds.into_iter().map(|kind| Name { id, kind }));
            continue;
        }
        if kinds.contains(&Kind::Draft) {
            left_over.push(Name::draft(id));
        }
        match read(files, id) {
            Ok(Some(loaded)) => messages.push((id, loaded)),
            // The record goes last: as long as it is there, the next start knows, too.
            Ok(None) => left_over.extend([Name::copy(id), Name::record(id)]),
            Err(error) => findings.push(Finding::Unusable { id, error }),
        }
    }
    let failures = left_over.into_iter().filter_map(|name| files.remove(name).err());
    findings.extend(failures.map(Finding::NotRemoved));
    Ok(Recovery { messages, findings })
}

/// The files of each message, and what else there is.
pub(crate) struct Listing {
    pub(crate) messages: BTreeMap<Id, BTreeSet<Kind>>,
    pub(crate) foreign: Vec<String>,
}

pub(crate) fn list(files: &Files) -> Result<Listing, Error> {
    let names = files.list()?;
    let mut listing = Listing { messages: BTreeMap::new(), foreign: Vec::new() };
    for name in names.iter().filter(|name| *name != name::LOCK) {
        match OsStr::to_str(name).and_then(Name::parse) {
            Some(Name { id, kind }) => {
                listing.messages.entry(id).or_default().insert(kind);
            }
            None => listing.foreign.push(name.to_string_lossy().into_owned()),
        }
    }
    Ok(listing)
}

/// Reads a message that has a record; `None` if it says that the message is removed.
fn read(files: &Files, id: Id) -> Result<Option<Loaded>, Error> {
    let loaded = record::load_durable(files, id)?;
    if loaded.state == State::Removed {
        return Ok(None);
    }
    let (name, expected) = (Name::copy(id), loaded.copy_length);
    match files.open(name, Access::Read)?.length()? {
        found if found == expected => Ok(Some(loaded)),
        found => Err(damaged(name, DamageKind::Copy { expected, found })),
    }
}

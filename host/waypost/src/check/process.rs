//! What the process needs of the machine: its user, descriptors, and the places that it writes to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use waypost_config::Config;
use waypost_control::Server;
use waypost_net::privileges::{self, Identity};
use waypost_spool::{OpenError, Room, Spool};

use super::Findings;
use crate::output::say;
use crate::rights::{self, Who};

/// Folders in which a service manager makes those of the services that it starts.
const MADE_AT_START: [&str; 2] = ["/run", "/var/lib"];
/// What systemd gives to those that it has started (systemd.exec(5)).
const STARTED_BY_MANAGER: &str = "INVOCATION_ID";

/// Whether the listeners' connections fit the descriptors that `run` would get from here.
pub(super) fn check_descriptors(config: &Config, findings: &mut Findings) {
    let limits = rights::limits(config);
    let found = limits.map(|_| "enough for every connection".to_owned());
    findings.add("open files", found.map_err(|error| format!("{error:#}")));
}

/// Becomes whoever serves, so that everything from here on is looked at with that user's rights.
pub(super) fn become_who_serves(config: &Config, findings: &mut Findings) -> Who {
    let who = match Who::become_of(config) {
        Ok(who) => who,
        Err(error) => {
            findings.add("user", Err(format!("{error:#}")));
            return Who::Root;
        }
    };
    match (&who, &config.server.user) {
        (Who::Another(name), _) => {
            findings.add("user", Ok(format!("{name}, as whom everything below is looked at")));
        }
        (Who::Starter, Some(user)) => {
            match Identity::lookup(user, config.server.group.as_deref()) {
                Ok(_) => {
                    say!("note   only root can become {user}: what it may read is not known here")
                }
                Err(error) => say!("note   user: {error}"),
            }
        }
        (Who::Root | Who::Starter, _) => {}
    }
    who
}

/// The control socket's name and its folder.
pub(super) fn check_control(config: &Config, findings: &mut Findings) {
    let Some(path) = &config.server.control else { return };
    let subject = "control socket";
    if let Some(folder) = path.parent().filter(|folder| is_made_at_start(folder)) {
        return note_missing(subject, folder);
    }
    let found = Server::look(path).map_err(|error| error.to_string());
    findings.add(subject, found.map(|()| format!("{} can be bound", path.display())));
}

/// The spool's folder, and whether the largest message fits.
pub(super) fn check_spool(config: &Config, findings: &mut Findings) {
    let (Some(spool), Some(smtp)) = (&config.spool, &config.smtp) else { return };
    let (subject, folder) = ("spool", &spool.folder);
    match Spool::look(folder) {
        // Of a service manager's user nothing is written here.
        Err(error @ OpenError::Owner { .. })
            if privileges::is_root() && config.server.user.is_none() =>
        {
            say!("note   {subject}: {error}");
        }
        Err(error) => findings.add(subject, Err(error.to_string())),
        Ok(None) => {
            let parent = parent(folder);
            if is_made_at_start(&parent) {
                return note_missing(subject, &parent);
            }
            let made = may_make_in(&parent);
            findings.add(
                subject,
                made.map(|()| format!("{} will be made", folder.display()))
                    .map_err(|error| format!("{} cannot be made: {error}", folder.display())),
            );
        }
        Ok(Some(room)) => {
            findings.add(subject, fits(room, spool.max_bytes, smtp.max_message_size));
            if room.free < smtp.max_message_size {
                say!(
                    "note   {subject}: the file system of {} is full: {} octets are left, and \
                     max-message-size is {}; messages that do not fit are put off until there is \
                     room",
                    folder.display(),
                    room.free,
                    smtp.max_message_size
                );
            }
        }
    }
}

/// Whether the largest message could be kept if nothing else were. That there is no room at the
/// moment is no reason not to start.
fn fits(room: Room, max_bytes: u64, largest: u64) -> Result<String, String> {
    let (limit, whose) = match room.total < max_bytes {
        true => (room.total, "its file system"),
        false => (max_bytes, "max-bytes of [spool]"),
    };
    match limit > largest {
        true => Ok(format!("usable, {} octets are free", room.free.min(max_bytes))),
        false => Err(format!(
            "a message may have {largest} octets (max-message-size of [smtp]), and {whose} allows \
             {limit}: messages for several back ends would be put off for ever; make it larger, or \
             max-message-size smaller"
        )),
    }
}

/// A folder that is not there, in a place where a service manager makes them before it starts
/// anything. Once it has started this process, the folder must be there.
fn is_made_at_start(folder: &Path) -> bool {
    let is_managed = MADE_AT_START.iter().any(|place| folder.parent() == Some(Path::new(place)));
    is_managed && !folder.exists() && std::env::var_os(STARTED_BY_MANAGER).is_none()
}

fn note_missing(subject: &str, folder: &Path) {
    say!(
        "note   {subject}: {} is not there; a systemd unit with RuntimeDirectory and StateDirectory \
         makes such folders at the start, otherwise make it",
        folder.display()
    );
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.into(),
        _ => PathBuf::from("."),
    }
}

/// Tries it: rights alone do not tell, as below /proc and on what is mounted for reading.
fn may_make_in(folder: &Path) -> io::Result<()> {
    let tried = folder.join(format!(".waypost-check-{}", std::process::id()));
    fs::create_dir(&tried)?;
    fs::remove_dir(&tried)
}

#[cfg(test)]
mod tests {
    use waypost_spool::Room;

    use super::{fits, may_make_in};

    #[test]
    fn the_largest_message_must_fit_an_empty_spool() {
        let mib = 1 << 20;
        let large = Room { total: 1000 * mib, free: 0 };
        assert!(fits(large, 1000 * mib, 50 * mib).is_ok(), "full is no reason not to start");
        let small = fits(Room { total: mib, free: mib }, 1000 * mib, 50 * mib).unwrap_err();
        assert!(small.contains("its file system allows 1048576"), "{small}");
        let limited = fits(large, mib, 50 * mib).unwrap_err();
        assert!(limited.contains("max-bytes of [spool] allows 1048576"), "{limited}");
    }

    #[test]
    fn what_rights_do_not_tell_is_tried() {
        let folder = tempfile::tempdir().unwrap();
        assert!(may_make_in(folder.path()).is_ok());
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "nothing is left behind");
        assert!(may_make_in("/proc".as_ref()).is_err());
    }
}

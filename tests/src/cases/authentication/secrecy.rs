//! Who could read a password that is none of theirs.

use super::{add_person, checked_by, output};
use crate::cases::Case;
use crate::cluster::{Cluster, Plan};
use crate::talk::Talk;

pub(crate) const CASES: &[Case] =
    &[("authentication::nothing_shows_or_keeps_a_password", nothing_keeps_a_password)];

/// Neither the log at its loudest nor the memory of the process, once the session is a relay.
fn nothing_keeps_a_password() {
    for way in ["backend", "bind", "password"] {
        let server = "log-level = \"trace\"\n".to_owned();
        let mut cluster = Cluster::start(&Plan { server, ..checked_by(way) });
        let secret = "xyzzy-plugh-42";
        let stored = output("/usr/sbin/slappasswd", &["-h", "{SSHA}", "-s", secret]);
        add_person(&cluster, "ann", Some(&stored));
        cluster.north.add_user("ann@localdomain.test", secret, "For Ann");
        let mut talk = Talk::greeted(cluster.doors.imap);
        let said = talk.imap("a", &format!("LOGIN ann@localdomain.test {secret}"));
        assert!(said.starts_with("a OK"), "{way}: {said}");
        let said = talk.imap("b", "NOOP");
        assert!(said.starts_with("b OK"), "{way}: {said}");
        let found = occurrences(cluster.waypost.id(), secret.as_bytes());
        assert_eq!(found, 0, "{way}: the password is in memory");
        let mut wrong = Talk::greeted(cluster.doors.imap);
        let said = wrong.imap("a", &format!("LOGIN ann@localdomain.test {secret}x"));
        assert!(said.starts_with("a NO"), "{way}: {said}");
        talk.imap("c", "LOGOUT");
        cluster.waypost.stop();
        let log = cluster.waypost.log();
        assert!(log.contains("ann@localdomain.test"), "{log}");
        assert!(!log.contains(secret) && !log.contains(&stored), "{way}: {log}");
        assert!(!log.contains("the-master-users"), "{way}: {log}");
    }
}

/// How often octets stand in the writable memory of a process.
fn occurrences(process: u32, wanted: &[u8]) -> usize {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mut memory = std::fs::File::open(format!("/proc/{process}/mem")).unwrap();
    let mut found = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let range = line.split(' ').next().unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let from = u64::from_str_radix(from, 16).unwrap();
        let to = u64::from_str_radix(to, 16).unwrap();
        // Address space that is only set aside, as for plugins, cannot be read.
        let mut at = from;
        while at < to {
            let length = (to - at).min(1 << 20);
            let mut block = vec![0; usize::try_from(length).unwrap()];
            if memory.seek(SeekFrom::Start(at)).is_ok() && memory.read_exact(&mut block).is_ok() {
                found += block.windows(wanted.len()).filter(|it| *it == wanted).count();
            }
            at += length;
        }
    }
    found
}

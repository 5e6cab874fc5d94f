//! What reaches the directory and the back ends of a login that comes to nothing.

use super::checked_by;
use super::schemes::CLIENTS;
use crate::cases::Case;
use crate::clients::{self, Tls};
use crate::clusters::mailboxes::Cluster;
use crate::talk::Talk;

pub(crate) const CASES: &[Case] = &[
    ("authentication::a_wrong_password_reaches_no_back_end", wrong_passwords),
    ("authentication::names_full_of_metacharacters_reach_the_directory_escaped", metacharacters),
];

/// The back ends write every password that they do not take to their logs (`auth_verbose`).
fn wrong_passwords() {
    let mismatches = |cluster: &Cluster| {
        let log = cluster.north.log();
        log.matches("mismatch").count() + log.matches("auth failed").count()
    };
    for (way, expected) in [("backend", 1), ("bind", 0), ("password", 0)] {
        let cluster = Cluster::start(&checked_by(way));
        let ca = cluster.ca();
        let user = "user1@localdomain.test";
        let account = cluster.imap(Tls::Implicit, user, "wrong", &ca);
        for (client, read) in CLIENTS {
            let said = read(&account).unwrap_err();
            assert!(!said.is_empty(), "{client}, {way}: {said}");
        }
        let said = clients::poplib(&cluster.pop3(Tls::Implicit, user, "wrong", &ca)).unwrap_err();
        assert!(said.contains("-ERR [AUTH]"), "{way}: {said}");
        let seen = mismatches(&cluster);
        assert_eq!(usize::from(seen > 0), expected, "{way}: {}", cluster.north.log());
        let account = cluster.imap(Tls::Implicit, user, "user1", &ca);
        assert_eq!(clients::imaplib(&account), Ok(vec!["Welcome to north".to_owned()]), "{way}");
    }
}

/// What reached the directory is in slapd's log, as it understood it.
fn metacharacters() {
    let cluster = Cluster::start(&checked_by("bind"));
    let mut talk = Talk::greeted(cluster.doors.imap);
    for (tag, name) in [
        ("a", "*"),
        ("b", "user1)(mail=*"),
        ("c", "*)(|(mail=*"),
        ("d", "user1,dc=localdomain,dc=test"),
        ("e", "us\u{e9}r\\\\2a"),
    ] {
        let command = format!("LOGIN \"{name}@localdomain.test\" user1");
        talk.say(&format!("{tag} {command}"));
        let said = talk.line();
        assert!(
            said.starts_with(&format!("{tag} NO [AUTHENTICATIONFAILED]")) || said.contains("BAD"),
            "{name}: {said}"
        );
        if said.contains("BYE") {
            break;
        }
        if tag == "d" {
            talk = Talk::greeted(cluster.doors.imap);
        }
    }
    let log = cluster.slapd.process().log();
    for filter in [
        "filter=\"(mail=\\2A@localdomain.test)\"",
        "filter=\"(mail=user1\\29\\28mail=\\2A@localdomain.test)\"",
        "filter=\"(mail=\\2A\\29\\28|\\28mail=\\2A@localdomain.test)\"",
    ] {
        assert!(log.contains(filter) || log.contains(&filter.to_lowercase()), "{filter}: {log}");
    }
    assert!(!log.contains("BIND dn=\"cn=user1"), "nobody was bound as: {log}");
}

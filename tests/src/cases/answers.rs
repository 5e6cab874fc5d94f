//! What a client is told that is not let in.

use std::time::Instant;

use super::Case;
use crate::clients::{self, Tls};
use crate::clusters::mailboxes::{Cluster, Plan};

pub(crate) const CASES: &[Case] = &[
    ("answers::nobody_learns_who_exists", nobody_learns_who_exists),
    ("answers::no_log_holds_a_password", no_log_holds_a_password),
];

fn nobody_learns_who_exists() {
    let cluster = Cluster::start(&Plan::default());
    let ca = cluster.ca();
    let mut said = Vec::new();
    for user in ["user1@localdomain.test", "nobody@localdomain.test", "user1@elsewhere.test"] {
        let began = Instant::now();
        let imap = clients::imaplib(&cluster.imap(Tls::Implicit, user, "wrong", &ca));
        assert!(began.elapsed().as_millis() >= 200, "the delay is kept for {user}");
        let pop3 = clients::poplib(&cluster.pop3(Tls::Implicit, user, "wrong", &ca));
        said.push((imap.unwrap_err(), pop3.unwrap_err()));
    }
    assert!(said[0].0.contains("AUTHENTICATIONFAILED"), "{said:?}");
    assert!(said[0].1.contains("[AUTH]"), "{said:?}");
    assert!(said.iter().all(|answer| *answer == said[0]), "{said:?}");
}

fn no_log_holds_a_password() {
    let server = "log-level = \"trace\"\n".to_owned();
    let mut cluster = Cluster::start(&Plan { server, ..Plan::default() });
    let ca = cluster.ca();
    cluster.north.add_user("secretive@localdomain.test", "hunter2-hunter2", "Welcome");
    cluster.slapd.add_user("secretive", "127.0.0.2");
    let user = "secretive@localdomain.test";
    for password in ["hunter2-hunter2", "wrong-hunter2-hunter2"] {
        let _ = clients::imaplib(&cluster.imap(Tls::Implicit, user, password, &ca));
        let _ = clients::poplib(&cluster.pop3(Tls::Implicit, user, password, &ca));
        let _ = clients::curl_imap(&cluster.imap(Tls::Start, user, password, &ca));
    }
    cluster.waypost.stop();
    let log = cluster.waypost.log();
    assert!(log.contains(user), "the log names the user: {log}");
    assert!(!log.contains("hunter2"), "{log}");
    // Base64, as SASL carries it.
    assert!(!log.contains("aHVudGVyMi1odW50ZXIy"), "{log}");
}

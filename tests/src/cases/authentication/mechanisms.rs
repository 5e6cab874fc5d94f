//! The mechanisms, each by programs that know it.

use super::{checked_by, said_by};
use crate::cases::Case;
use crate::clusters::mailboxes::{Cluster, Plan};

pub(crate) const CASES: &[Case] = &[
    ("authentication::challenges_are_answered_with_a_password_in_clear", challenges),
    ("authentication::cyrus_and_gnu_clients_log_in", other_clients),
    ("authentication::scram_is_passed_through", scram),
];

fn with_challenges(way: &str) -> Plan {
    let plan = checked_by(way);
    let mechanisms = "mechanisms = [\"plain\", \"login\", \"cram-md5\"]\napop = true\n";
    Plan { login: plan.login.clone() + mechanisms, ..plan }
}

/// CRAM-MD5 and APOP by curl, which reads the mailbox with what Waypost has found in the directory.
fn challenges() {
    let cluster = Cluster::start(&with_challenges("password"));
    let ca = cluster.ca();
    let ca = ca.to_str().unwrap();
    let (imaps, pop3s) = (cluster.doors.imaps, cluster.doors.pop3s);
    let imap =
        format!("imaps://127.0.0.1:{imaps}/INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)");
    let pop3 = format!("pop3s://127.0.0.1:{pop3s}/1");
    for (options, url) in
        [("AUTH=CRAM-MD5", &imap), ("AUTH=CRAM-MD5", &pop3), ("AUTH=+APOP", &pop3)]
    {
        let curl = |password: &str| {
            let user = format!("user1@localdomain.test:{password}");
            let arguments = [
                "-sSv",
                "--max-time",
                "20",
                "--cacert",
                ca,
                "--login-options",
                options,
                "-u",
                &user,
                url,
            ];
            said_by("/usr/bin/curl", &arguments)
        };
        let (ok, said) = curl("user1");
        assert!(ok && said.contains("Welcome to north"), "{options} {url}: {said}");
        assert!(
            !said.contains("> PASS") && !said.contains("LOGIN user1"),
            "{options} {url}: {said}"
        );
        let (ok, said) = curl("wrong");
        assert!(!ok, "{options} {url}: {said}");
    }
    let log = cluster.north.log();
    assert!(!log.contains("mismatch"), "{log}");
}

/// `imtest`, `pop3test` and `gsasl`, each mechanism by its name.
fn other_clients() {
    let cluster = Cluster::start(&with_challenges("password"));
    let (imap, pop3) = (cluster.doors.imap.to_string(), cluster.doors.pop3.to_string());
    let user = "user1@localdomain.test";
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
        for (program, port) in
            [("/usr/lib/cyrus/bin/imtest", &imap), ("/usr/lib/cyrus/bin/pop3test", &pop3)]
        {
            let test = |password: &str| {
                let arguments = [
                    "-m",
                    mechanism,
                    "-a",
                    user,
                    "-u",
                    user,
                    "-w",
                    password,
                    "-p",
                    port,
                    "127.0.0.1",
                ];
                said_by(program, &arguments).1
            };
            let said = test("user1");
            assert!(said.contains("Authenticated."), "{program} {mechanism}: {said}");
            let said = test("wrong");
            assert!(said.contains("Authentication failed."), "{program} {mechanism}: {said}");
        }
        let gsasl = |password: &str| {
            let arguments = [
                "--imap",
                "--no-starttls",
                "-m",
                mechanism,
                "-a",
                user,
                "-z",
                "",
                "-p",
                password,
                "127.0.0.1",
                &imap,
            ];
            said_by("/usr/bin/gsasl", &arguments)
        };
        let (_, said) = gsasl("user1");
        assert!(
            said.contains("OK ") && !said.contains("AUTHENTICATIONFAILED"),
            "{mechanism}: {said}"
        );
        let (_, said) = gsasl("wrong");
        assert!(said.contains("AUTHENTICATIONFAILED"), "{mechanism}: {said}");
    }
    let log = cluster.north.log();
    assert!(!log.contains("mismatch"), "{log}");
}

/// The back end checks the proofs, and the client those of the back end; nobody else could.
fn scram() {
    let plan = Plan {
        login:
            "auth-failure-delay = \"200ms\"\nmechanisms = [\"scram-sha-1\", \"scram-sha-256\"]\n"
                .to_owned(),
        ..Plan::default()
    };
    let cluster = Cluster::start(&plan);
    let imap = cluster.doors.imap.to_string();
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256"] {
        let gsasl = |user: &str, password: &str| {
            let arguments = [
                "--imap",
                "--no-starttls",
                "--no-cb",
                "-m",
                mechanism,
                "-a",
                user,
                "-z",
                "",
                "-p",
                password,
                "127.0.0.1",
                &imap,
            ];
            said_by("/usr/bin/gsasl", &arguments).1
        };
        let said = gsasl("user1@localdomain.test", "user1");
        assert!(said.contains("OK [CAPABILITY"), "{mechanism}: {said}");
        let said = gsasl("user1@localdomain.test", "wrong");
        assert!(said.contains("AUTHENTICATIONFAILED"), "{mechanism}: {said}");
        let said = gsasl("nobody@localdomain.test", "wrong");
        assert!(said.contains("AUTHENTICATIONFAILED"), "{mechanism}: {said}");
    }
}

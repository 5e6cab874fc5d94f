//! Further mail programs, each wherever the table of mechanisms lets a password in.

use std::time::Duration;

use super::clients::{Login, Mechanism, message};
use super::said_by;
use crate::cases::Case;
use crate::clients::{self, Account, Tls};
use crate::clusters::logins::{
    Check, Entry, INBOX, LoginCluster, PASSWORD, Protocol, user, welcome,
};
use crate::clusters::mailboxes::local;
use crate::servers::wait_for;

pub(crate) const CASES: &[Case] =
    &[("authentication::every_program_gets_in_however_its_password_is_checked", programs)];

/// mbsync, imtest, pop3test, smtptest, gsasl and swaks: the right password lets them in to their own
/// mailbox, or has their message arrive; a wrong one does not.
fn programs() {
    let cluster = LoginCluster::start("", "");
    for check in Check::ALL {
        for entry in Entry::ALL {
            if check == Check::BackEnd && entry != Entry::Client {
                continue;
            }
            reads(&cluster, check, entry);
            sends(&cluster, check, entry);
        }
    }
}

fn reads(cluster: &LoginCluster, check: Check, entry: Entry) {
    let (user, welcome, ca) = (user(check, entry), welcome(check, entry), cluster.ca());
    let account = |password| Account {
        server: local(cluster.secure_door(Protocol::Imap)),
        tls: Tls::Implicit,
        authority: &ca,
        user: &user,
        password,
    };
    assert_eq!(clients::mbsync(&account(PASSWORD)), Ok(vec![welcome.clone()]), "{user}");
    assert!(clients::mbsync(&account("wrong")).is_err(), "{user}");
    for (protocol, mechanism) in
        [(Protocol::Imap, Mechanism::Plain), (Protocol::Pop3, Mechanism::Login)]
    {
        let login = |password| Login { protocol, mechanism, user: &user, password };
        let (is_in, said) = login(PASSWORD).cyrus(cluster, "");
        assert!(is_in && said.contains(&welcome), "{user}: {said}");
        let (is_in, said) = login("wrong").cyrus(cluster, "");
        assert!(!is_in, "{user}: {said}");
    }
    let said = gsasl(cluster, Protocol::Imap, &user, PASSWORD);
    assert!(said.contains(" OK ") && !said.contains("AUTHENTICATIONFAILED"), "{user}: {said}");
    let said = gsasl(cluster, Protocol::Imap, &user, "wrong");
    assert!(said.contains("AUTHENTICATIONFAILED"), "{user}: {said}");
}

fn sends(cluster: &LoginCluster, check: Check, entry: Entry) {
    let user = user(check, entry);
    let mut subjects = Vec::new();
    for mechanism in [Mechanism::Plain, Mechanism::Login] {
        let subject = |program: &str| format!("{program} {mechanism:?} {user}");
        let login =
            |password| Login { protocol: Protocol::Submission, mechanism, user: &user, password };
        let (is_in, said) = login(PASSWORD).cyrus(cluster, &subject("smtptest"));
        assert!(is_in, "{user}: {said}");
        let (is_in, said) = login("wrong").cyrus(cluster, "Not to arrive");
        assert!(!is_in && said.contains("535"), "{user}: {said}");
        let (is_in, said) = swaks(cluster, login(PASSWORD), &subject("swaks"));
        assert!(is_in, "{user}: {said}");
        let (is_in, said) = swaks(cluster, login("wrong"), "Not to arrive");
        assert!(!is_in && said.contains("535 5.7.8"), "{user}: {said}");
        subjects.extend([subject("smtptest"), subject("swaks")]);
    }
    let said = gsasl(cluster, Protocol::Submission, &user, PASSWORD);
    assert!(said.contains("235"), "{user}: {said}");
    let said = gsasl(cluster, Protocol::Submission, &user, "wrong");
    assert!(said.contains("535"), "{user}: {said}");
    let postfix = &cluster.back_end(entry).postfix;
    wait_for("the messages to arrive", Duration::from_secs(20), || {
        let mailbox = postfix.mailbox("inbox");
        let has = |subject: &String| mailbox.iter().any(|it| it.field("Subject") == Some(subject));
        subjects.iter().all(has).then_some(())
    });
    let mailbox = postfix.mailbox("inbox");
    assert!(mailbox.iter().all(|message| message.field("Subject") != Some("Not to arrive")));
}

/// swaks over TLS from the first octet.
fn swaks(cluster: &LoginCluster, login: Login<'_>, subject: &str) -> (bool, String) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), message(subject)).unwrap();
    let mechanism = if login.mechanism == Mechanism::Login { "LOGIN" } else { "PLAIN" };
    let (data, port) = (
        format!("@{}", file.path().display()),
        cluster.secure_door(Protocol::Submission).to_string(),
    );
    let ca = cluster.ca();
    said_by(
        "/usr/bin/swaks",
        &[
            &["--server", "localhost", "--port", &port, "--tls-on-connect"][..],
            &["--tls-verify", "--tls-ca-path", ca.to_str().unwrap()],
            &["--auth", mechanism, "--auth-user", login.user, "--auth-password", login.password],
            &["--from", login.user, "--to", INBOX, "--data", &data, "--timeout", "20"],
        ]
        .concat(),
    )
}

/// What gsasl says and hears with PLAIN.
fn gsasl(cluster: &LoginCluster, protocol: Protocol, user: &str, password: &str) -> String {
    let flag = if protocol == Protocol::Imap { "--imap" } else { "--smtp" };
    let port = cluster.door(protocol).to_string();
    let arguments = [
        &[flag, "--no-starttls", "-m", "PLAIN", "-a", user, "-z", "", "-p", password][..],
        &["127.0.0.1", &port],
    ]
    .concat();
    said_by("/usr/bin/gsasl", &arguments).1
}

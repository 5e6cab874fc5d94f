//! The demo, as a newcomer meets it.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::Case;
use crate::clients::{self, Account, Tls};
use crate::clusters::mailboxes::local;
use crate::servers::{Background, free_port, program, run};

pub(crate) const CASES: &[Case] = &[("demo::everybody_reads_the_right_mailbox", demo)];

fn demo() {
    let folder = tempfile::tempdir().unwrap();
    let ports = [(); 5].map(|()| free_port());
    let [imap, pop3, smtp, submission, web] = ports;
    let mut command = Command::new(program());
    command.arg("demo").arg("--ports").args(ports.map(|port| port.to_string()));
    let mut demo = Background::start("demo", &mut command, folder.path());
    demo.wait_for_log("Ctrl-C");
    assert!(demo.log().contains(&format!("imap://127.0.0.1:{imap}")), "{}", demo.log());
    let nowhere = folder.path().join("no-authority");
    for (user, host) in
        [("user1", "north"), ("user2", "north"), ("user3", "south"), ("user4", "south")]
    {
        let address = format!("{user}@localdomain.test");
        let account = |port| Account {
            server: local(port),
            tls: Tls::None,
            authority: &nowhere,
            user: &address,
            password: user,
        };
        let expected = Ok(vec![format!("Welcome to {host}")]);
        assert_eq!(clients::curl_imap(&account(imap)), expected, "curl, IMAP, {user}");
        assert_eq!(clients::curl_pop3(&account(pop3)), expected, "curl, POP3, {user}");
        assert_eq!(clients::imaplib(&account(imap)), expected, "imaplib, {user}");
        assert_eq!(clients::poplib(&account(pop3)), expected, "poplib, {user}");
    }
    // To north and south at once, and from a user of north to one of south.
    let [user1, user2, user3, user4] =
        ["user1", "user2", "user3", "user4"].map(|user| format!("{user}@localdomain.test"));
    send(smtp, &user2, &[&user1, &user3], "From outside", None);
    send(submission, &user1, &[&user4], "From user1", Some((&user1, "user1")));
    for (address, subject) in
        [(&user1, "From outside"), (&user3, "From outside"), (&user4, "From user1")]
    {
        let account = Account {
            server: local(imap),
            tls: Tls::None,
            authority: &nowhere,
            user: address,
            password: address.split_once('@').unwrap().0,
        };
        let subjects = clients::imaplib(&account).unwrap();
        assert_eq!(subjects.get(1..), Some([subject.to_owned()].as_slice()), "{address}");
    }
    browse(web);
    demo.signal(Signal::INT);
    assert_eq!(demo.wait(Duration::from_secs(10)), Some(0), "{}", demo.log());
}

/// Sends a message as the demo says how.
fn send(port: u16, from: &str, to: &[&str], subject: &str, login: Option<(&str, &str)>) {
    let folder = tempfile::tempdir().unwrap();
    let message = folder.path().join("message");
    std::fs::write(&message, format!("Subject: {subject}\n\nHello.\n")).unwrap();
    let mut command = Command::new("/usr/bin/curl");
    command.args(["-sS", "--max-time", "20", "--crlf", "--mail-from", from, "-T"]).arg(&message);
    command.args(to.iter().flat_map(|to| ["--mail-rcpt", to]));
    if let Some((user, password)) = login {
        command.arg("-u").arg(format!("{user}:{password}"));
    }
    let output = run(command.arg(format!("smtp://127.0.0.1:{port}")));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{subject}: {said}");
}

/// As a browser would: the page, the address, the back end's login form, the mailbox, and out.
fn browse(port: u16) {
    let folder = tempfile::tempdir().unwrap();
    let jar = folder.path().join("cookies");
    let curl = |arguments: &[&str], path: &str| {
        let mut command = Command::new("/usr/bin/curl");
        command.args(["-sSL", "--max-time", "20", "-b"]).arg(&jar).arg("-c").arg(&jar);
        let output = run(command.args(arguments).arg(format!("http://127.0.0.1:{port}{path}")));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{path}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(curl(&[], "/").contains("E-mail address"));
    let login = curl(&["-d", "address=user3&to=/"], "/.waypost/");
    assert!(login.contains("Log in to south"), "{login}");
    assert!(login.contains("value=\"user3@localdomain.test\""), "{login}");
    let form = "user=user3%40localdomain.test&password=user3";
    let mailbox = curl(&["-d", form], "/login");
    assert!(mailbox.contains("Welcome to south"), "{mailbox}");
    assert!(curl(&[], "/").contains("user3@localdomain.test"), "the session lasts");
    assert!(curl(&["-d", ""], "/logout").contains("E-mail address"));
    let north = curl(&["-u", "user1@localdomain.test:user1"], "/");
    assert!(north.contains("Welcome to north"), "{north}");
}

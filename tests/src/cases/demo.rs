//! The demo, as a newcomer meets it.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::Case;
use crate::clients::{self, Account, Tls};
use crate::cluster::local;
use crate::servers::{Background, free_port, program};

pub(crate) const CASES: &[Case] = &[("demo::everybody_reads_the_right_mailbox", demo)];

fn demo() {
    let folder = tempfile::tempdir().unwrap();
    let (imap, pop3) = (free_port(), free_port());
    let mut command = Command::new(program());
    command.arg("demo").arg("--ports").arg(imap.to_string()).arg(pop3.to_string());
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
    demo.signal(Signal::INT);
    assert_eq!(demo.wait(Duration::from_secs(10)), Some(0), "{}", demo.log());
}

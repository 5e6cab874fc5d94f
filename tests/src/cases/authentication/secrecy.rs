//! Nobody who reads a log, a metric or memory learns a password.

use std::fs;
use std::os::unix::fs::FileExt as _;

use super::clients::{Login, Mechanism, token};
use super::said_by;
use super::traces::{contains, forms, shows};
use super::typed::{Typed, Way, is_in};
use crate::cases::Case;
use crate::clusters::logins::{
    BACK_ENDS_OWN, Check, Entry, LoginCluster, PASSWORD, Protocol, user,
};
use crate::clusters::mailboxes::MASTER_PASSWORD;
use crate::servers::{free_port, program};
use crate::talk::Talk;

pub(crate) const CASES: &[Case] =
    &[("authentication::nothing_shows_or_keeps_a_password", nothing_keeps_a_password)];

/// Checks and entries that know each other.
const USERS: [(Check, Entry); 5] = [
    (Check::BackEnd, Entry::Client),
    (Check::Bind, Entry::Client),
    (Check::Password, Entry::Client),
    (Check::Bind, Entry::Master),
    (Check::Password, Entry::Own),
];

/// Neither the log at its loudest, nor what an operator may ask for, nor the memory of the process
/// once its sessions are relays, in any form in which the password was said.
fn nothing_keeps_a_password() {
    let metrics = free_port();
    let mut cluster = LoginCluster::start(
        "log-level = \"trace\"\ncontrol = \"control\"\n",
        &format!("[metrics]\nbind = \"127.0.0.1:{metrics}\"\n"),
    );
    wrong_passwords(&cluster);
    digests_and_tokens(&cluster);
    let mut relays = idle_relays(&cluster);
    assert!(relays.len() > 100, "{}", relays.len());
    let token = token(&user(Check::BackEnd, Entry::Client));
    let process = cluster.waypost.id();
    let wanted = [PASSWORD, &token].map(forms).concat();
    assert_eq!(in_memory(process, &wanted), [""; 0]);
    // What has to be there is found.
    assert!(!in_memory(process, &[MASTER_PASSWORD.into()]).is_empty());
    assert!(relays.iter_mut().all(Typed::is_alive), "they were relays all the time");
    let told = told_to_operators(&cluster, metrics);
    cluster.waypost.stop();
    let log = cluster.waypost.log();
    for (check, entry) in USERS {
        assert!(log.contains(&user(check, entry)), "the log is loud");
    }
    for secret in [PASSWORD, &token, MASTER_PASSWORD, BACK_ENDS_OWN] {
        for text in [&log, &told] {
            let line = text.lines().find(|line| shows(line.as_bytes(), secret));
            assert_eq!(line, None, "{secret} is shown");
        }
    }
}

/// The password with something behind it, so that it would be found.
fn wrong_passwords(cluster: &LoginCluster) {
    let wrong = format!("{PASSWORD}-and-more");
    for protocol in Protocol::ALL {
        for (check, entry) in USERS {
            for way in Way::ALL.into_iter().filter(|way| way.carries(protocol, b"")) {
                let user = user(check, entry);
                let said = Typed::greeted(cluster, protocol).log_in(
                    way,
                    user.as_bytes(),
                    wrong.as_bytes(),
                );
                assert!(!is_in(&said), "{protocol:?} {way:?} {user}: {said}");
            }
        }
    }
}

/// CRAM-MD5 and APOP, for which Waypost takes the password from the directory, and a token.
fn digests_and_tokens(cluster: &LoginCluster) {
    for (check, entry, protocol, mechanism) in [
        (Check::Password, Entry::Client, Protocol::Imap, Mechanism::CramMd5),
        (Check::Password, Entry::Client, Protocol::Submission, Mechanism::CramMd5),
        (Check::Password, Entry::Client, Protocol::Pop3, Mechanism::Apop),
        (Check::BackEnd, Entry::Client, Protocol::Imap, Mechanism::OauthBearer),
        (Check::BackEnd, Entry::Client, Protocol::Pop3, Mechanism::OauthBearer),
    ] {
        let user = user(check, entry);
        let login = Login { protocol, mechanism, user: &user, password: PASSWORD };
        let (is_in, said) = login.run(cluster, "Nothing");
        assert!(is_in, "{login:?}: {said}");
    }
}

/// A session for each protocol, user and way to say the password, in clear and over TLS.
fn idle_relays(cluster: &LoginCluster) -> Vec<Typed> {
    let mut relays = Vec::new();
    for protocol in Protocol::ALL {
        for (check, entry) in USERS {
            for way in Way::ALL.into_iter().filter(|way| way.carries(protocol, b"")) {
                let connections =
                    [Typed::greeted(cluster, protocol), Typed::greeted_securely(cluster, protocol)];
                for mut typed in connections {
                    let user = user(check, entry);
                    let said = typed.log_in(way, user.as_bytes(), PASSWORD.as_bytes());
                    assert!(is_in(&said), "{protocol:?} {way:?} {user}: {said}");
                    assert!(typed.is_alive());
                    relays.push(typed);
                }
            }
        }
    }
    relays
}

/// The metrics, and what the commands say.
fn told_to_operators(cluster: &LoginCluster, metrics: u16) -> String {
    let mut talk = Talk::connect(metrics);
    talk.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut told = talk.rest();
    assert!(told.contains("waypost_"), "{told}");
    let configuration = cluster.waypost.configuration();
    let configuration = configuration.to_str().unwrap();
    let user = user(Check::Password, Entry::Master);
    for arguments in
        [&["reload", "--patience", "30"][..], &["check"], &["route", &user, "--protocol", "imap"]]
    {
        let arguments = [arguments, &["--config", configuration]].concat();
        told += &said_by(program().to_str().unwrap(), &arguments).1;
    }
    assert!(told.contains(&user), "{told}");
    told
}

const PAGE: usize = 4096;

/// Which of these stand in the writable memory of a process.
fn in_memory(process: u32, wanted: &[Vec<u8>]) -> Vec<String> {
    let of_process = |name: &str| format!("/proc/{process}/{name}");
    let maps = fs::read_to_string(of_process("maps")).unwrap();
    let memory = fs::File::open(of_process("mem")).unwrap();
    let page_map = fs::File::open(of_process("pagemap")).unwrap();
    let mut found = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let range = line.split(' ').next().unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|text| usize::from_str_radix(text, 16).unwrap());
        // Address space that was only set aside is much, and has no pages.
        let mut pages = vec![0; (to - from) / PAGE * 8];
        if page_map.read_exact_at(&mut pages, (from / PAGE * 8) as u64).is_err() {
            continue;
        }
        let is_there = |entry: &[u8]| entry.last().is_some_and(|flags| flags & 0xc0 != 0);
        let pages: Vec<bool> = pages.chunks(8).map(is_there).collect();
        let mut at = from;
        for run in pages.chunk_by(|one, other| one == other) {
            let mut octets = vec![0; run.len() * PAGE];
            if run[0] && memory.read_exact_at(&mut octets, at as u64).is_ok() {
                let here = wanted.iter().filter(|form| contains(&octets, form));
                found.extend(here.map(|form| format!("{} in {line}", form.escape_ascii())));
            }
            at += run.len() * PAGE;
        }
    }
    found
}

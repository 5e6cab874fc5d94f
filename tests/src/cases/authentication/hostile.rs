//! Names and passwords that are made to be misunderstood, over every protocol: no back end hears of
//! them, and the directory is asked for what was said and nothing else.

use std::fs;

use super::traces::contains;
use super::typed::{Typed, Way, is_in};
use crate::cases::Case;
use crate::clusters::logins::{Check, Entry, LoginCluster, PASSWORD, Protocol, user};

pub(crate) const CASES: &[Case] = &[
    ("authentication::no_hostile_name_or_password_reaches_a_back_end", names_and_passwords),
    ("authentication::a_client_may_take_back_what_it_began_at_each_step", cancelled),
    ("authentication::a_line_of_sasl_without_end_takes_no_memory", endless_line),
];

/// Those that the front checks.
const CHECKED: [Check; 2] = [Check::Bind, Check::Password];

/// Names in which somebody might see more than a name. `@` and the domain follow.
const NAMES: [&[u8]; 22] = [
    b"",
    b"*",
    b" ",
    b"client*",
    b"c*t",
    b"client)(mail=*",
    b"*)(|(mail=*",
    b"nobody)(|(objectClass=*)",
    b"client)(userPassword=t*",
    b"\\2a",
    b"\\",
    b"client,dc=localdomain,dc=test",
    b"client,cn=master",
    b"client;x",
    b"#04024869",
    b"cli\"ent",
    b"client\0",
    b"cli\0ent",
    b"cli\x01ent",
    b"client\r",
    b"client\xc3",
    b"\xc0\xaa",
];

/// Wrong passwords, some of them nearly right.
const PASSWORDS: [&[u8]; 13] = [
    b"",
    b"*",
    b"tanstaaf-4",
    b"tanstaaf-4*",
    b"tanstaaf-421",
    b"tanstaaf-42\0",
    b"\0tanstaaf-42",
    b"tanstaaf-42\0x",
    b"tanstaaf-42\r",
    b"tanstaaf-42\n",
    b"tanstaaf-42\xc3",
    b"{CLEAR}tanstaaf-42",
    b")(userPassword=*",
];

fn names_and_passwords() {
    let cluster = LoginCluster::start("", "");
    let mut tried = 0;
    let mut refused = |protocol, way: Way, name: &[u8], password: &[u8]| {
        if !way.carries(protocol, name) || !way.carries(protocol, password) {
            return;
        }
        let said = Typed::greeted(&cluster, protocol).log_in(way, name, password);
        let shown = [name, password].map(|octets| octets.escape_ascii().to_string());
        assert!(!is_in(&said), "{protocol:?} {way:?} {shown:?}: {said}");
        let heard: usize =
            Entry::ALL.iter().map(|entry| cluster.back_end(*entry).heard.connections()).sum();
        assert_eq!(heard, 0, "{protocol:?} {way:?} {shown:?}: {said}");
        tried += 1;
    };
    let long = vec![b'x'; 2000];
    for (protocol, way) in each_way() {
        for check in CHECKED {
            for entry in Entry::ALL {
                let user = user(check, entry).into_bytes();
                let domain = user.split(|octet| *octet == b'@').nth(1).unwrap();
                for name in NAMES.into_iter().chain([&long[..]]).filter(|_| entry == Entry::Client)
                {
                    let name = [name, b"@", domain].concat();
                    refused(protocol, way, &name, PASSWORD.as_bytes());
                }
                for password in PASSWORDS.into_iter().chain([&long[..]]) {
                    refused(protocol, way, &user, password);
                }
            }
            refused(protocol, way, b"", PASSWORD.as_bytes());
        }
    }
    assert!(tried > 1000, "{tried}");
    for entry in Entry::ALL {
        let back_end = cluster.back_end(entry);
        assert_eq!(back_end.heard.connections(), 0, "{entry:?}");
    }
    directory_was_asked_for_what_was_said(&cluster);
    // What could be recorded would have been.
    for (check, entry) in CHECKED.into_iter().flat_map(|it| Entry::ALL.map(|entry| (it, entry))) {
        let mut typed = Typed::greeted(&cluster, Protocol::Imap);
        let user = user(check, entry);
        let said = typed.log_in(Way::Command, user.as_bytes(), PASSWORD.as_bytes());
        assert!(is_in(&said), "{user}: {said}");
        assert!(cluster.back_end(entry).heard.connections() > 0);
    }
    assert!(bound_with(&cluster, PASSWORD.as_bytes()));
}

fn each_way() -> impl Iterator<Item = (Protocol, Way)> {
    let ways = |protocol| Way::ALL.map(|way| (protocol, way));
    Protocol::ALL.into_iter().flat_map(ways).filter(|(protocol, way)| way.carries(*protocol, b""))
}

/// slapd logs what it understood: the filters, and as whom somebody binds.
fn directory_was_asked_for_what_was_said(cluster: &LoginCluster) {
    let log = cluster.slapd.process().log();
    let filters: Vec<&str> =
        log.lines().filter_map(|line| line.split_once(" filter=\"")?.1.strip_suffix('"')).collect();
    for filter in &filters {
        let is_by_name = filter.strip_prefix("(mail=").and_then(|rest| rest.strip_suffix(')'));
        // The second is how an entry is read whose name is known.
        let is_one = match is_by_name {
            Some(value) => !value.contains(['(', ')', '*']),
            None => *filter == "(objectClass=*)",
        };
        assert!(is_one, "{filter}");
    }
    for escaped in [
        "(mail=\\2A@bind.test)",
        "(mail=client\\29\\28mail=\\2A@bind.test)",
        "(mail=\\2A\\29\\28|\\28mail=\\2A@password.test)",
        "(mail=\\5C2a@password.test)",
    ] {
        let is_there = filters.iter().any(|filter| filter.eq_ignore_ascii_case(escaped));
        assert!(is_there, "{escaped}: {filters:?}");
    }
    let bound = log.lines().filter_map(|line| line.split_once(" BIND dn=\""));
    for name in bound.filter_map(|(_, rest)| Some(rest.split_once("\" method=")?.0)) {
        let is_known = name == cluster.slapd.bind_dn()
            || Entry::ALL.iter().any(|entry| {
                name.eq_ignore_ascii_case(&format!(
                    "cn={},dc=localdomain,dc=test",
                    user(Check::Bind, *entry)
                ))
            });
        assert!(is_known, "{name}");
    }
    for password in [&b""[..], b"tanstaaf-42\0", b"\0tanstaaf-42", b"tanstaaf-42\0x"] {
        assert!(!bound_with(cluster, password), "{:?}", password.escape_ascii());
    }
    assert!(bound_with(cluster, b"tanstaaf-4*"), "wrong ones are for the directory to refuse");
}

/// Whether a user's entry was bound as with this password (RFC 4511 section 4.2: `simple [0]` behind
/// the name).
fn bound_with(cluster: &LoginCluster, password: &[u8]) -> bool {
    let length = u8::try_from(password.len()).unwrap();
    let request = [b"@bind.test,dc=localdomain,dc=test\x80", &[length][..], password].concat();
    contains(&cluster.directory.said(), &request)
}

fn cancelled() {
    let cluster = LoginCluster::start("", "");
    let user = user(Check::BackEnd, Entry::Client);
    let scram = format!("n,,n={user},r=fyko+d2lbbFgONRv9qkxdawL");
    // The messages before it, the first with the command.
    let begun: [(&str, &[&str]); 8] = [
        ("PLAIN", &[]),
        ("LOGIN", &[]),
        ("LOGIN", &[&user]),
        ("CRAM-MD5", &[]),
        ("XOAUTH2", &[]),
        ("OAUTHBEARER", &[]),
        ("SCRAM-SHA-256", &[]),
        // Behind the back end's challenge.
        ("SCRAM-SHA-256", &[&scram]),
    ];
    for protocol in Protocol::ALL {
        for (mechanism, messages) in begun {
            let mut typed = Typed::greeted(&cluster, protocol);
            let initial = messages.first().map(|message| message.as_bytes());
            let said = typed.begin(mechanism, initial);
            assert!(typed.is_challenge(&said), "{protocol:?} {mechanism}: {said}");
            let said = typed.cancel();
            let expected = match protocol {
                Protocol::Imap => "a BAD ",
                Protocol::Pop3 => "-ERR ",
                Protocol::Submission => "501 5.7.0 ",
            };
            assert!(said.starts_with(expected), "{protocol:?} {mechanism} {messages:?}: {said}");
            assert!(typed.is_alive(), "{protocol:?} {mechanism} {messages:?}");
            let said = typed.log_in(Way::Plain, user.as_bytes(), PASSWORD.as_bytes());
            assert!(is_in(&said), "{protocol:?} {mechanism} {messages:?}: {said}");
        }
    }
}

/// Ten megabytes as a command's argument, as an answer to a challenge, and as a literal.
fn endless_line() {
    let cluster = LoginCluster::start("", "");
    let process = cluster.waypost.id();
    let endless = vec![b'A'; 10 << 20];
    let before = peak_memory(process);
    for protocol in Protocol::ALL {
        for mechanism in ["PLAIN", "OAUTHBEARER"] {
            let mut typed = Typed::greeted(&cluster, protocol);
            let verb = if protocol == Protocol::Imap { "a AUTHENTICATE" } else { "AUTH" };
            typed.talk.send(format!("{verb} {mechanism} ").as_bytes());
            is_refused(&mut typed, &endless);
            let mut typed = Typed::greeted(&cluster, protocol);
            let said = typed.begin(mechanism, None);
            assert!(typed.is_challenge(&said), "{protocol:?}: {said}");
            is_refused(&mut typed, &endless);
        }
    }
    let mut typed = Typed::greeted(&cluster, Protocol::Imap);
    typed.talk.say("a LOGIN {10485760}");
    let said = typed.reply();
    assert!(!said.starts_with('+'), "a literal of ten megabytes is not asked for: {said}");
    let grown = peak_memory(process).saturating_sub(before);
    assert!(grown < 2048, "{grown} KiB more than before");
    let user = user(Check::Bind, Entry::Client);
    let mut typed = Typed::greeted(&cluster, Protocol::Imap);
    let said = typed.log_in(Way::Command, user.as_bytes(), PASSWORD.as_bytes());
    assert!(is_in(&said), "{said}");
}

/// The session ends before all of it was heard; it may be reset, which takes the last words along.
fn is_refused(typed: &mut Typed, endless: &[u8]) {
    typed.talk.send(endless);
    typed.talk.send(b"\r\n");
    let said = typed.talk.rest();
    assert!(!said.lines().any(is_in), "{said}");
}

/// The most memory that a process has had, in KiB.
fn peak_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

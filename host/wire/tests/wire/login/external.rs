//! EXTERNAL (RFC 4422 appendix A), over each protocol, however its octets are cut.

use std::sync::Arc;

use waypost_model::{Encryption, Protocol};
use waypost_wire::Front;
use waypost_wire::login::{Answer, CloseReason, FrontAction, FrontSettings, Mechanism};
use waypost_wire::sasl::MAX_LINE;

use super::base64;
use super::front::{Decide, session};

const NAME: &str = "ann@a.test";
const ACCEPT: Decide = Decide::Accept("in");
const REJECT: Decide = Decide::Answer(Answer::Rejected);

/// A protocol's way of saying the same things.
struct Way {
    protocol: Protocol,
    /// What a client says before it authenticates, and what it hears; mechanisms are between the two.
    hello: (&'static str, &'static str, &'static str),
    /// The command, up to the mechanism.
    command: &'static str,
    /// The empty challenge.
    challenge: &'static str,
    accepted: &'static str,
    rejected: &'static str,
    /// The certificate is for another name.
    another: &'static str,
    not_base64: &'static str,
    malformed: &'static str,
    cancelled: &'static str,
    unknown: &'static str,
    too_many: &'static str,
    too_long: &'static str,
}

const IMAP: Way = Way {
    protocol: Protocol::Imap,
    hello: (
        "x CAPABILITY\r\n",
        "* CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN",
        "\nx OK CAPABILITY completed.\n",
    ),
    command: "a AUTHENTICATE",
    challenge: "+ \n",
    accepted: "a OK in\n",
    rejected: "a NO [AUTHENTICATIONFAILED] Authentication failed.\n",
    another: "a NO [AUTHORIZATIONFAILED] Your certificate is for another name.\n",
    not_base64: "a BAD This is not base64.\n",
    malformed: "a NO [AUTHENTICATIONFAILED] Authentication failed.\n",
    cancelled: "a BAD Authentication cancelled.\n",
    unknown: "a NO There is no such mechanism here.\n",
    too_many: "* BYE Too many failed logins.\n[close too-many-auth-errors]\n",
    too_long: "* BYE This command is too long.\n[close too-long]\n",
};

const POP3: Way = Way {
    protocol: Protocol::Pop3,
    hello: ("AUTH\r\n", "+OK\nPLAIN", "\n.\n"),
    command: "AUTH",
    challenge: "+ \n",
    accepted: "+OK in\n",
    rejected: "-ERR [AUTH] Authentication failed.\n",
    another: "-ERR [AUTH] Authentication failed.\n",
    not_base64: "-ERR This is not base64.\n",
    malformed: "-ERR This is not a message of that mechanism.\n",
    cancelled: "-ERR Authentication cancelled.\n",
    unknown: "-ERR Unknown mechanism.\n",
    too_many: "[close too-many-auth-errors]\n",
    too_long: "-ERR Line too long.\n[close too-long]\n",
};

const SUBMISSION: Way = Way {
    protocol: Protocol::Submission,
    hello: (
        "EHLO ann.test\r\n",
        "250-mx.test\n250-PIPELINING\n250-ENHANCEDSTATUSCODES\n250-XCLIENT TTL\n250 AUTH PLAIN",
        "\n",
    ),
    command: "AUTH",
    challenge: "334 \n",
    accepted: "235 2.7.0 in\n",
    rejected: "535 5.7.8 Authentication failed.\n",
    another: "535 5.7.8 Authentication failed.\n",
    not_base64: "501 5.5.2 This is not base64.\n",
    malformed: "501 5.5.2 This is not a message of that mechanism.\n",
    cancelled: "501 5.7.0 Authentication cancelled.\n",
    unknown: "504 5.5.4 There is no such mechanism here.\n",
    too_many: "421 4.7.0 Too many failed logins.\n[close too-many-auth-errors]\n",
    too_long: "500 5.5.6 This line of an authentication is too long.\n[close too-long]\n",
};

const WAYS: [Way; 3] = [IMAP, POP3, SUBMISSION];
const LOGIN: &str = "[login EXTERNAL ann@a.test: ]\n";

impl Way {
    fn front(&self, settings: FrontSettings, name: Option<&str>) -> Front {
        let settings = FrontSettings {
            hostname: Arc::from("mx.test"),
            mechanisms: vec![Mechanism::Plain],
            submission_extensions: Vec::new(),
            ..settings
        };
        let mut front = Front::new(self.protocol, Arc::new(settings)).unwrap();
        name.into_iter().for_each(|name| front.set_certificate_name(name.into()));
        front
    }

    /// Plays a client with a certificate behind its hello.
    #[track_caller]
    fn plays(&self, decisions: &[Decide], said: &[&str], expected: &str) {
        let (hello, before, behind) = self.hello;
        let said: Vec<String> = said.iter().map(|it| it.replace("AUTH", self.command)).collect();
        let mut segments = vec![hello];
        segments.extend(said.iter().map(String::as_str));
        let hello = match self.protocol {
            Protocol::Imap => format!("{before} AUTH=EXTERNAL{behind}"),
            Protocol::Pop3 => format!("{before}\nEXTERNAL{behind}"),
            _ => format!("{before} EXTERNAL{behind}"),
        };
        let settings = FrontSettings { encryption: Encryption::Implicit, ..Default::default() };
        let front = || self.front(settings.clone(), Some(NAME));
        session(front, decisions, &segments, &format!("{hello}{expected}"));
    }
}

#[test]
fn the_certificate_says_who_it_is() {
    for way in &WAYS {
        let Way { challenge, accepted, rejected, .. } = way;
        // RFC 4959 section 3, RFC 5034 section 4, RFC 4954 section 4: `=` is the empty response.
        way.plays(&[ACCEPT], &["AUTH EXTERNAL =\r\n"], &format!("{LOGIN}{accepted}"));
        let expected = format!("{challenge}{LOGIN}{accepted}unread: NOOP\\r\\n");
        way.plays(&[ACCEPT], &["AUTH external\r\n", "\r\nNOOP\r\n"], &expected);
        let again = format!("{LOGIN}{rejected}{LOGIN}{accepted}");
        let twice = ["AUTH EXTERNAL =\r\n", "AUTH EXTERNAL =\r\n"];
        way.plays(&[REJECT, ACCEPT], &twice, &again);
    }
}

#[test]
fn a_client_may_say_the_name_itself() {
    for way in &WAYS {
        let Way { challenge, accepted, .. } = way;
        for name in [NAME, "ann@A.TEST"] {
            let said = format!("AUTH EXTERNAL {}\r\n", base64(name));
            way.plays(&[ACCEPT], &[&said], &format!("{LOGIN}{accepted}"));
            let said = ["AUTH EXTERNAL\r\n", &format!("{}\r\n", base64(name))];
            way.plays(&[ACCEPT], &said, &format!("{challenge}{LOGIN}{accepted}"));
        }
    }
}

#[test]
fn nobody_acts_for_somebody_else() {
    for way in &WAYS {
        let Way { another, challenge, accepted, .. } = way;
        for name in ["bob@a.test", "Ann@a.test", "ann"] {
            let said = [
                format!("AUTH EXTERNAL {}\r\n", base64(name)),
                "AUTH EXTERNAL\r\n".to_owned(),
                format!("{}\r\n", base64(name)),
                "AUTH EXTERNAL =\r\n".to_owned(),
            ];
            let expected = format!("{another}{challenge}{another}{LOGIN}{accepted}");
            way.plays(&[ACCEPT], &said.each_ref().map(String::as_str), &expected);
        }
    }
}

#[test]
fn what_is_no_answer_is_told_apart() {
    for way in &WAYS {
        let Way { challenge, not_base64, malformed, cancelled, .. } = way;
        for (message, expected) in [
            ("*", cancelled),
            ("not base64", not_base64),
            ("=", not_base64),
            ("YW5uQGEudGVzdA", not_base64),
            // A letter cut in two, a NUL, and PLAIN's message.
            (&base64(b"ann@a.test\xc3"), malformed),
            (&base64("ann@a.test\0"), malformed),
            (&base64("\0ann@a.test\0secret"), malformed),
        ] {
            let said = ["AUTH EXTERNAL\r\n", &format!("{message}\r\n")];
            way.plays(&[], &said, &format!("{challenge}{expected}"));
        }
        for (initial, expected) in [
            ("*", not_base64),
            ("YW5uQGEudGVzdA", not_base64),
            (&base64("\0"), malformed),
            (&base64(b"\xff"), malformed),
        ] {
            let said = format!("AUTH EXTERNAL {initial}\r\n");
            way.plays(&[], &[&said], expected);
        }
    }
}

#[test]
fn somebody_elses_name_counts_as_a_failed_login() {
    for way in &WAYS {
        let said = format!("AUTH EXTERNAL {}\r\n", base64("bob@a.test"));
        let expected = format!("{}{}", way.another.repeat(5), way.too_many);
        way.plays(&[], &[&said.repeat(5)], &expected);
    }
}

#[test]
fn a_line_without_end_ends_the_session() {
    for way in &WAYS {
        let mut front = way.front(
            FrontSettings { encryption: Encryption::Implicit, ..Default::default() },
            Some(NAME),
        );
        let (hello, ..) = way.hello;
        let (mut unread, mut out) = (hello.as_bytes().to_vec(), Vec::new());
        unread.extend(format!("{} EXTERNAL\r\n", way.command).bytes());
        let mut sent = 0_usize;
        let reason = loop {
            let advance = front.advance(&unread, &mut out);
            unread.drain(..advance.consumed);
            match advance.action {
                FrontAction::Close(reason) => break reason,
                action => assert_eq!(action, FrontAction::Read),
            }
            if advance.consumed == 0 {
                assert!(sent < 2 * MAX_LINE, "{:?} listens to ten megabytes", way.protocol);
                unread.extend([b'A'; 1000]);
                sent += 1000;
            }
        };
        assert_eq!(reason, CloseReason::TooLong);
        let said = String::from_utf8(out).unwrap().replace("\r\n", "\n");
        let words = way.too_long.lines().next().unwrap();
        assert!(said.ends_with(&format!("{words}\n")), "{said}");
    }
}

#[test]
fn without_a_certificate_there_is_no_such_mechanism() {
    for way in &WAYS {
        let (hello, before, behind) = way.hello;
        let said = format!("{hello}{} EXTERNAL =\r\n", way.command);
        let expected = format!("{before}{behind}{}", way.unknown);
        // Not even where a configuration lists it.
        for mechanisms in [vec![Mechanism::Plain], vec![Mechanism::Plain, Mechanism::External]] {
            let front = || {
                let settings = FrontSettings {
                    encryption: Encryption::Implicit,
                    hostname: Arc::from("mx.test"),
                    mechanisms: mechanisms.clone(),
                    submission_extensions: Vec::new(),
                    ..FrontSettings::default()
                };
                Front::new(way.protocol, Arc::new(settings)).unwrap()
            };
            session(front, &[], &[&said], &expected);
        }
    }
}

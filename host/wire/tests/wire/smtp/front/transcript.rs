//! Sessions as they are written down, line by line:
//!
//! - `C: ` what the client sends, `S: ` what it is answered, CRLF to be added; `C- ` adds none. In
//!   what the client sends, `\r`, `\n`, `\0` and `\xFF` are octets;
//! - `A: ` an action that the front wants done, `D: ` what the driver does then: a reply, several
//!   with ` | ` between, `go`, or nothing at all;
//! - `T: ` TLS begins;
//! - `R: ` what nobody consumed.
//!
//! What the front says and wants must come out exactly so, however the client's octets are cut.

use waypost_wire::login::MAX_UNREAD;
use waypost_wire::smtp::{
    Chunk, Front, FrontAction, FrontSettings, Mail, Recipient, Reply, ReplyParser,
};

use crate::replay::{Player, replay};

/// As over TLS.
pub(crate) fn smtp() -> FrontSettings {
    FrontSettings {
        hostname: "mx.example.test".into(),
        encryption: waypost_model::Encryption::Implicit,
        max_size: 1000,
        ..FrontSettings::default()
    }
}

/// The same, with all that can be offered.
pub(crate) fn full() -> FrontSettings {
    FrontSettings { smtputf8: true, dsn: true, ..smtp() }
}

pub(crate) fn lmtp() -> FrontSettings {
    FrontSettings { lmtp: true, ..smtp() }
}

/// Replays a session.
#[track_caller]
pub(crate) fn session(settings: &FrontSettings, script: &[&str]) {
    let segments = segments(script);
    let segments: Vec<&[u8]> = segments.iter().map(Vec::as_slice).collect();
    let driver: Vec<String> =
        script.iter().filter_map(|line| line.strip_prefix("D: ")).map(str::to_owned).collect();
    let record = replay(&segments, || FrontPlayer {
        front: Front::new(settings.clone().into()),
        driver: driver.clone().into_iter(),
        content: Vec::new(),
        closed: false,
    });
    assert_eq!(record, expected(script));
}

/// Replays a session behind a greeting that was answered, `EHLO` or `LHLO`.
#[track_caller]
pub(crate) fn greeted(settings: &FrontSettings, script: &[&str]) {
    let script: Vec<&str> = if settings.lmtp {
        [&["C: LHLO client.test"], LHLO, script].concat()
    } else if settings.smtputf8 {
        [&["C: EHLO client.test"], EHLO_FULL, script].concat()
    } else {
        [&["C: EHLO client.test"], EHLO, script].concat()
    };
    session(settings, &script);
}

pub(crate) const EHLO: &[&str] = &[
    "S: 250-mx.example.test",
    "S: 250-PIPELINING",
    "S: 250-SIZE 1000",
    "S: 250-ENHANCEDSTATUSCODES",
    "S: 250-8BITMIME",
    "S: 250 CHUNKING",
];

const LHLO: &[&str] = EHLO;

const EHLO_FULL: &[&str] = &[
    "S: 250-mx.example.test",
    "S: 250-PIPELINING",
    "S: 250-SIZE 1000",
    "S: 250-ENHANCEDSTATUSCODES",
    "S: 250-8BITMIME",
    "S: 250-DSN",
    "S: 250-SMTPUTF8",
    "S: 250 CHUNKING",
];

/// The reply that a line is.
#[track_caller]
pub(crate) fn reply(line: &str) -> Reply {
    ReplyParser::default().take(line.as_bytes()).unwrap().unwrap()
}

fn octets(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(place) = rest.find('\\') {
        octets.extend_from_slice(&rest.as_bytes()[..place]);
        let (octet, len) = match rest[place + 1..].chars().next() {
            Some('r') => (b'\r', 2),
            Some('n') => (b'\n', 2),
            Some('0') => (0, 2),
            Some('x') => (u8::from_str_radix(&rest[place + 2..place + 4], 16).unwrap(), 4),
            _ => (b'\\', 1),
        };
        octets.push(octet);
        rest = &rest[place + len..];
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}

/// A client may send everything at once, but what comes under TLS.
fn segments(script: &[&str]) -> Vec<Vec<u8>> {
    let mut segments = vec![Vec::new()];
    for line in script {
        let last = segments.last_mut().unwrap();
        if let Some(said) = line.strip_prefix("C: ") {
            last.extend(octets(said));
            last.extend_from_slice(b"\r\n");
        } else if let Some(said) = line.strip_prefix("C- ") {
            last.extend(octets(said));
        } else if line.starts_with("T:") {
            segments.push(Vec::new());
        }
    }
    segments
}

fn expected(script: &[&str]) -> String {
    let mut record = String::new();
    for line in script {
        let (kind, rest) = line.split_at(3);
        match kind {
            "A: " => record += &format!("{}\n", line.as_bytes().escape_ascii()),
            "S: " => record += &format!("{}\n", rest.as_bytes().escape_ascii()),
            "R: " => record += &format!("unread: {}", octets(rest).escape_ascii()),
            _ => {}
        }
    }
    record
}

fn note(record: &mut Vec<u8>, action: &str) {
    record.extend_from_slice(format!("A: {action}\r\n").as_bytes());
}

struct FrontPlayer {
    front: Front,
    driver: std::vec::IntoIter<String>,
    content: Vec<u8>,
    closed: bool,
}

impl Player for FrontPlayer {
    fn step(&mut self, unread: &[u8], record: &mut Vec<u8>) -> (usize, bool) {
        if self.closed {
            return (0, false);
        }
        let start = record.len();
        let advance = self.front.advance(unread, record);
        let said = &record[start..];
        assert!(said.is_empty() || said.ends_with(b"\r\n"));
        match advance.action {
            FrontAction::Read => {
                assert!(advance.consumed > 0 || unread.len() < MAX_UNREAD, "stuck");
                return (advance.consumed, false);
            }
            FrontAction::Content(octets) => {
                assert!(!octets.is_empty());
                self.content.extend_from_slice(octets);
            }
            FrontAction::StartTls => {
                note(record, "starttls");
                self.front.tls_started();
            }
            FrontAction::Close(reason) => {
                note(record, &format!("close {}", reason.as_str()));
                self.closed = true;
            }
            FrontAction::Reset => note(record, "reset"),
            FrontAction::Mail(mail) => self.decide(&shown_mail(&mail), record),
            FrontAction::Recipient(recipient) => self.decide(&shown_recipient(&recipient), record),
            FrontAction::Data => self.decide("data", record),
            FrontAction::Chunk(Chunk { size, last }) => {
                self.decide(&format!("chunk {size}{}", if last { " last" } else { "" }), record);
            }
            FrontAction::ChunkEnd => self.end("chunk end", record),
            FrontAction::ContentEnd => self.end("content end", record),
        }
        (advance.consumed, true)
    }
}

impl FrontPlayer {
    /// All content so far goes before the word that it has come.
    fn end(&mut self, action: &str, record: &mut Vec<u8>) {
        let content = std::mem::take(&mut self.content);
        note(record, &format!("content {}", content.escape_ascii()));
        self.decide(action, record);
    }

    fn decide(&mut self, action: &str, record: &mut Vec<u8>) {
        note(record, action);
        match self.driver.next().unwrap_or_default().as_str() {
            "" => {}
            "go" => self.front.go_ahead(record),
            line if line.contains(" | ") => {
                let replies: Vec<Reply> = line.split(" | ").map(reply).collect();
                self.front.replies(&replies, record);
            }
            line => self.front.reply(&reply(line), record),
        }
    }
}

fn shown_mail(Mail { sender, parameters }: &Mail) -> String {
    let mut shown = format!("mail {sender}");
    let mut push = |name: &str, value: Option<String>| {
        shown.extend(value.map(|value| format!(" {name}={value}")));
    };
    push("SIZE", parameters.size.map(|size| size.to_string()));
    push("BODY", parameters.body.map(|body| body.as_str().to_owned()));
    push("SMTPUTF8", parameters.smtputf8.then(|| "yes".to_owned()));
    push("RET", parameters.ret.map(|ret| ret.as_str().to_owned()));
    push("ENVID", parameters.envelope_id.as_ref().map(ToString::to_string));
    shown
}

fn shown_recipient(Recipient { path, parameters }: &Recipient) -> String {
    let mut shown = format!("recipient {path}");
    let mut push = |name: &str, value: Option<String>| {
        shown.extend(value.map(|value| format!(" {name}={value}")));
    };
    push("NOTIFY", parameters.notify.map(|notify| notify.as_str().to_owned()));
    push("ORCPT", parameters.original_recipient.as_ref().map(ToString::to_string));
    shown
}

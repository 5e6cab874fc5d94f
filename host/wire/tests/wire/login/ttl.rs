//! How many further proxies a session may pass: heard by fronts, and passed on by backs.

use std::sync::Arc;

use waypost_model::{Encryption, Protocol, Secret};
use waypost_wire::login::{
    BackAction, BackSettings, Credential, FrontAction, FrontSettings, Mechanism,
};
use waypost_wire::{Back, Front};

use super::front::session;

fn front(protocol: Protocol) -> Front {
    let settings = FrontSettings {
        encryption: Encryption::Starttls,
        allow_plaintext: true,
        mechanisms: vec![Mechanism::Plain],
        submission_extensions: Vec::new(),
        hostname: Arc::from("mx.test"),
        ..FrontSettings::default()
    };
    Front::new(protocol, Arc::new(settings)).unwrap()
}

/// What the next proxy is told after these octets; `Some(None)` says that there must be none.
fn next(protocol: Protocol, said: &str) -> Option<Option<u8>> {
    let (mut front, mut out) = (front(protocol), Vec::new());
    let mut unread = said.as_bytes().to_vec();
    loop {
        let advance = front.advance(&unread, &mut out);
        unread.drain(..advance.consumed);
        if advance.action != FrontAction::Read || advance.consumed == 0 {
            return front.ttl().is_said().then(|| front.ttl().next());
        }
    }
}

#[test]
fn what_a_proxy_says_is_counted_down() {
    for (protocol, said, expected) in [
        (Protocol::Imap, "a ID (\"x-proxy-ttl\" \"5\")\r\n", Some(Some(4))),
        (Protocol::Imap, "a ID (\"x-session-id\" NIL \"X-Proxy-TTL\" {1+}\r\n0)\r\n", Some(None)),
        (Protocol::Imap, "a ID (\"x-proxy-ttl\" NIL)\r\n", None),
        (Protocol::Imap, "a ID NIL\r\nb ID ()\r\nc ID (\"name\" \"5\")\r\n", None),
        // A command that is wrong somewhere is no command.
        (Protocol::Imap, "a ID (\"x-proxy-ttl\" \"5\" \"name\")\r\n", None),
        (Protocol::Pop3, "XCLIENT ADDR=192.0.2.1 TTL=5\r\n", Some(Some(4))),
        (Protocol::Pop3, "xclient ttl=0\r\n", Some(None)),
        (Protocol::Pop3, "XCLIENT TTL=x\r\nXCLIENT\r\n", None),
        (Protocol::Submission, "EHLO a.test\r\nXCLIENT TTL=200\r\n", Some(Some(7))),
        (Protocol::Submission, "XCLIENT TTL=0 ADDR=192.0.2.1\r\n", Some(None)),
        (Protocol::Submission, "XCLIENT ADDR=192.0.2.1\r\n", None),
    ] {
        assert_eq!(next(protocol, said), expected, "{said}");
    }
}

#[test]
fn the_lowest_word_counts() {
    let both = "a ID (\"x-proxy-ttl\" \"2\")\r\nb ID (\"x-proxy-ttl\" \"250\")\r\n";
    assert_eq!(next(Protocol::Imap, both), Some(Some(1)));
    assert_eq!(next(Protocol::Pop3, "XCLIENT TTL=0\r\nXCLIENT TTL=7\r\n"), Some(None));
}

/// What was said before TLS may be anybody's.
#[test]
fn what_was_said_in_clear_is_forgotten() {
    for (protocol, said) in [
        (Protocol::Imap, "a ID (\"x-proxy-ttl\" \"0\")\r\nb STARTTLS\r\n"),
        (Protocol::Pop3, "XCLIENT TTL=0\r\nSTLS\r\n"),
        (Protocol::Submission, "XCLIENT TTL=0\r\nSTARTTLS\r\n"),
    ] {
        let (mut front, mut out) = (front(protocol), Vec::new());
        let mut unread = said.as_bytes().to_vec();
        loop {
            let advance = front.advance(&unread, &mut out);
            unread.drain(..advance.consumed);
            if advance.action == FrontAction::StartTls {
                break;
            }
            assert!(advance.consumed > 0, "{said}");
        }
        assert_eq!(front.ttl().next(), None);
        front.tls_started();
        assert!(!front.ttl().is_said(), "{said}");
    }
}

#[test]
fn a_submission_client_begins_anew_behind_xclient() {
    let offer = "250-mx.test\n250-PIPELINING\n250-ENHANCEDSTATUSCODES\n250-XCLIENT TTL\n\
                 250-STARTTLS\n250 AUTH PLAIN\n";
    session(
        || front(Protocol::Submission),
        &[],
        &["EHLO a.test\r\nXCLIENT TTL=3\r\nAUTH PLAIN\r\nEHLO a.test\r\n"],
        &format!("{offer}220 mx.test ESMTP ready\n503 5.5.1 Say EHLO first.\n{offer}"),
    );
    session(
        || front(Protocol::Pop3),
        &[],
        &["XCLIENT ADDR=192.0.2.1 PORT=1 SESSION=x TTL=3\r\nNOOP\r\n"],
        "+OK\n+OK\n",
    );
}

/// A back end is told where nothing else is, if a proxy in front has begun to count.
#[test]
fn what_is_counted_is_passed_on() {
    for (protocol, greeting, ttl, expected) in [
        (
            Protocol::Imap,
            "* OK [CAPABILITY IMAP4rev1 ID] ready\r\n",
            Some(3),
            "W3 ID (\"x-proxy-ttl\" \"3\")\r\n",
        ),
        (Protocol::Imap, "* OK [CAPABILITY IMAP4rev1] ready\r\n", Some(3), ""),
        (Protocol::Imap, "* OK [CAPABILITY IMAP4rev1 ID] ready\r\n", None, ""),
        (Protocol::Pop3, "+OK [XCLIENT] ready\r\n", Some(3), "XCLIENT TTL=3\r\n"),
        (Protocol::Pop3, "+OK [XCLIENT] ready\r\n", None, ""),
    ] {
        let settings =
            BackSettings { encryption: Encryption::None, ttl, ..BackSettings::default() };
        let (mut back, mut out) = (Back::new(protocol, settings).unwrap(), Vec::new());
        let mut unread = greeting.as_bytes().to_vec();
        let mut action = BackAction::Read;
        while action != BackAction::Ready {
            let advance = back.advance(&unread, &mut out);
            unread.drain(..advance.consumed);
            action = advance.action;
            if action == BackAction::Read && advance.consumed == 0 {
                unread.extend(b"+OK\r\n");
            }
        }
        let credential = Credential::Password {
            mechanism: None,
            authentication_id: "ann".into(),
            authorisation_id: None,
            password: Secret::from("secret"),
        };
        back.login(&credential, None, &mut out).unwrap();
        let said = String::from_utf8(out).unwrap();
        assert!(said.contains(expected), "{greeting}, {ttl:?}: {said}");
        let is_told = said.contains("TTL") || said.contains("x-proxy-ttl");
        assert_eq!(is_told, !expected.is_empty(), "{greeting}, {ttl:?}: {said}");
    }
}

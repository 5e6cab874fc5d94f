//! Whatever back ends, clients and messages say, a report stays one report.

use proptest::prelude::*;
use waypost_wire::smtp::Ret;

use crate::scene::{Read, Scene, recipient, refused};

#[test]
fn a_reply_adds_no_field() {
    let mut scene = Scene::new();
    scene.outcomes[0] =
        refused(550, "5.1.1", "no\r\nX-Injected: a\r\n\r\n--=_01ARZ3NDEK-0--\nStatus: 2.0.0");
    let read = scene.read();
    let status = read.status();
    assert_eq!(status.len(), 3);
    assert_eq!(status[1].iter().filter(|(name, _)| name == "Status").count(), 1);
    assert!(!status.iter().flatten().any(|(name, _)| name == "X-Injected"));
}

#[test]
fn a_long_reply_is_folded_and_cut() {
    let mut scene = Scene::new();
    scene.outcomes[0] = refused(550, "5.7.1", &"word ".repeat(500));
    scene.outcomes[2] = refused(550, "5.7.1", &"x".repeat(5000));
    let octets = String::from_utf8(scene.rendered().octets).unwrap();
    assert!(octets.lines().filter(|line| line.contains("word")).all(|line| line.len() <= 78));
    assert!(octets.len() < 6000);
}

#[test]
fn an_envelope_id_and_an_original_recipient_add_no_field() {
    // The parsers let no control character through; what they let through stays in its field.
    let mut scene = Scene::new();
    scene.parameters().envelope_id = Some("a+20X:+20b".parse().unwrap());
    scene.envelope.recipients[0] = recipient("<\"a>b c\"@example.test>", Some("x-y;+20a;b:+20c"));
    let read = scene.read();
    let status = read.status();
    assert_eq!(status[0][1], ("Original-Envelope-Id".into(), "a X: b".into()));
    assert_eq!(status[1][0], ("Original-Recipient".into(), "x-y;  a;b: c".into()));
    assert_eq!(status[1][1].1, "rfc822; \"a>b c\"@example.test");
}

#[test]
fn a_message_id_is_repeated_only_if_it_is_one() {
    let field = |text: &str| {
        let mut scene = Scene::new();
        scene.copy = format!("Subject: a\r\n{text}\r\nX: y\r\n\r\nMessage-ID: <b@c>\r\n").into();
        let read = scene.read();
        let names = read.header.iter().any(|(name, _)| name == "In-Reply-To");
        names.then(|| read.field("In-Reply-To").to_owned())
    };
    assert_eq!(field("message-id : <a@b>").as_deref(), Some("<a@b>"));
    assert_eq!(field("Message-ID:\r\n <a@b>").as_deref(), Some("<a@b>"));
    for text in [
        "Message-ID: a@b",
        "Message-ID: <ab>",
        "Message-ID: <a@b> <c@d>",
        "Message-ID: <a b@c>",
        "Message-ID: <\u{e9}@c>",
        "Message-ID:",
        "Message-ID:\r\nX: <a@b>",
        "X: Message-ID: <a@b>",
        &format!("Message-ID: <{}@b>", "a".repeat(300)),
        "X: y",
    ] {
        assert_eq!(field(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn any_message_and_any_reply_make_a_report(
        copy in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..400),
            "(([A-Z]{1,3}: \\PC{0,20}|--=_01ARZ3NDEK-0(-|_1)?|.?)\r\n){0,20}".prop_map(String::into_bytes),
        ],
        reply in any::<String>(),
        has_header: bool,
        full: bool,
        smtputf8: bool,
        eight_bit: bool,
    ) {
        let mut scene = Scene::new();
        scene.parameters().ret = full.then_some(Ret::Full);
        scene.parameters().smtputf8 = smtputf8;
        scene.eight_bit = eight_bit;
        scene.outcomes[0] = refused(550, "5.1.1", &reply);
        scene.copy = if has_header { [b"Subject: a\r\n\r\n", &copy[..]].concat() } else { copy };
        let rendered = scene.rendered();
        prop_assert!(eight_bit || rendered.octets.is_ascii());
        let read = Read::new(&rendered.octets);
        prop_assert_eq!(read.status().len(), 3);
        prop_assert_eq!(read.field("To"), "<ann@example.org>");
        // What the reader makes of a message without header is its own affair.
        if has_header && read.parts[2].content_type == "message/rfc822" {
            prop_assert!(scene.copy.starts_with(&read.parts[2].body));
        }
    }
}

use proptest::prelude::*;

use super::{EnhancedCode, MAX_REPLY_LINES, MAX_REPLY_TEXT, Reply, ReplyError, ReplyParser};

fn written(reply: &Reply, utf8: bool) -> String {
    let mut out = Vec::new();
    reply.write(utf8, &mut out);
    String::from_utf8(out).unwrap()
}

/// Reads lines as a server would send them; what is left of them must be nothing.
fn parse(lines: &str) -> Result<Reply, ReplyError> {
    let mut parser = ReplyParser::default();
    let mut lines = lines.lines();
    for line in lines.by_ref() {
        if let Some(reply) = parser.take(line.as_bytes())? {
            assert_eq!(lines.next(), None, "the reply ends before its lines");
            assert!(!parser.is_inside());
            return Ok(reply);
        }
        assert!(parser.is_inside());
    }
    panic!("the reply does not end");
}

const OK: Reply = Reply::new(250, EnhancedCode::new(2, 0, 0), "Ok");

#[test]
fn the_codes_stand_on_every_line() {
    assert_eq!(written(&OK, false), "250 2.0.0 Ok\r\n");
    let two = Reply::new(550, EnhancedCode::new(5, 1, 10), "No.\nReally.");
    assert_eq!(written(&two, false), "550-5.1.10 No.\r\n550 5.1.10 Really.\r\n");
    assert_eq!(written(&Reply::plain(354, "Go on"), false), "354 Go on\r\n");
    assert_eq!(written(&Reply::plain(250, ""), false), "250 \r\n");
    assert_eq!(
        written(&Reply::new(450, EnhancedCode::new(4, 100, 7), ""), false),
        "450 4.100.7 \r\n"
    );
}

#[test]
fn a_text_of_any_origin_stays_on_its_line() {
    let reply = Reply::worded(550, None, "a\r\n250 b\0\u{85}c\té");
    assert_eq!(written(&reply, true), "550-a?\r\n550 250 b??c?é\r\n");
    assert_eq!(written(&reply, false), "550-a?\r\n550 250 b??c??\r\n");
}

#[test]
fn codes_that_do_not_fit_are_not_taken() {
    let other_class = Some(EnhancedCode::new(4, 1, 1));
    assert_eq!(Reply::worded(550, other_class, "no").enhanced(), None);
    assert_eq!(Reply::worded(99, None, "no").code(), 451);
    let same = OK.recoded(450, other_class);
    assert_eq!((same.code(), same.enhanced(), same.text()), (450, other_class, "Ok"));
}

#[test]
fn long_texts_are_cut_between_characters() {
    let reply = Reply::worded(550, None, &"é".repeat(MAX_REPLY_TEXT));
    assert_eq!(reply.text(), "é".repeat(MAX_REPLY_TEXT / 2));
    let reply = Reply::worded(550, None, &"a\n".repeat(MAX_REPLY_LINES + 1));
    assert_eq!(reply.lines().count(), MAX_REPLY_LINES);
}

#[test]
fn replies_are_read() {
    let said = |lines: &str| {
        let reply = parse(lines).unwrap();
        let enhanced = reply.enhanced().map(|it| it.to_string()).unwrap_or_default();
        (reply.code(), enhanced, reply.text().to_owned())
    };
    assert_eq!(said("250 2.1.5 Ok"), (250, "2.1.5".into(), "Ok".into()));
    assert_eq!(said("250"), (250, String::new(), String::new()));
    assert_eq!(said("250 "), (250, String::new(), String::new()));
    assert_eq!(said("550 5.1.1"), (550, "5.1.1".into(), String::new()));
    assert_eq!(
        said("550-5.1.1 a\r\n550-5.1.1\r\n550 5.1.1 c"),
        (550, "5.1.1".into(), "a\n\nc".into())
    );
    // A code on another line than the first, or that is not this reply's, loses no words.
    assert_eq!(said("550-a\n550 5.1.1 b"), (550, "5.1.1".into(), "a\nb".into()));
    assert_eq!(said("550-5.1.1 a\n550 5.1.2 b"), (550, "5.1.1".into(), "a\n5.1.2 b".into()));
    assert_eq!(said("550 4.1.1 a"), (550, String::new(), "4.1.1 a".into()));
    assert_eq!(said("354 3.0.0 a"), (354, String::new(), "3.0.0 a".into()));
    assert_eq!(said("550 5.1.1234 a"), (550, String::new(), "5.1.1234 a".into()));
    assert_eq!(said("571 a"), (571, String::new(), "a".into()));
}

#[test]
fn rubbish_is_no_reply() {
    for (lines, error) in [
        ("", ReplyError::Code),
        ("25", ReplyError::Code),
        ("+OK", ReplyError::Code),
        ("150 early", ReplyError::Code),
        ("650 late", ReplyError::Code),
        ("2x0 a", ReplyError::Code),
        (" 250 a", ReplyError::Code),
        ("2500 a", ReplyError::Separator),
        ("250\ta", ReplyError::Separator),
        ("250-a\n251 b", ReplyError::Codes),
        ("250-a\nb", ReplyError::Code),
    ] {
        let said = if lines.is_empty() {
            ReplyParser::default().take(b"")
        } else {
            parse(lines).map(Some)
        };
        assert_eq!(said, Err(error), "{lines:?}");
    }
}

#[test]
fn what_is_not_utf8_is_replaced() {
    let reply = ReplyParser::default().take(b"550 \xFFa\rb\xC3").unwrap().unwrap();
    assert_eq!(reply.text(), "?a?b?");
}

#[test]
fn a_reply_has_its_limits() {
    let endless = "250-x\n".repeat(MAX_REPLY_LINES) + "250 x";
    assert_eq!(parse(&endless), Err(ReplyError::TooLong));
    let long = "250-".to_owned() + &"x".repeat(MAX_REPLY_TEXT) + "\n";
    assert_eq!(parse(&(long.repeat(40) + "250 x")), Err(ReplyError::TooLong));
    let long = "250 ".to_owned() + &"x".repeat(2000);
    assert_eq!(parse(&long).unwrap().text().len(), MAX_REPLY_TEXT);
}

#[test]
fn enhanced_codes_are_read_from_text() {
    assert_eq!("5.7.026".parse(), Ok(EnhancedCode::new(5, 7, 26)));
    for text in ["", "5", "5.1", "5.1.", "5.1.1.1", "3.1.1", "5.1.x", "5.1.1000", "55.1.1"] {
        assert!(text.parse::<EnhancedCode>().is_err(), "{text:?}");
    }
}

#[test]
fn one_line_for_the_log() {
    assert_eq!(OK.to_string(), "250 2.0.0 Ok");
    assert_eq!(Reply::worded(421, None, "a\n\nb").to_string(), "421 a / b");
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        code in 200u16..600,
        enhanced in proptest::option::of((0u16..1000, 0u16..1000)),
        text in "(\\PC{0,30}\n){0,4}\\PC{0,30}",
    ) {
        let class = u8::try_from(code / 100).unwrap();
        let enhanced = enhanced
            .filter(|_| class != 3)
            .map(|(subject, detail)| EnhancedCode::new(class, subject, detail));
        // A text that looks like an enhanced code is one, once it has been on the wire.
        prop_assume!(!text.lines().any(|line| line.starts_with(['2', '4', '5', ' '])));
        let reply = Reply::worded(code, enhanced, &text);
        prop_assert_eq!(parse(&written(&reply, true)), Ok(reply));
    }

    #[test]
    fn no_line_breaks_out(code in 0u16..700, text in "\\PC{0,9}(.|\n|\r|\0){0,40}", utf8: bool) {
        let out = written(&Reply::worded(code, EnhancedCode::of(code), &text), utf8);
        for line in out.split_inclusive('\n') {
            prop_assert!(line.ends_with("\r\n") && line.len() <= 512);
            prop_assert!(!line[..line.len() - 2].contains(char::is_control));
            prop_assert!(utf8 || line.is_ascii());
        }
    }

    #[test]
    fn any_octets_are_a_reply_or_an_error(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8)) {
        let mut parser = ReplyParser::default();
        for line in lines {
            match parser.take(&line) {
                Ok(Some(reply)) => prop_assert!(!reply.lines().any(|line| line.contains(char::is_control))),
                Ok(None) => prop_assert!(parser.is_inside()),
                Err(_) => return Ok(()),
            }
        }
    }
}

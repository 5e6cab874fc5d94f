use proptest::prelude::*;

use super::{Chunk, Command, CommandError, Mail, Offers, Recipient, hello, parse};
use crate::smtp::{ForwardPath, ParameterError, PathError, ReversePath};

const ALL: Offers = Offers { smtputf8: true, dsn: true };

fn mail(argument: &str) -> Result<Mail, CommandError> {
    Mail::parse(argument.as_bytes(), ALL)
}

fn rcpt(argument: &str) -> Result<Recipient, CommandError> {
    Recipient::parse(argument.as_bytes(), ALL, false)
}

#[test]
fn every_verb_in_any_case() {
    for (line, command) in [
        ("EHLO a.test", Command::Ehlo(b"a.test")),
        ("ehlo  a.test ", Command::Ehlo(b"a.test")),
        ("Helo", Command::Helo(b"")),
        ("LHLO [192.0.2.1]", Command::Lhlo(b"[192.0.2.1]")),
        ("mail FROM:<>", Command::Mail(b"FROM:<>")),
        ("Rcpt To:<a@b> X=1\t ", Command::Rcpt(b"To:<a@b> X=1")),
        ("data", Command::Data),
        ("BDAT 5 LAST", Command::Bdat(b"5 LAST")),
        ("RSET ", Command::Rset),
        ("NOOP", Command::Noop),
        ("noop really", Command::Noop),
        ("VRFY ann", Command::Vrfy),
        ("EXPN all", Command::Expn),
        ("HELP me", Command::Help),
        ("QuIt", Command::Quit),
        ("StartTLS", Command::StartTls),
        ("AUTH", Command::Auth(b"", None)),
        ("AUTH plain", Command::Auth(b"plain", None)),
        ("auth PLAIN  =", Command::Auth(b"PLAIN", Some(b"="))),
        ("TURN", Command::Unimplemented),
        ("XCLIENT NAME=x", Command::Xclient(b"NAME=x")),
        ("GET / HTTP/1.1", Command::Http),
    ] {
        assert_eq!(parse(line.as_bytes()), command, "{line}");
    }
}

#[test]
fn what_is_not_a_command() {
    for line in ["", " QUIT", "QUITS", "STARTTLSX", "MAILFROM:<>", "get x", "\u{2028}".trim()] {
        assert_eq!(parse(line.as_bytes()), Command::Unknown, "{line}");
    }
    for line in ["DATA now", "QUIT x", "RSET x", "STARTTLS x"] {
        assert_eq!(parse(line.as_bytes()), Command::Argument, "{line}");
    }
    let dirty = [
        &b"NOOP \xC3\xBC"[..],
        b"\xFF",
        b"QUIT\r",
        b"MAIL FROM:<a@b>\rRCPT TO:<c@d>",
        b"RCPT TO:<a@b>\0",
        b"MAIL\tFROM:<a@b>",
        b"TOP\0",
        b"EHLO \x7F",
    ];
    for line in dirty {
        assert_eq!(parse(line), Command::Octets, "{}", line.escape_ascii());
    }
}

#[test]
fn mail_and_its_path() {
    let said = mail("FROM:<a@b.test> SIZE=5").unwrap();
    assert_eq!(said.sender.to_string(), "<a@b.test>");
    assert_eq!(said.parameters.size, Some(5));
    assert_eq!(mail("from:  <>").unwrap().sender, ReversePath::Null);
    for (argument, error) in [
        ("", PathError::Brackets),
        ("FROM", PathError::Brackets),
        ("FROM:", PathError::Brackets),
        ("FROM:a@b.test", PathError::Brackets),
        ("FROM :<a@b.test>", PathError::Brackets),
        ("TO:<a@b.test>", PathError::Brackets),
        ("FROM:<a b@c>", PathError::Syntax),
        ("FROM:<\"\"@x>", PathError::Empty),
        ("FROM:<jürgen@b.test>", PathError::NonAscii),
        ("FROM:<a@bücher.example>", PathError::NonAscii),
    ] {
        assert_eq!(mail(argument), Err(CommandError::Sender(error)), "{argument}");
    }
    assert!(!mail("FROM:<jürgen@b.test> SMTPUTF8").unwrap().sender.is_ascii());
    // Senders may have such addresses: nobody relays to them through here.
    assert!(mail("FROM:<bounce=a%b@c.test>").is_ok());
    assert_eq!(mail("FROM:<a@b.test>SIZE=5"), Err(CommandError::Parameter(ParameterError::Syntax)));
}

#[test]
fn rcpt_and_its_path() {
    assert_eq!(rcpt("TO:<postmaster>").unwrap().path, ForwardPath::Postmaster);
    for (argument, error) in [
        ("TO:a@b.test", PathError::Brackets),
        ("TO:<>", PathError::Missing),
        ("TO:<a>", PathError::NoDomain),
        ("TO:<\"\"@x>", PathError::Empty),
        ("TO:<a%b@c.test>", PathError::Relay),
        ("TO:<b!a@c.test>", PathError::Relay),
        ("TO:<\"a@b\"@c.test>", PathError::Relay),
        ("TO:<jürgen@b.test>", PathError::NonAscii),
        ("TO:<a@b.test> ORCPT=utf-8;jürgen", PathError::NonAscii),
    ] {
        assert_eq!(rcpt(argument), Err(CommandError::Recipient(error)), "{argument}");
    }
    assert!(Recipient::parse("TO:<jürgen@b.test>".as_bytes(), ALL, true).is_ok());
}

#[test]
fn the_replies_say_what_is_wrong() {
    let reply = |line: &str| match parse(line.as_bytes()) {
        Command::Mail(argument) => Mail::parse(argument, ALL).unwrap_err().reply().to_string(),
        Command::Rcpt(argument) => {
            Recipient::parse(argument, ALL, false).unwrap_err().reply().to_string()
        }
        command => panic!("{command:?}"),
    };
    for (line, expected) in [
        ("MAIL FROM:a@b", "501 5.5.4 Syntax: MAIL FROM:<address>"),
        ("MAIL FROM:<a@@b>", "501 5.1.7 This sender is not a mail address."),
        ("MAIL FROM:<\"\"@x>", "553 5.1.7 The sender's local part is empty."),
        ("MAIL FROM:<a>", "501 5.1.7 The sender's address has no domain."),
        ("MAIL FROM:<ü@x>", "553 5.6.7 Without SMTPUTF8 an address is ASCII."),
        ("MAIL FROM:<a@b> X", "555 5.5.4 A parameter is unknown here."),
        ("RCPT TO:a@b", "501 5.5.4 Syntax: RCPT TO:<address>"),
        ("RCPT TO:<>", "501 5.1.3 There is no recipient."),
        ("RCPT TO:<a@@b>", "501 5.1.3 This recipient is not a mail address."),
        ("RCPT TO:<\"\"@x>", "553 5.1.3 The recipient's local part is empty."),
        ("RCPT TO:<a>", "501 5.1.3 The recipient's address has no domain."),
        ("RCPT TO:<ü@x>", "553 5.6.7 Without SMTPUTF8 an address is ASCII."),
        ("RCPT TO:<a%b@c>", "553 5.1.3 The recipient's local part holds another address."),
        ("RCPT TO:<\"a@b\"@c>", "553 5.1.3 The recipient's local part holds another address."),
    ] {
        assert_eq!(reply(line), expected, "{line}");
    }
    let long = "a".repeat(257);
    assert_eq!(
        reply(&format!("MAIL FROM:<{long}@b>")),
        "501 5.1.7 The sender's address is too long."
    );
    assert_eq!(
        reply(&format!("RCPT TO:<{long}@b>")),
        "501 5.1.3 The recipient's address is too long."
    );
}

#[test]
fn chunks() {
    let chunk = |argument: &str| Chunk::parse(argument.as_bytes()).map(|it| (it.size, it.last));
    assert_eq!(chunk("0"), Some((0, false)));
    assert_eq!(chunk("86 last"), Some((86, true)));
    assert_eq!(chunk("99999999999999999999  LAST"), Some((u64::MAX, true)));
    for argument in ["", "LAST", "-1", "+1", "0x1", "5 LASTT", "5 LAST x", "5LAST"] {
        assert_eq!(chunk(argument), None, "{argument}");
    }
    assert_eq!(chunk("100000000000000000000"), None);
}

#[test]
fn names_of_clients() {
    for name in ["a", "mx.example.test", "[192.0.2.1]", "[IPv6:::1]", "MY_PC", "a/b"] {
        assert_eq!(hello(name.as_bytes()), Some(name));
    }
    let long = "x".repeat(256);
    for name in ["", "two words", "a(b)", "a;b", "a<b>", "\"a\"", "ü", "a\\b", "a,b", &long] {
        assert_eq!(hello(name.as_bytes()), None, "{name}");
    }
}

proptest! {
    #[test]
    fn any_line_is_read(line in proptest::collection::vec(any::<u8>(), 0..80)) {
        for line in [line.clone(), [b"MAIL FROM:<", &line[..]].concat(), [b"RCPT TO:<", &line[..]].concat()] {
            match parse(&line) {
                Command::Mail(argument) => { let _ = Mail::parse(argument, ALL); }
                Command::Rcpt(argument) => { let _ = Recipient::parse(argument, ALL, true); }
                Command::Bdat(argument) => { let _ = Chunk::parse(argument); }
                Command::Ehlo(argument) => { let _ = hello(argument); }
                _ => {}
            }
        }
    }
}

//! What no client can bring a front to, and goodbyes.

use waypost_wire::login::{Advance, Bye, CloseReason};
use waypost_wire::smtp::{ClientProtocol, Front, FrontAction, Hello};

use super::transcript::{full, lmtp, reply, smtp};

/// Says a line and takes the action that it leads to.
#[track_caller]
fn say<'a>(front: &mut Front, line: &'a str, out: &mut Vec<u8>) -> FrontAction<'a> {
    let Advance { consumed, action } = front.advance(line.as_bytes(), out);
    assert_eq!(consumed, line.len(), "{line:?}");
    action
}

/// Opens a transaction with a recipient.
fn open(front: &mut Front, out: &mut Vec<u8>) {
    say(front, "EHLO client.test\r\n", out);
    assert!(matches!(say(front, "MAIL FROM:<a@a.test>\r\n", out), FrontAction::Mail(_)));
    front.reply(&reply("250 2.1.0 Ok"), out);
    assert!(matches!(say(front, "RCPT TO:<b@b.test>\r\n", out), FrontAction::Recipient(_)));
    front.reply(&reply("250 2.1.5 Ok"), out);
}

#[test]
fn greetings() {
    let mut out = Vec::new();
    Front::new(smtp().into()).greet(&mut out);
    Front::new(lmtp().into()).greet(&mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "220 mx.example.test ESMTP ready\r\n220 mx.example.test LMTP ready\r\n"
    );
}

#[test]
fn the_driver_learns_who_is_there() {
    let mut front = Front::new(smtp().into());
    let mut out = Vec::new();
    assert_eq!(front.hello(), None);
    for (line, name, protocol) in [
        ("EHLO client.test\r\n", "client.test", ClientProtocol::Esmtp),
        ("HELO [192.0.2.1]\r\n", "[192.0.2.1]", ClientProtocol::Smtp),
    ] {
        say(&mut front, line, &mut out);
        assert_eq!(front.hello(), Some(&Hello { name: name.into(), protocol }));
    }
    front.tls_started();
    assert_eq!(front.hello(), None);
    let mut front = Front::new(lmtp().into());
    say(&mut front, "LHLO client.test\r\n", &mut out);
    assert_eq!(front.hello().unwrap().protocol, ClientProtocol::Lmtp);
}

#[test]
fn ten_thousand_recipients() {
    let mut front = Front::new(smtp().into());
    let mut out = Vec::new();
    open(&mut front, &mut out);
    let said = "RCPT TO:<user@b.test>\r\n".repeat(10_000) + "DATA\r\n";
    let mut unread = said.as_bytes();
    let mut recipients = 0;
    loop {
        out.clear();
        let Advance { consumed, action } = front.advance(unread, &mut out);
        unread = &unread[consumed..];
        match action {
            FrontAction::Recipient(_) => {
                recipients += 1;
                let taken = recipients <= 1000;
                let answer = if taken { "250 2.1.5 Ok" } else { "452 4.5.3 Too many recipients." };
                front.reply(&reply(answer), &mut out);
                assert_eq!(out, format!("{answer}\r\n").as_bytes());
            }
            action => {
                assert_eq!(action, FrontAction::Data);
                break;
            }
        }
    }
    assert_eq!(recipients, 10_000);
}

#[test]
fn an_endless_line_is_answered_once_and_consumed() {
    let mut front = Front::new(smtp().into());
    let mut out = Vec::new();
    let endless = vec![b'x'; 2050];
    for _ in 0..10_000 {
        let Advance { consumed, action } = front.advance(&endless, &mut out);
        assert_eq!((consumed, action), (endless.len(), FrontAction::Read));
    }
    assert_eq!(out, b"500 5.5.2 This line is too long.\r\n");
    assert_eq!(say(&mut front, "\nNOOP\r\n", &mut out), FrontAction::Read);
    assert!(out.ends_with(b"250 2.0.0 Ok.\r\n"));
}

#[test]
fn an_endless_line_of_a_message_passes() {
    let mut front = Front::new(smtp().into());
    let mut out = Vec::new();
    open(&mut front, &mut out);
    assert_eq!(say(&mut front, "DATA\r\n", &mut out), FrontAction::Data);
    front.go_ahead(&mut out);
    let piece = vec![0xFF; 16 * 1024];
    for _ in 0..1000 {
        let Advance { consumed, action } = front.advance(&piece, &mut out);
        assert_eq!((consumed, action), (piece.len(), FrontAction::Content(&piece)));
    }
}

#[test]
fn a_goodbye_comes_in_any_state() {
    for (why, words) in [
        (Bye::Timeout, "421 4.4.2 You took too long.\r\n"),
        (Bye::Limit("Too many messages."), "421 4.7.0 Too many messages.\r\n"),
        (Bye::Shutdown, "421 4.3.2 The server is shutting down.\r\n"),
    ] {
        for said in [
            "",
            "DA",
            "DATA\r\n",
            "BDAT 5\r\n",
            "RCPT TO:<c@b.test>\r\n",
            "STARTTLS\r\n",
            &"x".repeat(3000),
        ] {
            for goes in [false, true] {
                let mut front = Front::new(smtp().into());
                open(&mut front, &mut Vec::new());
                let _ = front.advance(said.as_bytes(), &mut Vec::new());
                if goes {
                    front.go_ahead(&mut Vec::new());
                }
                let mut out = Vec::new();
                front.bye(why, &mut out);
                // Whatever the driver says then, it is too late.
                front.reply(&reply("250 2.0.0 Ok"), &mut out);
                front.replies([&reply("250 2.0.0 Ok")], &mut out);
                front.go_ahead(&mut out);
                let Advance { consumed, action } = front.advance(b"NOOP\r\n", &mut out);
                assert_eq!((consumed, action), (0, FrontAction::Read));
                assert_eq!(String::from_utf8(out).unwrap(), words, "{said:?}");
            }
        }
    }
}

#[test]
fn answers_that_nobody_asked_for_say_nothing() {
    let mut front = Front::new(full().into());
    let mut out = Vec::new();
    front.reply(&reply("250 2.0.0 Ok"), &mut out);
    front.replies([&reply("250 2.0.0 Ok")], &mut out);
    front.go_ahead(&mut out);
    assert_eq!(out, b"");
    open(&mut front, &mut out);
    out.clear();
    // RCPT is not answered by a go-ahead, nor DATA by the replies of a message.
    let recipient = "RCPT TO:<c@b.test>\r\n";
    assert!(matches!(say(&mut front, recipient, &mut out), FrontAction::Recipient(_)));
    front.go_ahead(&mut out);
    front.replies([&reply("250 2.0.0 Ok")], &mut out);
    assert_eq!(out, b"");
}

#[test]
fn recipients_that_the_driver_forgets_are_told_to_come_again() {
    let mut front = Front::new(lmtp().into());
    let mut out = Vec::new();
    say(&mut front, "LHLO client.test\r\n", &mut out);
    assert!(matches!(say(&mut front, "MAIL FROM:<a@a.test>\r\n", &mut out), FrontAction::Mail(_)));
    front.reply(&reply("250 2.1.0 Ok"), &mut out);
    for line in ["RCPT TO:<b@b.test>\r\n", "RCPT TO:<c@b.test>\r\n"] {
        assert!(matches!(say(&mut front, line, &mut out), FrontAction::Recipient(_)));
        front.reply(&reply("250 2.1.5 Ok"), &mut out);
    }
    assert_eq!(say(&mut front, "DATA\r\n", &mut out), FrontAction::Data);
    front.go_ahead(&mut out);
    assert_eq!(say(&mut front, ".\r\n", &mut out), FrontAction::ContentEnd);
    out.clear();
    front.replies([&reply("250 2.0.0 Ok")], &mut out);
    let later = "451 4.3.0 Temporarily unavailable, try again later.";
    assert_eq!(String::from_utf8(out).unwrap(), format!("250 2.0.0 Ok\r\n{later}\r\n"));
}

#[test]
fn closed_is_closed() {
    let mut front = Front::new(smtp().into());
    let mut out = Vec::new();
    let close = FrontAction::Close(CloseReason::Logout);
    assert_eq!(say(&mut front, "QUIT\r\n", &mut out), close);
    assert_eq!(front.advance(b"NOOP\r\n", &mut out), Advance { consumed: 0, action: close });
    assert_eq!(out, b"221 2.0.0 Goodbye.\r\n");
}

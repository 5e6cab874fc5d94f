//! What no dialogue may be brought to, and what depends on how octets arrive.

use waypost_model::{Encryption, Secret};
use waypost_wire::imap::{Back, Front};
use waypost_wire::login::{
    Accepted, Advance, Answer, BackAction, BackFailure, BackSettings, Bye, CloseReason, Credential,
    FrontAction, FrontSettings, MAX_UNREAD,
};

fn front(encryption: Encryption) -> Front {
    Front::new(
        FrontSettings { encryption, hostname: "mail.example.test".into(), ..Default::default() }
            .into(),
    )
}

fn back(encryption: Encryption) -> Back {
    Back::new(BackSettings { encryption, client: None, ..BackSettings::default() })
}

fn credential() -> Credential {
    Credential::Password {
        mechanism: None,
        authentication_id: "ann".into(),
        authorisation_id: None,
        password: Secret::from("secret"),
    }
}

/// Feeds `input` until there is something to do; with that, all that was sent.
fn feed(back: &mut Back, mut input: &[u8]) -> (BackAction, String) {
    let mut out = Vec::new();
    loop {
        let Advance { consumed, action } = back.advance(input, &mut out);
        input = &input[consumed..];
        if consumed == 0 || action != BackAction::Read {
            return (action, String::from_utf8(out).unwrap());
        }
    }
}

#[test]
fn greetings_say_what_is_offered() {
    let greeting = |encryption| {
        let mut out = Vec::new();
        front(encryption).greet(&mut out);
        String::from_utf8(out).unwrap()
    };
    let mechanisms = "AUTH=PLAIN AUTH=LOGIN AUTH=XOAUTH2 AUTH=OAUTHBEARER";
    assert_eq!(
        greeting(Encryption::Implicit),
        format!(
            "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID {mechanisms}] mail.example.test ready\r\n"
        )
    );
    assert_eq!(
        greeting(Encryption::Starttls),
        "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID STARTTLS LOGINDISABLED] mail.example.test ready\r\n"
    );
}

#[test]
fn plaintext_behind_starttls_closes_the_clients_session() {
    let sent = b"a STARTTLS\r\nb LOGIN eve evil\r\n";
    let command = b"a STARTTLS\r\n".len();
    for cut in command..=sent.len() {
        let (mut front, mut out) = (front(Encryption::Starttls), Vec::new());
        if cut > command {
            // In one segment: no go-ahead.
            assert_eq!(
                front.advance(&sent[..cut], &mut out),
                Advance {
                    consumed: 0,
                    action: FrontAction::Close(CloseReason::PlaintextAfterStarttls)
                }
            );
            assert!(out.starts_with(b"* BYE "), "{cut}");
        } else {
            // Later than the go-ahead, to a driver that does not start TLS at once.
            assert_eq!(front.advance(&sent[..cut], &mut out).action, FrontAction::StartTls);
            assert_eq!(front.advance(b"", &mut out).action, FrontAction::Read);
            let action = front.advance(&sent[cut..], &mut out).action;
            assert_eq!(action, FrontAction::Close(CloseReason::PlaintextAfterStarttls));
        }
    }
}

#[test]
fn plaintext_behind_starttls_fails_the_target() {
    let mut back_end = back(Encryption::Starttls);
    assert_eq!(feed(&mut back_end, b"* OK hi\r\n"), (BackAction::Read, "W1 STARTTLS\r\n".into()));
    let (action, _) = feed(&mut back_end, b"W1 OK go\r\n* CAPABILITY IMAP4rev1\r\n");
    assert_eq!(action, BackAction::Failed(BackFailure::PlaintextAfterStarttls));

    let mut back_end = back(Encryption::Starttls);
    feed(&mut back_end, b"* OK hi\r\n");
    assert_eq!(feed(&mut back_end, b"W1 OK go\r\n").0, BackAction::StartTls);
    let (action, _) = feed(&mut back_end, b"*");
    assert_eq!(action, BackAction::Failed(BackFailure::PlaintextAfterStarttls));
}

#[test]
fn a_reply_ahead_of_the_credential_fails_the_target() {
    for behind in ["W4 OK [CAPABILITY IMAP4rev1] in\r\n", "+ go on\r\n", "* OK fine\r\nW2 OK\r\n"] {
        let said = format!("* OK [CAPABILITY IMAP4rev1] hi\r\n{behind}");
        let (action, sent) = feed(&mut back(Encryption::None), said.as_bytes());
        assert_eq!(
            (action, sent.as_str()),
            (BackAction::Failed(BackFailure::EarlyReply), ""),
            "{behind:?}"
        );
    }
    let said = "* OK [CAPABILITY IMAP4rev1] hi\r\n* BYE too late\r\n";
    let (action, _) = feed(&mut back(Encryption::None), said.as_bytes());
    assert_eq!(action, BackAction::Failed(BackFailure::Bye("too late".into())));
}

#[test]
fn nothing_is_sent_before_ready_or_without_a_way() {
    let mut out = Vec::new();
    let mut back_end = back(Encryption::None);
    assert_eq!(back_end.login(&credential(), None, &mut out), Err(BackFailure::EarlyReply));
    feed(&mut back_end, b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] hi\r\n");
    assert!(back_end.login(&credential(), None, &mut out).is_err());
    assert_eq!(out, b"");
}

#[test]
fn another_protocol_is_found_out_at_its_first_octet() {
    for greeting in [&b"+OK POP3"[..], b"220 mx", b"HTTP/1.1 400", b"\x15\x03\x01", b"SSH-2.0"] {
        let (action, _) = feed(&mut back(Encryption::None), greeting);
        assert_eq!(action, BackAction::Failed(BackFailure::Protocol("a greeting")), "{greeting:?}");
    }
}

#[test]
fn a_back_end_cannot_fill_the_memory() {
    // One endless line, endless lines, an endless literal, endless lines that would be kept.
    let endless_line = [b"* ".as_slice(), &vec![b'x'; MAX_UNREAD]].concat();
    assert_eq!(
        feed(&mut back(Encryption::None), &endless_line).0,
        BackAction::Failed(BackFailure::TooLong)
    );

    let lines = "* OK [CAPABILITY IMAP4rev1] hi\r\n".repeat(1000);
    assert_eq!(
        feed(&mut back(Encryption::None), lines.as_bytes()).0,
        BackAction::Failed(BackFailure::TooLong)
    );

    for said in ["* X {16384}\r\n".to_owned(), format!("* X {}\r\n", "y".repeat(5000)).repeat(4)] {
        let mut back_end = back(Encryption::None);
        feed(&mut back_end, b"* OK [CAPABILITY IMAP4rev1] hi\r\n");
        back_end.login(&credential(), None, &mut Vec::new()).unwrap();
        assert_eq!(
            feed(&mut back_end, said.as_bytes()).0,
            BackAction::Failed(BackFailure::TooLong)
        );
    }
}

#[test]
fn a_client_cannot_fill_the_memory() {
    for said in [
        "x".repeat(MAX_UNREAD),
        "a LOGIN {4096+}\r\n".to_owned() + &"x".repeat(MAX_UNREAD),
        "a LOGIN ".to_owned() + &"(".repeat(MAX_UNREAD),
        "a ID (".to_owned() + &"{1+}\r\nx ".repeat(MAX_UNREAD / 7),
        "a AUTHENTICATE PLAIN ".to_owned() + &"A".repeat(12_300) + "\r\n",
    ] {
        let mut out = Vec::new();
        let input = &said.as_bytes()[..said.len().min(MAX_UNREAD)];
        let Advance { action, .. } = front(Encryption::Implicit).advance(input, &mut out);
        assert_eq!(action, FrontAction::Close(CloseReason::TooLong), "{:?}", &said[..30]);
        assert_eq!(out, b"* BYE This command is too long.\r\n");
    }

    let mut front = front(Encryption::Implicit);
    let mut out = Vec::new();
    front.advance(b"a AUTHENTICATE PLAIN\r\n", &mut out);
    assert_eq!(front.advance(&[b'A'; 12_289], &mut out).action, FrontAction::Read);
    let action = front.advance(&[b'A'; 12_290], &mut out).action;
    assert_eq!(action, FrontAction::Close(CloseReason::TooLong));
}

#[test]
fn the_longest_sasl_lines_are_taken() {
    let message = format!("user=ann\u{1}auth=Bearer {}\u{1}\u{1}", "x".repeat(9216 - 23));
    let mut base64 = Vec::new();
    waypost_wire::sasl::encode(message.as_bytes(), &mut base64);
    assert_eq!(base64.len(), 12_288);
    for command in ["a AUTHENTICATE XOAUTH2 ", "a AUTHENTICATE XOAUTH2\r\n"] {
        let (mut front, mut out) = (front(Encryption::Implicit), Vec::new());
        let said = [command.as_bytes(), &base64, b"\r\n"].concat();
        let Advance { consumed, action } = front.advance(&said, &mut out);
        assert!(matches!(action, FrontAction::Login(Credential::Token { .. })), "{action:?}");
        assert_eq!(consumed, said.len());
    }
}

#[test]
fn while_a_login_is_decided_nothing_is_looked_at() {
    let (mut front, mut out) = (front(Encryption::Implicit), Vec::new());
    let pipelined = b"a LOGIN ann secret\r\nb LOGOUT\r\n";
    let Advance { consumed, action } = front.advance(pipelined, &mut out);
    assert!(matches!(action, FrontAction::Login(_)));
    let behind = &pipelined[consumed..];
    assert_eq!(front.advance(behind, &mut out), Advance { consumed: 0, action: FrontAction::Read });
    front.accept(&Accepted::default(), &mut out);
    assert_eq!(front.advance(behind, &mut out), Advance { consumed: 0, action: FrontAction::Read });
    assert_eq!(out, b"a OK Logged in.\r\n");
}

#[test]
fn a_goodbye_comes_in_any_state() {
    for (why, words) in [
        (Bye::Timeout, "* BYE You took too long.\r\n"),
        (Bye::Limit("Too many connections."), "* BYE Too many connections.\r\n"),
        (Bye::Shutdown, "* BYE [UNAVAILABLE] The server is shutting down.\r\n"),
    ] {
        for said in [&b""[..], b"a LOGIN {3}\r\n", b"a LOGIN b c\r\n", b"a AUTHENTICATE PLAIN\r\n"]
        {
            let mut front = front(Encryption::Implicit);
            front.advance(said, &mut Vec::new());
            let mut out = Vec::new();
            front.bye(why, &mut out);
            front.answer(&Answer::Rejected, &mut out);
            assert_eq!(front.advance(b"b NOOP\r\n", &mut out).action, FrontAction::Read);
            assert_eq!(String::from_utf8(out).unwrap(), words);
        }
    }
}

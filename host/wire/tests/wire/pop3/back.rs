//! POP3 as a back end meets it: whole logins, however the replies are cut.

use std::sync::Arc;

use waypost_model::{Encryption, Secret};
use waypost_wire::login::{
    BackAction, BackFailure, BackSettings, ClientIdentity, Credential, Mechanism, SaslResponse,
};
use waypost_wire::pop3::Back;

use crate::login::back::{self, Login, login, password, token};
use crate::login::base64;

fn ann() -> Credential {
    password(None, None, "secret")
}

fn plain() -> BackSettings {
    BackSettings { encryption: Encryption::None, client: None, ..BackSettings::default() }
}

fn stls() -> BackSettings {
    BackSettings { encryption: Encryption::Starttls, client: None, ..BackSettings::default() }
}

fn telling(encryption: Encryption, client: &str) -> BackSettings {
    let client = ClientIdentity {
        client: client.parse().unwrap(),
        local: "198.51.100.1:995".parse().unwrap(),
        session: Arc::from("s-1"),
        ttl: 7,
    };
    BackSettings { encryption, client: Some(client), ..BackSettings::default() }
}

#[track_caller]
fn session(settings: &BackSettings, login: &Login, replies: &[&str], expected: &str) {
    relayed(settings, login, &[], replies, expected);
}

#[track_caller]
fn relayed(
    settings: &BackSettings,
    login: &Login,
    responses: &[SaslResponse],
    replies: &[&str],
    expected: &str,
) {
    let back = || waypost_wire::Back::Pop3(Back::new(settings.clone()));
    back::relayed(back, login, responses, replies, expected);
}

#[test]
fn user_and_pass_and_what_follows_the_login() {
    session(
        &plain(),
        &login(ann()),
        &[
            "+OK ready <1896.697170952@dbc.mtview.ca.us>\r\n",
            "+OK\r\n",
            "+OK Hello.\r\n+OK 2 320\r\n",
        ],
        "[ready]\nUSER ann\nPASS secret\n[accepted Hello.]\nunread: +OK 2 320\\r\\n",
    );
}

#[test]
fn the_routes_identity_logs_in() {
    let login = Login { credential: ann(), identity: Some("ann@intern.test") };
    let expected = "[ready]\nUSER ann@intern.test\nPASS secret\n[accepted ]\n";
    session(&plain(), &login, &["+OK\r\n", "+OK\r\n", "+OK\r\n"], expected);

    let login = Login { credential: ann(), identity: Some("ann\r\nDELE 1") };
    let expected =
        "[ready]\n[failed the name to log in with holds what this protocol cannot carry]\n";
    session(&plain(), &login, &["+OK\r\n"], expected);
}

#[test]
fn spaces_and_other_octets_of_a_password_arrive() {
    let mut back = Back::new(plain());
    let mut out = Vec::new();
    assert_eq!(back.advance(b"+OK\r\n", &mut out).action, BackAction::Ready);
    let credential = Credential::Password {
        mechanism: Some(Mechanism::Login),
        authentication_id: "ann".into(),
        authorisation_id: None,
        password: Secret::from(&b" \xff \xfe "[..]),
    };
    back.login(&credential, None, &mut out).unwrap();
    back.advance(b"+OK\r\n", &mut out);
    assert_eq!(out, b"USER ann\r\nPASS  \xff \xfe \r\n");
}

#[test]
fn what_is_too_long_for_a_command_goes_as_a_message() {
    let long = "x".repeat(249);
    let message = base64(format!("\0ann\0{long}"));
    session(
        &plain(),
        &login(password(None, None, &long)),
        &["+OK\r\n", "+ \r\n", "+OK\r\n"],
        &format!("[ready]\nAUTH PLAIN\n{message}\n[accepted ]\n"),
    );
    let fits = "x".repeat(248);
    session(
        &plain(),
        &login(password(None, None, &fits)),
        &["+OK\r\n", "+OK\r\n", "+OK\r\n"],
        &format!("[ready]\nUSER ann\nPASS {fits}\n[accepted ]\n"),
    );
}

#[test]
fn an_authorisation_identity_takes_plain() {
    let message = base64("ann\0admin\0secret");
    session(
        &plain(),
        &login(password(Some(Mechanism::Plain), Some("admin"), "secret")),
        &["+OK\r\n", "+\r\n", "+OK\r\n"],
        &format!("[ready]\nAUTH PLAIN\n{message}\n[accepted ]\n"),
    );
}

#[test]
fn a_token_is_relayed_message_by_message() {
    let message = base64("user=ann\x01auth=Bearer x\x01\x01");
    relayed(
        &plain(),
        &login(token()),
        &[SaslResponse::Data(Secret::default())],
        &["+OK\r\n", "+ \r\n", "+ eyJzdGF0dXMiOiI0MDEifQ==\r\n", "-ERR [AUTH] no\r\n"],
        &format!(
            "[ready]\nAUTH XOAUTH2\n{message}\n[challenge {{\\\"status\\\":\\\"401\\\"}}]\n\n[rejected AUTH no]\n"
        ),
    );
}

#[test]
fn a_token_goes_under_the_routes_identity() {
    let message = base64("user=bob\x01auth=Bearer x\x01\x01");
    session(
        &plain(),
        &Login { credential: token(), identity: Some("bob") },
        &["+OK\r\n", "+ \r\n", "+OK in\r\n"],
        &format!("[ready]\nAUTH XOAUTH2\n{message}\n[accepted in]\n"),
    );
}

#[test]
fn a_cancelled_exchange_ends_with_the_back_ends_no() {
    let message = base64("user=ann\x01auth=Bearer x\x01\x01");
    for (reply, end) in [
        ("-ERR cancelled\r\n", "rejected - cancelled"),
        ("+OK\r\n", "failed the back end does not speak the protocol: +OK or -ERR was expected"),
        ("+ \r\n", "failed the back end does not speak the protocol: +OK or -ERR was expected"),
    ] {
        relayed(
            &plain(),
            &login(token()),
            &[SaslResponse::Cancel],
            &["+OK\r\n", "+ \r\n", "+ AQ==\r\n", reply],
            &format!("[ready]\nAUTH XOAUTH2\n{message}\n[challenge \\x01]\n*\n[{end}]\n"),
        );
    }
}

#[test]
fn a_mechanism_that_is_missing_shows_before_the_credential() {
    session(
        &plain(),
        &login(token()),
        &["+OK\r\n", "-ERR [AUTH] Unsupported authentication mechanism.\r\n"],
        "[ready]\nAUTH XOAUTH2\n[failed the back end does not offer XOAUTH2, and no other way fits]\n",
    );
    session(
        &plain(),
        &login(token()),
        &["+OK\r\n", "-ERR [SYS/TEMP] later\r\n"],
        "[ready]\nAUTH XOAUTH2\n[failed the back end is temporarily unavailable: later]\n",
    );
}

#[test]
fn stls_comes_before_everything() {
    session(
        &stls(),
        &login(ann()),
        &["+OK ready\r\n", "+OK Begin TLS.\r\n", "+OK\r\n", "+OK Hello.\r\n"],
        "STLS\n[tls]\n[ready]\nUSER ann\nPASS secret\n[accepted Hello.]\n",
    );
    session(
        &stls(),
        &login(ann()),
        &["+OK ready\r\n", "-ERR TLS is not enabled.\r\n"],
        "STLS\n[failed the back end refuses to start TLS: TLS is not enabled.]\n",
    );
}

#[test]
fn octets_behind_the_agreement_to_start_tls_fail_the_target() {
    let failed = BackAction::Failed(BackFailure::PlaintextAfterStarttls);
    let started = || {
        let (mut back, mut out) = (Back::new(stls()), Vec::new());
        back.advance(b"+OK\r\n", &mut out);
        back
    };
    let mut back = started();
    assert_eq!(back.advance(b"+OK\r\n+OK\r\n", &mut Vec::new()).action, failed);

    let mut back = started();
    assert_eq!(back.advance(b"+OK\r\n", &mut Vec::new()).action, BackAction::StartTls);
    assert_eq!(back.advance(b"", &mut Vec::new()).action, BackAction::Read);
    assert_eq!(back.advance(b"+", &mut Vec::new()).action, failed);
}

#[test]
fn xclient_where_the_greeting_offers_it() {
    // Dovecot's greeting to those whom it trusts.
    session(
        &telling(Encryption::None, "192.0.2.7:50123"),
        &login(ann()),
        &["+OK [XCLIENT] Dovecot ready.\r\n", "+OK Updated\r\n", "+OK\r\n", "+OK Logged in.\r\n"],
        "XCLIENT ADDR=192.0.2.7 PORT=50123 SESSION=s-1 TTL=7\n[ready]\nUSER ann\nPASS secret\n\
         [accepted Logged in.]\n",
    );
    session(
        &plain(),
        &login(ann()),
        &["+OK [XCLIENT] Dovecot ready.\r\n", "+OK\r\n", "+OK\r\n"],
        "[ready]\nUSER ann\nPASS secret\n[accepted ]\n",
    );
}

#[test]
fn xclient_where_capa_offers_it() {
    let settings = telling(Encryption::None, "[2001:db8::7]:50123");
    session(
        &settings,
        &login(ann()),
        &[
            "+OK ready\r\n",
            "+OK\r\nTOP\r\nXCLIENT\r\nUIDL\r\n.\r\n",
            "+OK\r\n",
            "+OK\r\n",
            "+OK\r\n",
        ],
        "CAPA\nXCLIENT ADDR=2001:db8::7 PORT=50123 SESSION=s-1 TTL=7\n[ready]\nUSER ann\n\
         PASS secret\n[accepted ]\n",
    );
    for capabilities in ["+OK\r\nTOP\r\nXCLIENTS\r\n.\r\n", "-ERR what?\r\n"] {
        session(
            &settings,
            &login(ann()),
            &["+OK ready\r\n", capabilities, "+OK\r\n", "+OK\r\n"],
            "CAPA\n[ready]\nUSER ann\nPASS secret\n[accepted ]\n",
        );
    }
}

#[test]
fn behind_stls_xclient_is_tried_and_a_refusal_is_harmless() {
    // The greeting is forgotten, whatever it offered.
    for greeting in ["+OK [XCLIENT] ready\r\n", "+OK ready\r\n"] {
        session(
            &telling(Encryption::Starttls, "[::ffff:192.0.2.7]:50123"),
            &login(ann()),
            &[greeting, "+OK\r\n", "-ERR Unknown command.\r\n", "+OK\r\n", "+OK\r\n"],
            "STLS\n[tls]\nXCLIENT ADDR=192.0.2.7 PORT=50123 SESSION=s-1 TTL=7\n[ready]\nUSER ann\n\
             PASS secret\n[accepted ]\n",
        );
    }
}

#[test]
fn a_session_id_that_would_end_the_argument_is_left_out() {
    for session in ["", "a b", "a\r\nQUIT", "\u{e4}", &"x".repeat(65)] {
        let mut settings = telling(Encryption::None, "192.0.2.7:1");
        settings.client.as_mut().unwrap().session = Arc::from(session);
        let mut out = Vec::new();
        Back::new(settings).advance(b"+OK [XCLIENT] ready\r\n", &mut out);
        assert_eq!(out, b"XCLIENT ADDR=192.0.2.7 PORT=1 TTL=7\r\n", "{session:?}");
    }
}

#[test]
fn the_back_ends_no_keeps_its_code() {
    for (reply, end) in [
        ("-ERR [AUTH] Authentication failed.", "rejected AUTH Authentication failed."),
        ("-ERR [in-use] Locked.", "rejected IN-USE Locked."),
        ("-ERR [LOGIN-DELAY] wait", "rejected LOGIN-DELAY wait"),
        ("-ERR [SYS/PERM] broken", "rejected SYS/PERM broken"),
        ("-ERR Nein, B\u{f6}se.", "rejected - Nein, B??se."),
        ("-ERR", "rejected - "),
        ("-ERR [SYS/TEMP] later", "failed the back end is temporarily unavailable: later"),
        ("-ERR [sys/temp]", "failed the back end is temporarily unavailable: "),
    ] {
        let reply = format!("{reply}\r\n");
        let expected = format!("[ready]\nUSER ann\nPASS secret\n[{end}]\n");
        session(&plain(), &login(ann()), &["+OK\r\n", "+OK\r\n", &reply], &expected);
        let expected = format!("[ready]\nUSER ann\n[{end}]\n");
        session(&plain(), &login(ann()), &["+OK\r\n", &reply], &expected);
    }
}

#[test]
fn a_greeting_that_is_none_fails_the_target() {
    let mut out = Vec::new();
    let mut first = |input: &[u8]| Back::new(plain()).advance(input, &mut out).action;
    assert_eq!(
        first(b"-ERR [SYS/TEMP] full\r\n"),
        BackAction::Failed(BackFailure::Bye("[SYS/TEMP] full".into()))
    );
    let protocol = BackAction::Failed(BackFailure::Protocol("a greeting"));
    for greeting in
        [&b"* OK IMAP"[..], b"220 smtp", b"\x15\x03\x01", b"+ \r\n", b"+OKAY\r\n", b"\n"]
    {
        assert_eq!(first(greeting), protocol, "{}", greeting.escape_ascii());
    }
    assert_eq!(first(b"+OK read"), BackAction::Read);
}

#[test]
fn rubbish_and_unasked_challenges_fail_the_target() {
    let expected = "failed the back end does not speak the protocol: +OK or -ERR was expected";
    for reply in ["* OK\r\n", "\r\n", "+ AQ==\r\n", "+OK\tx\r\n"] {
        let expected = format!("[ready]\nUSER ann\nPASS secret\n[{expected}]\n");
        session(&plain(), &login(ann()), &["+OK\r\n", "+OK\r\n", reply], &expected);
    }
    let message = base64("user=ann\x01auth=Bearer x\x01\x01");
    session(
        &plain(),
        &login(token()),
        &["+OK\r\n", "+ \r\n", "+ AQ\r\n"],
        &format!(
            "[ready]\nAUTH XOAUTH2\n{message}\n\
             [failed the back end does not speak the protocol: a challenge in base64 was expected]\n"
        ),
    );
}

#[test]
fn a_reply_that_nobody_asked_for_fails_the_target_before_the_password() {
    let early = BackAction::Failed(BackFailure::EarlyReply);
    let (mut back, mut out) = (Back::new(plain()), Vec::new());
    assert_eq!(back.advance(b"+OK\r\n+OK\r\n", &mut out).action, early);

    let (mut back, mut out) = (Back::new(plain()), Vec::new());
    assert_eq!(back.advance(b"+OK\r\n", &mut out).action, BackAction::Ready);
    assert_eq!(back.advance(b"", &mut out).action, BackAction::Ready);
    assert_eq!(back.advance(b"+", &mut out).action, early);

    let (mut back, mut out) = (Back::new(plain()), Vec::new());
    back.advance(b"+OK\r\n", &mut out);
    back.login(&ann(), None, &mut out).unwrap();
    assert_eq!(back.advance(b"+OK\r\n+OK\r\n", &mut out).action, early);
    assert_eq!(out, b"USER ann\r\n");
}

#[test]
fn endless_replies_are_bounded() {
    let too_long = BackAction::Failed(BackFailure::TooLong);
    let (mut back, mut out) = (Back::new(plain()), Vec::new());
    let action = back.advance(&[b"+OK ".to_vec(), vec![b'x'; 3000]].concat(), &mut out).action;
    assert_eq!(action, too_long);

    let (mut back, mut out) = (Back::new(telling(Encryption::None, "192.0.2.7:1")), Vec::new());
    back.advance(b"+OK\r\n", &mut out);
    back.advance(b"+OK\r\n", &mut out);
    let lines =
        (0..10_000).position(|_| back.advance(b"X-ENDLESS\r\n", &mut out).action == too_long);
    assert!(lines.is_some_and(|lines| lines < 1000), "{lines:?}");
}

#[test]
fn nothing_secret_is_shown() {
    let (mut back, mut out) = (Back::new(plain()), Vec::new());
    back.advance(b"+OK\r\n", &mut out);
    back.login(&password(None, None, "hunter2"), None, &mut out).unwrap();
    assert!(!format!("{back:?}").contains("hunter2"));
}

#[test]
fn login_waits_for_ready() {
    let (mut back, mut out) = (Back::new(plain()), Vec::new());
    assert_eq!(back.login(&ann(), None, &mut out), Err(BackFailure::EarlyReply));
    assert!(out.is_empty());
}

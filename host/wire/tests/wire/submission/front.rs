//! Submission as a mail client meets it: whole sessions up to the hand-over, however they are cut.

use std::sync::Arc;

use waypost_model::Encryption;
use waypost_wire::login::{Answer, Bye, CloseReason, FrontAction, FrontSettings, Rejection};
use waypost_wire::smtp::submission::Front;

use crate::login::base64;
use crate::login::front::{self as login, Decide};

const ACCEPT: Decide = Decide::Accept("Authentication successful");
const REJECT: Decide = Decide::Answer(Answer::Rejected);

fn settings() -> FrontSettings {
    FrontSettings {
        encryption: Encryption::Implicit,
        hostname: Arc::from("mx.test"),
        submission_extensions: vec!["SIZE 1000".into(), "8BITMIME".into()],
        ..FrontSettings::default()
    }
}

fn starttls() -> FrontSettings {
    FrontSettings { encryption: Encryption::Starttls, ..settings() }
}

#[track_caller]
fn session(settings: FrontSettings, decisions: &[Decide], segments: &[&str], expected: &str) {
    let settings = Arc::new(settings);
    let front = || waypost_wire::Front::Submission(Front::new(settings.clone()));
    login::session(front, decisions, segments, expected);
}

/// What EHLO answers over TLS.
const EHLO: &str = "250-mx.test\n250-PIPELINING\n250-ENHANCEDSTATUSCODES\n250-SIZE 1000\n\
                    250-8BITMIME\n250-XCLIENT TTL\n250 AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER\n";

#[test]
fn the_greeting_names_the_host() {
    let mut out = Vec::new();
    Front::new(Arc::new(settings())).greet(&mut out);
    assert_eq!(out, b"220 mx.test ESMTP ready\r\n");
}

#[test]
fn plain_with_what_follows_the_login() {
    let message = base64(b"\0Ann@a.test\0secret");
    session(
        settings(),
        &[ACCEPT],
        &["ehlo ann.test\r\n", &format!("auth plain {message}\r\nMAIL FROM:<a@a.test>\r\n")],
        &format!(
            "{EHLO}[login PLAIN Ann@a.test: secret]\n235 2.7.0 Authentication successful\n\
             unread: MAIL FROM:<a@a.test>\\r\\n"
        ),
    );
    session(
        settings(),
        &[Decide::Accept("")],
        &["EHLO ann.test\nAUTH PLAIN\n", &format!("{message}\n")],
        &format!("{EHLO}334 \n[login PLAIN Ann@a.test: secret]\n235 2.7.0 Logged in.\n"),
    );
}

#[test]
fn login_asks_twice() {
    let (name, password) = (base64(b"ann"), base64(b"secret"));
    session(
        settings(),
        &[ACCEPT],
        &["EHLO x\r\nAUTH LOGIN\r\n", &format!("{name}\r\n"), &format!("{password}\r\n")],
        &format!(
            "{EHLO}334 VXNlcm5hbWU6\n334 UGFzc3dvcmQ6\n[login LOGIN ann: secret]\n\
             235 2.7.0 Authentication successful\n"
        ),
    );
}

#[test]
fn what_may_not_be_used_is_not_offered_and_tls_forgets() {
    let message = base64(b"\0ann\0secret");
    let clear = EHLO.replace("250 AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER", "250 STARTTLS");
    session(
        starttls(),
        &[ACCEPT],
        &[
            &format!(
                "EHLO ann.test\r\nAUTH PLAIN {message}\r\nAUTH CRAM-MD5\r\nAUTH\r\nMAIL FROM:<>\r\nSTARTTLS\r\n"
            ),
            &format!("AUTH PLAIN {message}\r\nEHLO ann.test\r\nAUTH PLAIN {message}\r\n"),
        ],
        &format!(
            "{clear}{}530 5.7.0 Begin TLS with STARTTLS first.\n\
             220 2.0.0 Begin TLS negotiation now.\n[tls]\n503 5.5.1 Say EHLO first.\n{EHLO}\
             [login PLAIN ann: secret]\n235 2.7.0 Authentication successful\n",
            "538 5.7.11 Passwords are taken over TLS only.\n".repeat(3),
        ),
    );
    let allowed = FrontSettings { allow_plaintext: true, ..starttls() };
    let both = EHLO.replace("250 AUTH", "250-STARTTLS\n250 AUTH");
    session(
        allowed,
        &[ACCEPT],
        &["EHLO ann.test\r\nMAIL FROM:<>\r\n", &format!("AUTH PLAIN {message}\r\n")],
        &format!(
            "{both}530 5.7.0 Please log in first.\n[login PLAIN ann: secret]\n\
             235 2.7.0 Authentication successful\n"
        ),
    );
}

#[test]
fn octets_behind_starttls_close_the_session() {
    let goodbye = "421 4.7.0 Nothing may follow STARTTLS before TLS has begun.\r\n";
    let closed = FrontAction::Close(CloseReason::PlaintextAfterStarttls);
    let (mut front, mut out) = (Front::new(Arc::new(starttls())), Vec::new());
    let advance = front.advance(b"STARTTLS\r\nEHLO x\r\n", &mut out);
    assert_eq!((advance.action, out.as_slice()), (closed, goodbye.as_bytes()));

    let (mut front, mut out) = (Front::new(Arc::new(starttls())), Vec::new());
    assert_eq!(front.advance(b"STARTTLS\r\n", &mut out).action, FrontAction::StartTls);
    assert_eq!(front.advance(b"", &mut out).action, FrontAction::Read);
    out.clear();
    let closed = FrontAction::Close(CloseReason::PlaintextAfterStarttls);
    assert_eq!(front.advance(b"E", &mut out).action, closed);
    assert_eq!(out, goodbye.as_bytes());
}

#[test]
fn starttls_is_refused_where_it_is_not_offered() {
    session(settings(), &[], &["STARTTLS\r\n"], "503 5.5.1 TLS is already active.\n");
    let never = FrontSettings { encryption: Encryption::None, allow_plaintext: true, ..settings() };
    session(never, &[], &["STARTTLS\r\n"], "502 5.5.1 STARTTLS is not available.\n");
    session(
        starttls(),
        &[],
        &["STARTTLS now\r\n", "STARTTLS\r\n", "STARTTLS\r\n"],
        "501 5.5.4 This command takes no argument.\n220 2.0.0 Begin TLS negotiation now.\n[tls]\n\
         503 5.5.1 TLS is already active.\n",
    );
}

#[test]
fn auth_wants_ehlo() {
    session(
        settings(),
        &[],
        &["AUTH PLAIN\r\nHELO ann.test\r\nAUTH PLAIN\r\nEHLO\r\nHELO\r\n"],
        "503 5.5.1 Say EHLO first.\n250 mx.test\n503 5.5.1 Say EHLO first.\n\
         501 Say who you are: a host name.\n501 Say who you are: a host name.\n",
    );
}

#[test]
fn what_the_client_calls_itself_is_kept_until_it_says_otherwise() {
    let mut front = Front::new(Arc::new(starttls()));
    let mut out = Vec::new();
    assert_eq!(front.hello(), None);
    for (said, expected) in [
        ("EHLO [192.0.2.1]\r\n", Some("[192.0.2.1]")),
        ("EHLO Ann's PC\r\n", Some("Ann's")),
        ("EHLO m\u{fc}ller\r\n", Some("m\u{fc}ller")),
        ("EHLO\r\n", Some("m\u{fc}ller")),
        ("HELO ann.test\r\n", None),
        ("EHLO ann.test\r\n", Some("ann.test")),
    ] {
        front.advance(said.as_bytes(), &mut out);
        assert_eq!(front.hello().map(|name| &**name), expected, "{said:?}");
    }
    front.advance(b"STARTTLS\r\n", &mut out);
    front.tls_started();
    assert_eq!(front.hello(), None);
}

#[test]
fn commands_before_the_login() {
    session(
        settings(),
        &[],
        &["NOOP\r\nNOOP hello\r\nRSET\r\nVRFY ann\r\nHELP\r\nHELP me\r\nMAIL FROM:<a@a.test>\r\n\
           RCPT TO:<b@b.test>\r\nDATA\r\nBDAT 5 LAST\r\nEXPN all\r\nXFORWARD ADDR=192.0.2.1\r\n\
           FOO\r\n\r\nQUIT now\r\nQUIT\r\nNOOP\r\n"],
        "250 2.0.0 Ok\n250 2.0.0 Ok\n250 2.0.0 Ok\n\
         252 2.0.0 Cannot verify the user, but will take messages after a login.\n\
         214-2.0.0 EHLO HELO STARTTLS AUTH NOOP RSET VRFY HELP QUIT\n\
         214 2.0.0 Further commands come with the login.\n\
         214-2.0.0 EHLO HELO STARTTLS AUTH NOOP RSET VRFY HELP QUIT\n\
         214 2.0.0 Further commands come with the login.\n\
         530 5.7.0 Please log in first.\n530 5.7.0 Please log in first.\n\
         530 5.7.0 Please log in first.\n530 5.7.0 Please log in first.\n\
         502 5.5.1 This command is not available.\n502 5.5.1 This command is not available.\n\
         500 5.5.1 Unknown command.\n500 5.5.1 Unknown command.\n\
         501 5.5.4 This command takes no argument.\n221 2.0.0 Goodbye.\n[close logout]\n\
         unread: NOOP\\r\\n",
    );
}

#[test]
fn the_session_goes_on_after_a_no() {
    let auth = format!("AUTH PLAIN {}\r\n", base64(b"\0ann\0secret"));
    let no = |code: Option<&str>, text: &str| {
        Decide::Answer(Answer::RejectedByBackend(Rejection {
            code: code.map(Into::into),
            text: text.into(),
        }))
    };
    session(
        FrontSettings { max_auth_errors: 9, ..settings() },
        &[
            REJECT,
            Decide::Answer(Answer::Denied),
            Decide::Answer(Answer::Unavailable),
            no(Some("534 5.7.9"), "Too weak."),
            no(Some("550"), ""),
            no(Some("IN-USE"), "Locked."),
            no(Some("250 2.0.0"), "Ok"),
            ACCEPT,
        ],
        &["EHLO x\r\n", &auth.repeat(8)],
        &format!(
            "{EHLO}{}",
            [
                "535 5.7.8 Authentication failed.",
                "535 5.7.8 You may not log in here; please ask your administrator.",
                "454 4.7.0 The service is temporarily unavailable; please try again later.",
                "534 5.7.9 Too weak.",
                "550 The login was refused.",
                "535 5.7.8 Locked.",
                "535 5.7.8 Ok",
                "235 2.7.0 Authentication successful",
            ]
            .map(|answer| format!("[login PLAIN ann: secret]\n{answer}\n"))
            .concat()
        ),
    );
}

#[test]
fn an_authorisation_identity_only_where_it_is_allowed() {
    let message = base64(b"bob\0ann\0secret");
    let auth = format!("EHLO x\r\nAUTH PLAIN {message}\r\n");
    session(settings(), &[], &[&auth], &format!("{EHLO}535 5.7.8 Authentication failed.\n"));
    let allowed = FrontSettings { allow_authorisation: true, ..settings() };
    session(
        allowed,
        &[REJECT],
        &[&auth],
        &format!("{EHLO}[login PLAIN bob by ann: secret]\n535 5.7.8 Authentication failed.\n"),
    );
}

#[test]
fn a_token_is_relayed_message_by_message() {
    let token = base64(b"user=ann\x01auth=Bearer x\x01\x01");
    session(
        settings(),
        &[Decide::Challenge(b"{\"status\":\"401\"}"), REJECT],
        &["EHLO x\r\n", &format!("AUTH XOAUTH2 {token}\r\n"), "AQ==\r\nNOOP\r\n"],
        &format!(
            "{EHLO}[login XOAUTH2 ann: user=ann\\x01auth=Bearer x\\x01\\x01]\n\
             334 eyJzdGF0dXMiOiI0MDEifQ==\n[response \\x01]\n535 5.7.8 Authentication failed.\n\
             250 2.0.0 Ok\n"
        ),
    );
    for (line, end) in
        [("*", "501 5.7.0 Authentication cancelled."), ("AQ=", "501 5.5.2 This is not base64.")]
    {
        session(
            settings(),
            &[Decide::Challenge(b""), REJECT],
            &["EHLO x\r\n", &format!("AUTH XOAUTH2 {token}\r\n"), &format!("{line}\r\nNOOP\r\n")],
            &format!(
                "{EHLO}[login XOAUTH2 ann: user=ann\\x01auth=Bearer x\\x01\\x01]\n334 \n\
                 [response cancelled]\n{end}\n250 2.0.0 Ok\n"
            ),
        );
    }
}

#[test]
fn exchanges_that_come_to_nothing() {
    session(
        FrontSettings { max_errors: 20, ..settings() },
        &[],
        &["EHLO x\r\nAUTH\r\nAUTH CRAM-MD5\r\nAUTH PLAIN !\r\nAUTH PLAIN a b\r\nAUTH PLAIN =\r\n\
           AUTH PLAIN\r\n*\r\nAUTH LOGIN =\r\nAUTH LOGIN\r\nYQ=\r\nAUTH PLAIN\r\n\r\nNOOP\r\n"],
        &format!(
            "{EHLO}501 5.5.4 Syntax: AUTH mechanism [initial-response]\n\
             504 5.5.4 There is no such mechanism here.\n501 5.5.2 This is not base64.\n\
             501 5.5.2 This is not base64.\n501 5.5.2 This is not a message of that mechanism.\n\
             334 \n501 5.7.0 Authentication cancelled.\n535 5.7.8 Authentication failed.\n\
             334 VXNlcm5hbWU6\n501 5.5.2 This is not base64.\n\
             334 \n501 5.5.2 This is not a message of that mechanism.\n250 2.0.0 Ok\n"
        ),
    );
}

#[test]
fn too_many_errors_close_the_session() {
    let settings = FrontSettings { max_errors: 3, ..settings() };
    session(
        settings,
        &[],
        &["FOO\r\nMAIL FROM:<>\r\nNOOP\r\nAUTH\r\nNOOP\r\n"],
        "500 5.5.1 Unknown command.\n530 5.7.0 Please log in first.\n250 2.0.0 Ok\n\
         503 5.5.1 Say EHLO first.\n421 4.7.0 Too many errors.\n[close too-many-errors]\n\
         unread: NOOP\\r\\n",
    );
}

#[test]
fn a_goodbye_is_said_once() {
    let settings = FrontSettings { max_errors: 1, ..settings() };
    let (mut front, mut out) = (Front::new(Arc::new(settings)), Vec::new());
    assert_eq!(front.advance(b"FOO\r\n", &mut out).action, FrontAction::Read);
    for _ in 0..2 {
        let closed = FrontAction::Close(CloseReason::TooManyErrors);
        assert_eq!(front.advance(b"NOOP\r\n", &mut out).action, closed);
    }
    assert_eq!(out, b"500 5.5.1 Unknown command.\r\n421 4.7.0 Too many errors.\r\n");
}

#[test]
fn too_many_rejections_close_the_session_and_failures_do_not() {
    let settings = FrontSettings { max_auth_errors: 2, ..settings() };
    let auth = format!("AUTH PLAIN {}\r\n", base64(b"\0ann\0secret"));
    let unavailable = Decide::Answer(Answer::Unavailable);
    let login = "[login PLAIN ann: secret]\n";
    session(
        settings,
        &[REJECT, unavailable.clone(), unavailable, REJECT],
        &["EHLO x\r\n", &auth.repeat(4)],
        &format!(
            "{EHLO}{login}535 5.7.8 Authentication failed.\n{}{login}\
             535 5.7.8 Authentication failed.\n421 4.7.0 Too many failed logins.\n\
             [close too-many-auth-errors]\n",
            format!(
                "{login}454 4.7.0 The service is temporarily unavailable; please try again \
                 later.\n"
            )
            .repeat(2)
        ),
    );
}

#[test]
fn browsers_are_sent_away_without_a_word() {
    let request = "POST / HTTP/1.1\r\nHost: a\r\n\r\nEHLO x\r\n";
    let record = "[close http]\nunread: Host: a\\r\\n\\r\\nEHLO x\\r\\n";
    session(settings(), &[], &[request], record);
}

#[test]
fn octets_that_no_command_holds() {
    session(
        settings(),
        &[],
        &["HELP m\u{fc}ller\r\nNOOP \0\r\nNO\rOP\r\nEHLO \0m\u{fc}ller\r\n"],
        &"500 5.5.2 A command is printable ASCII.\n".repeat(4),
    );
}

#[test]
fn lines_are_bounded() {
    let close = |line: &str, reply: &str| {
        let (mut front, mut out) = (Front::new(Arc::new(settings())), Vec::new());
        let advance = front.advance(line.as_bytes(), &mut out);
        assert_eq!(advance.action, FrontAction::Close(CloseReason::TooLong));
        assert_eq!(String::from_utf8(out).unwrap(), reply);
    };
    close(&"x".repeat(2050), "500 5.5.2 This line is too long.\r\n");
    let message = "500 5.5.6 This line of an authentication is too long.\r\n";
    close(&format!("AUTH PLAIN {}", "x".repeat(12_400)), message);

    let (mut front, mut out) = (Front::new(Arc::new(settings())), Vec::new());
    front.advance(b"EHLO x\r\n", &mut out);
    front.advance(b"AUTH PLAIN\r\n", &mut out);
    let advance = front.advance("x".repeat(12_290).as_bytes(), &mut out);
    assert_eq!(advance.action, FrontAction::Close(CloseReason::TooLong));
    assert!(out.ends_with(message.as_bytes()));
}

#[test]
fn the_longest_sasl_line_fits() {
    let token = base64(format!("user=ann\x01auth=Bearer {}\x01\x01", "t".repeat(9191)).as_bytes());
    assert_eq!(token.len(), 12_288);
    for said in [format!("AUTH XOAUTH2 {token}\r\n"), format!("AUTH XOAUTH2\r\n{token}\r\n")] {
        let (mut front, mut out) = (Front::new(Arc::new(settings())), Vec::new());
        front.advance(b"EHLO x\r\n", &mut out);
        let mut rest = said.as_bytes();
        loop {
            let advance = front.advance(rest, &mut out);
            rest = &rest[advance.consumed..];
            match advance.action {
                FrontAction::Read if advance.consumed > 0 => {}
                FrontAction::Login(_) => break,
                action => panic!("{action:?}"),
            }
        }
    }
}

#[test]
fn goodbye_in_any_state() {
    for (why, said) in [
        (Bye::Timeout, "421 4.4.2 You took too long.\r\n"),
        (Bye::Limit("too many connections"), "421 4.7.0 too many connections\r\n"),
        (Bye::Shutdown, "421 4.3.2 The server is shutting down.\r\n"),
    ] {
        let (mut front, mut out) = (Front::new(Arc::new(settings())), Vec::new());
        front.bye(why, &mut out);
        assert_eq!(out, said.as_bytes());
        let advance = front.advance(b"NOOP\r\n", &mut out);
        assert_eq!((advance.consumed, advance.action), (0, FrontAction::Read));
    }
}

#[test]
fn nothing_secret_is_shown() {
    let (mut front, mut out) = (Front::new(Arc::new(settings())), Vec::new());
    front.advance(b"EHLO x\r\n", &mut out);
    let auth = format!("AUTH PLAIN {}\r\n", base64(b"\0ann\0s3cr3t"));
    let advance = front.advance(auth.as_bytes(), &mut out);
    let shown = format!("{front:?} {advance:?} {}", String::from_utf8_lossy(&out));
    assert!(!shown.contains("s3cr3t") && !shown.contains(&base64(b"s3cr3t")), "{shown}");
}

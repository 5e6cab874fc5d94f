//! POP3 as a mail client meets it: whole sessions up to the hand-over, however they are cut.

use std::sync::Arc;

use waypost_model::Encryption;
use waypost_wire::login::{
    Answer, Bye, CloseReason, Credential, FrontAction, FrontSettings, Mechanism, Rejection,
};
use waypost_wire::pop3::Front;

use crate::login::base64;
use crate::login::front::{self as login, Decide};

const ACCEPT: Decide = Decide::Accept("Welcome.");
const REJECT: Decide = Decide::Answer(Answer::Rejected);

fn settings() -> FrontSettings {
    FrontSettings {
        encryption: Encryption::Implicit,
        hostname: Arc::from("mail.example.test"),
        ..FrontSettings::default()
    }
}

#[track_caller]
fn session(settings: FrontSettings, decisions: &[Decide], segments: &[&str], expected: &str) {
    let settings = Arc::new(settings);
    let front = || waypost_wire::Front::Pop3(Front::new(settings.clone()));
    login::session(front, decisions, segments, expected);
}

#[test]
fn the_greeting_names_the_host_and_no_timestamp() {
    let mut out = Vec::new();
    Front::new(Arc::new(settings())).greet(&mut out);
    assert_eq!(out, b"+OK [XCLIENT] mail.example.test ready\r\n");
}

#[test]
fn apop_where_it_is_switched_on() {
    let (mut front, mut out) =
        (Front::new(Arc::new(FrontSettings { apop: true, ..settings() })), Vec::new());
    front.seed(1);
    front.greet(&mut out);
    let timestamp = "<00000000000000000000000000000001.0@mail.example.test>";
    let greeting = format!("+OK [XCLIENT] mail.example.test ready {timestamp}\r\n");
    assert_eq!(String::from_utf8_lossy(&out), greeting);
    let said = b"APOP ann c4c9334bac560ecc979e58001b3e22fb\r\n";
    let FrontAction::Login(credential) = front.advance(said, &mut out).action else { panic!() };
    let Credential::Digest { mechanism: None, user, challenge, .. } = credential else { panic!() };
    assert_eq!((user.as_str(), challenge.as_str()), ("ann", timestamp));
}

#[test]
fn user_and_pass_pipelined_with_what_follows() {
    session(
        settings(),
        &[ACCEPT],
        &["CAPA\r\nuser Ann@a.test\r\nPASS  two words \r\nSTAT\r\nLIST\r\n"],
        "+OK Capabilities follow.\nTOP\nUIDL\nRESP-CODES\nAUTH-RESP-CODE\nPIPELINING\nUSER\n\
         SASL PLAIN LOGIN XOAUTH2 OAUTHBEARER\n.\n+OK\n[login USER Ann@a.test:  two words ]\n\
         +OK Welcome.\nunread: STAT\\r\\nLIST\\r\\n",
    );
}

#[test]
fn lines_may_end_with_lf_alone() {
    session(
        settings(),
        &[ACCEPT],
        &["USER ann\nPASS secret\n"],
        "+OK\n[login USER ann: secret]\n+OK Welcome.\n",
    );
}

#[test]
fn the_session_goes_on_after_a_no() {
    let in_use = Rejection { code: Some("IN-USE".into()), text: "Locked.".into() };
    session(
        settings(),
        &[
            REJECT,
            Decide::Answer(Answer::Denied),
            Decide::Answer(Answer::Unavailable),
            Decide::Answer(Answer::RejectedByBackend(in_use)),
            Decide::Accept(""),
        ],
        &["USER a\r\nPASS 1\r\nUSER b\r\nPASS 2\r\nUSER c\r\nPASS 3\r\nUSER d\r\nPASS 4\r\n\
           USER e\r\nPASS 5\r\n"],
        "+OK\n[login USER a: 1]\n-ERR [AUTH] Authentication failed.\n\
         +OK\n[login USER b: 2]\n-ERR [AUTH] You are not allowed to log in.\n\
         +OK\n[login USER c: 3]\n-ERR [SYS/TEMP] Temporarily unavailable, try again later.\n\
         +OK\n[login USER d: 4]\n-ERR [IN-USE] Locked.\n\
         +OK\n[login USER e: 5]\n+OK Logged in.\n",
    );
}

#[test]
fn user_says_nothing_of_who_exists() {
    // What can be no name, and no password, is refused like a wrong one and nobody is asked.
    let segments =
        ["USER \t\r\nPASS x\r\nUSER a\r\nPASS \r\nUSER a\r\nPASS x\ty\r\nUSER a\r\nPASS\r\n"];
    let refused = "+OK\n-ERR [AUTH] Authentication failed.\n".repeat(4);
    session(settings(), &[], &segments, &refused);
}

#[test]
fn a_password_needs_a_name_and_uses_it_up() {
    session(
        settings(),
        &[REJECT],
        &["PASS x\r\nUSER a\r\nNOOP\r\nPASS x\r\nPASS y\r\n"],
        "-ERR USER first.\n+OK\n+OK\n[login USER a: x]\n-ERR [AUTH] Authentication failed.\n\
         -ERR USER first.\n",
    );
}

#[test]
fn stls_and_what_comes_after_it() {
    let settings = FrontSettings { encryption: Encryption::Starttls, ..settings() };
    session(
        settings,
        &[ACCEPT],
        &[
            "CAPA\r\nUSER ann\r\nPASS secret\r\nAUTH\r\nAUTH PLAIN\r\nSTLS\r\n",
            "PASS secret\r\nSTLS\r\nCAPA\r\nUSER ann\r\nPASS secret\r\n",
        ],
        "+OK Capabilities follow.\nTOP\nUIDL\nRESP-CODES\nAUTH-RESP-CODE\nPIPELINING\nSTLS\n.\n\
         -ERR Passwords are taken over TLS only: use STLS or the TLS port.\n\
         -ERR Passwords are taken over TLS only: use STLS or the TLS port.\n\
         +OK\n.\n\
         -ERR Passwords are taken over TLS only: use STLS or the TLS port.\n\
         +OK Begin TLS.\n[tls]\n\
         -ERR USER first.\n-ERR STLS is not available.\n\
         +OK Capabilities follow.\nTOP\nUIDL\nRESP-CODES\nAUTH-RESP-CODE\nPIPELINING\nUSER\n\
         SASL PLAIN LOGIN XOAUTH2 OAUTHBEARER\n.\n\
         +OK\n[login USER ann: secret]\n+OK Welcome.\n",
    );
}

#[test]
fn a_name_said_before_tls_is_forgotten() {
    let encryption = Encryption::Starttls;
    let settings = FrontSettings { encryption, allow_plaintext: true, ..settings() };
    session(
        settings,
        &[],
        &["USER ann\r\nSTLS\r\n", "PASS secret\r\n"],
        "+OK\n+OK Begin TLS.\n[tls]\n-ERR USER first.\n",
    );
}

#[test]
fn octets_behind_stls_close_the_session() {
    let settings = Arc::new(FrontSettings { encryption: Encryption::Starttls, ..settings() });
    let closed = FrontAction::Close(CloseReason::PlaintextAfterStarttls);

    let (mut front, mut out) = (Front::new(settings.clone()), Vec::new());
    assert_eq!(front.advance(b"STLS\r\nUSER ann\r\n", &mut out).action, closed);
    assert!(out.starts_with(b"-ERR "), "{}", out.escape_ascii());

    // The same when they come while the driver has not started yet.
    let (mut front, mut out) = (Front::new(settings), Vec::new());
    assert_eq!(front.advance(b"STLS\r\n", &mut out).action, FrontAction::StartTls);
    assert_eq!(front.advance(b"", &mut out).action, FrontAction::Read);
    assert_eq!(front.advance(b"U", &mut out).action, closed);
}

#[test]
fn stls_is_refused_where_it_is_not_offered() {
    let settings = FrontSettings { encryption: Encryption::None, ..settings() };
    let refused = "-ERR STLS is not available.\n-ERR Malformed command.\n";
    session(settings, &[], &["STLS\r\nSTLS x\r\n"], refused);
}

#[test]
fn plain_with_and_without_initial_response() {
    let message = base64(b"\0ann@a.test\0secret");
    session(
        settings(),
        &[REJECT, ACCEPT],
        &[&format!("AUTH plain {message}\r\nAUTH PLAIN\r\n{message}\r\nQUIT\r\n")],
        "[login PLAIN ann@a.test: secret]\n-ERR [AUTH] Authentication failed.\n\
         + \n[login PLAIN ann@a.test: secret]\n+OK Welcome.\nunread: QUIT\\r\\n",
    );
}

#[test]
fn an_authorisation_identity_only_where_it_is_allowed() {
    let command = format!("AUTH PLAIN {}\r\n", base64(b"bob\0ann\0secret"));
    let refused = "-ERR [AUTH] Authentication failed.\n";
    session(settings(), &[], &[&command], refused);
    let settings = FrontSettings { allow_authorisation: true, ..settings() };
    let accepted = "[login PLAIN bob by ann: secret]\n+OK Welcome.\n";
    session(settings, &[ACCEPT], &[&command], accepted);
}

#[test]
fn login_asks_twice() {
    let (ann, secret) = (base64(b"ann"), base64(b"secret"));
    session(
        settings(),
        &[REJECT, ACCEPT],
        &[&format!("AUTH LOGIN\r\n{ann}\r\n{secret}\r\nAUTH LOGIN {ann}\r\n{secret}\r\n")],
        "+ VXNlcm5hbWU6\n+ UGFzc3dvcmQ6\n[login LOGIN ann: secret]\n\
         -ERR [AUTH] Authentication failed.\n\
         + UGFzc3dvcmQ6\n[login LOGIN ann: secret]\n+OK Welcome.\n",
    );
}

#[test]
fn a_token_is_relayed_message_by_message() {
    let token = base64(b"n,a=ann@a.test,\x01auth=Bearer x\x01\x01");
    session(
        settings(),
        &[Decide::Challenge(b"{\"status\":\"401\"}"), REJECT, ACCEPT],
        &[&format!("AUTH OAUTHBEARER\r\n{token}\r\nAQ==\r\nAUTH OAUTHBEARER {token}\r\n")],
        "+ \n[login OAUTHBEARER ann@a.test: n,a=ann@a.test,\\x01auth=Bearer x\\x01\\x01]\n\
         + eyJzdGF0dXMiOiI0MDEifQ==\n[response \\x01]\n-ERR [AUTH] Authentication failed.\n\
         [login OAUTHBEARER ann@a.test: n,a=ann@a.test,\\x01auth=Bearer x\\x01\\x01]\n\
         +OK Welcome.\n",
    );
}

#[test]
fn a_relayed_exchange_can_be_given_up() {
    let token = base64(b"user=ann\x01auth=Bearer x\x01\x01");
    session(
        settings(),
        &[Decide::Challenge(b""), REJECT, Decide::Challenge(b""), REJECT],
        &[&format!("AUTH XOAUTH2 {token}\r\n*\r\nAUTH XOAUTH2 {token}\r\n?\r\nNOOP\r\n")],
        "[login XOAUTH2 ann: user=ann\\x01auth=Bearer x\\x01\\x01]\n\
         + \n[response cancelled]\n-ERR Authentication cancelled.\n\
         [login XOAUTH2 ann: user=ann\\x01auth=Bearer x\\x01\\x01]\n\
         + \n[response cancelled]\n-ERR This is not base64.\n+OK\n",
    );
}

#[test]
fn exchanges_that_come_to_nothing() {
    session(
        settings(),
        &[],
        &["AUTH PLAIN\r\n*\r\nAUTH PLAIN\r\nnot base64\r\nAUTH PLAIN AQ==\r\nAUTH PLAIN =\r\n\
           AUTH PLAIN a\r\nAUTH CRAM-MD5\r\nNOOP\r\n"],
        "+ \n-ERR Authentication cancelled.\n+ \n-ERR This is not base64.\n\
         -ERR This is not a message of that mechanism.\n\
         -ERR This is not a message of that mechanism.\n\
         -ERR This is not base64.\n-ERR Unknown mechanism.\n+OK\n",
    );
}

#[test]
fn auth_alone_lists_the_mechanisms() {
    let mechanisms = vec![Mechanism::Plain, Mechanism::OauthBearer];
    let settings = FrontSettings { mechanisms, ..settings() };
    let listed = "+OK\nPLAIN\nOAUTHBEARER\n.\n-ERR Unknown mechanism.\n";
    session(settings, &[], &["AUTH\r\nAUTH LOGIN\r\n"], listed);
}

#[test]
fn what_stands_behind_quit_is_of_no_interest() {
    let closed = "+OK Goodbye.\n[close logout]\nunread: STAT\\r\\n";
    session(settings(), &[], &["QUIT\r\nSTAT\r\n"], closed);
}

#[test]
fn too_many_errors_close_the_session() {
    let settings = FrontSettings { max_errors: 3, ..settings() };
    session(
        settings,
        &[],
        &["XTND XMIT\r\nSTAT\r\nNOOP\r\n\r\n"],
        "-ERR Unknown command.\n-ERR Log in first.\n+OK\n-ERR Unknown command.\n\
         [close too-many-errors]\n",
    );
}

#[test]
fn too_many_rejections_close_the_session_and_failures_do_not() {
    let settings = FrontSettings { max_auth_errors: 2, ..settings() };
    let unavailable = Decide::Answer(Answer::Unavailable);
    session(
        settings,
        &[unavailable.clone(), unavailable.clone(), unavailable, REJECT, REJECT],
        &[&"USER a\r\nPASS b\r\n".repeat(5)],
        &("+OK\n[login USER a: b]\n-ERR [SYS/TEMP] Temporarily unavailable, try again later.\n"
            .repeat(3)
            + &"+OK\n[login USER a: b]\n-ERR [AUTH] Authentication failed.\n".repeat(2)
            + "[close too-many-auth-errors]\n"),
    );
}

#[test]
fn browsers_are_sent_away_without_a_word() {
    for line in ["GET / HTTP/1.1", "POST /a HTTP/1.1", "OPTIONS * HTTP/1.1"] {
        session(settings(), &[], &[&format!("{line}\r\n")], "[close http]\n");
    }
}

#[test]
fn lines_are_bounded_by_their_verb() {
    let fits = |line: String| {
        let (mut front, mut out) = (Front::new(Arc::new(settings())), Vec::new());
        front.advance(b"USER a\r\n", &mut out);
        let whole = front.advance(format!("{line}\r\n").as_bytes(), &mut out);

        // The same is found before the end has come, one octet later at most.
        let mut front = Front::new(Arc::new(settings()));
        let early = front.advance(format!("{line}xx").as_bytes(), &mut out);
        let too_long = FrontAction::Close(CloseReason::TooLong);
        assert!(whole.action != too_long || early.action == too_long, "{}", line.len());
        whole.action != too_long
    };
    for (start, longest) in
        [("NOOP", 253), ("USER ", 1029), ("PASS ", 4101), ("AUTH PLAIN ", 12_352)]
    {
        let line = |len: usize| format!("{start}{}", "x".repeat(len - start.len()));
        assert!(fits(line(longest)), "{start}");
        assert!(!fits(line(longest + 1)), "{start}");
    }
}

#[test]
fn the_longest_sasl_line_fits() {
    let (start, end) = ("user=ann\x01auth=Bearer ", "\x01\x01");
    let token = "x".repeat(9216 - start.len() - end.len());
    let message = base64(format!("{start}{token}{end}").as_bytes());
    assert_eq!(message.len(), 12_288);
    let (mut front, mut out) = (Front::new(Arc::new(settings())), Vec::new());
    front.advance(b"AUTH XOAUTH2\r\n", &mut out);
    let action = front.advance(format!("{message}\r\n").as_bytes(), &mut out).action;
    assert!(matches!(action, FrontAction::Login(_)), "{action:?}");
}

#[test]
fn goodbye_in_any_state() {
    for (why, said) in [
        (Bye::Timeout, "-ERR [SYS/TEMP] You took too long.\r\n"),
        (Bye::Limit("Too many sessions."), "-ERR [SYS/TEMP] Too many sessions.\r\n"),
        (Bye::Shutdown, "-ERR [SYS/TEMP] The server is shutting down.\r\n"),
    ] {
        let (mut front, mut out) = (Front::new(Arc::new(settings())), Vec::new());
        front.bye(why, &mut out);
        assert_eq!(out, said.as_bytes());
        assert_eq!(front.advance(b"QUIT\r\n", &mut out).consumed, 0);
    }
}

#[test]
fn nothing_secret_is_shown() {
    let (mut front, mut out) = (Front::new(Arc::new(settings())), Vec::new());
    front.advance(b"USER ann\r\n", &mut out);
    let action = front.advance(b"PASS hunter2\r\n", &mut out).action;
    assert!(!format!("{front:?} {action:?}").contains("hunter2"));
    assert!(!out.escape_ascii().to_string().contains("hunter2"));
}

//! Submission as a back end meets it: whole logins, however the replies are cut.

use std::sync::Arc;

use waypost_model::{Encryption, Secret};
use waypost_wire::login::{
    BackAction, BackFailure, BackSettings, ClientIdentity, Credential, Mechanism, SaslResponse,
};
use waypost_wire::smtp::submission::Back;

use crate::login::back::{self, Login, login, token};
use crate::login::base64;

fn ann() -> Credential {
    password(None, "secret")
}

fn password(by: Option<&str>, password: &str) -> Credential {
    back::password(Some(Mechanism::Login), by, password)
}

fn settings(encryption: Encryption) -> BackSettings {
    BackSettings {
        ttl: None,
        encryption,
        client: None,
        hostname: Arc::from("mx.test"),
        hello: Some(Arc::from("ann.test")),
    }
}

fn plain() -> BackSettings {
    settings(Encryption::None)
}

fn telling() -> BackSettings {
    let client = ClientIdentity {
        client: "[2001:db8::7]:50123".parse().unwrap(),
        local: "198.51.100.1:587".parse().unwrap(),
        session: Arc::from("s-1"),
        ttl: 7,
    };
    BackSettings { client: Some(client), ..plain() }
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
    let back = || waypost_wire::Back::Submission(Back::new(settings.clone()));
    back::relayed(back, login, responses, replies, expected);
}

const GREETING: &str = "220 mx ESMTP\r\n";
const ALL: &str = "250-mx\r\n250-PIPELINING\r\n250-AUTH LOGIN PLAIN XOAUTH2\r\n250 8BITMIME\r\n";

#[test]
fn plain_and_what_follows_the_login() {
    session(
        &plain(),
        &login(ann()),
        &[GREETING, ALL, "235-2.7.0 Welcome\r\n235 2.7.0 back\r\n250 early\r\n"],
        &format!(
            "EHLO ann.test\n[ready]\nAUTH PLAIN {}\n[accepted Welcome back]\n\
             unread: 250 early\\r\\n",
            base64("\0ann\0secret")
        ),
    );
}

#[test]
fn login_where_nothing_else_is_offered() {
    session(
        &plain(),
        &login(ann()),
        &[GREETING, "250-mx\r\n250 AUTH=LOGIN\r\n", "334 VXNlcm5hbWU6\r\n", "334\r\n", "235 \r\n"],
        &format!(
            "EHLO ann.test\n[ready]\nAUTH LOGIN\n{}\n{}\n[accepted ]\n",
            base64("ann"),
            base64("secret")
        ),
    );
    // Whoever lets a client in before it has said its password did not mean this client.
    session(
        &plain(),
        &login(ann()),
        &[GREETING, "250-mx\r\n250 AUTH LOGIN\r\n", "235 in\r\n"],
        "EHLO ann.test\n[ready]\nAUTH LOGIN\n\
         [failed the back end does not speak the protocol: the answer to a login was expected]\n",
    );
    // LOGIN cannot say in whose name to act.
    session(
        &plain(),
        &login(password(Some("bob"), "secret")),
        &[GREETING, "250-mx\r\n250 AUTH LOGIN\r\n"],
        "EHLO ann.test\n[ready]\n[failed the back end does not offer PLAIN, and no other way fits]\n",
    );
}

#[test]
fn a_mechanism_that_is_missing_shows_before_the_credential() {
    for capabilities in ["250 mx\r\n", "250-mx\r\n250 AUTH SCRAM-SHA-1\r\n"] {
        session(
            &plain(),
            &login(ann()),
            &[GREETING, capabilities],
            "EHLO ann.test\n[ready]\n\
             [failed the back end does not offer PLAIN, and no other way fits]\n",
        );
    }
    session(
        &plain(),
        &login(token()),
        &[GREETING, "250-mx\r\n250 AUTH PLAIN OAUTHBEARER\r\n"],
        "EHLO ann.test\n[ready]\n\
         [failed the back end does not offer XOAUTH2, and no other way fits]\n",
    );
}

#[test]
fn the_routes_identity_logs_in() {
    let login = Login { credential: ann(), identity: Some("ann@intern.test") };
    session(
        &plain(),
        &login,
        &[GREETING, ALL, "235 Ok\r\n"],
        &format!(
            "EHLO ann.test\n[ready]\nAUTH PLAIN {}\n[accepted Ok]\n",
            base64("\0ann@intern.test\0secret")
        ),
    );
    let login =
        Login { credential: password(Some("bob"), "secret"), identity: Some("ann@intern.test") };
    session(
        &plain(),
        &login,
        &[GREETING, ALL, "235 Ok\r\n"],
        &format!(
            "EHLO ann.test\n[ready]\nAUTH PLAIN {}\n[accepted Ok]\n",
            base64("ann@intern.test\0bob\0secret")
        ),
    );
    let login = Login { credential: token(), identity: Some("ann@intern.test") };
    session(
        &plain(),
        &login,
        &[GREETING, ALL, "235 Ok\r\n"],
        &format!(
            "EHLO ann.test\n[ready]\nAUTH XOAUTH2 {}\n[accepted Ok]\n",
            base64("user=ann@intern.test\x01auth=Bearer x\x01\x01")
        ),
    );
    let login = Login { credential: ann(), identity: Some("ann\r\nQUIT") };
    session(
        &plain(),
        &login,
        &[GREETING, ALL],
        "EHLO ann.test\n[ready]\n\
         [failed the name to log in with holds what this protocol cannot carry]\n",
    );
}

#[test]
fn a_message_too_long_for_its_command_follows_it() {
    let credential = |length: usize| password(None, &"x".repeat(length));
    // `AUTH PLAIN ` and 496 octets of base64 make 507; three octets more are too many.
    let message = base64(format!("\0ann\0{}", "x".repeat(367)));
    session(
        &plain(),
        &login(credential(367)),
        &[GREETING, ALL, "235 Ok\r\n"],
        &format!("EHLO ann.test\n[ready]\nAUTH PLAIN {message}\n[accepted Ok]\n"),
    );
    let message = base64(format!("\0ann\0{}", "x".repeat(368)));
    session(
        &plain(),
        &login(credential(368)),
        &[GREETING, ALL, "334 \r\n", "235 Ok\r\n"],
        &format!("EHLO ann.test\n[ready]\nAUTH PLAIN\n{message}\n[accepted Ok]\n"),
    );
}

#[test]
fn a_token_is_relayed_message_by_message() {
    let message = base64("user=ann\x01auth=Bearer x\x01\x01");
    relayed(
        &plain(),
        &login(token()),
        &[SaslResponse::Data(Secret::from("\x01"))],
        &[GREETING, ALL, "334 eyJzdGF0dXMiOiI0MDEifQ==\r\n", "535 5.7.8 no\r\n"],
        &format!(
            "EHLO ann.test\n[ready]\nAUTH XOAUTH2 {message}\n[challenge {{\\\"status\\\":\\\"401\\\"}}]\n\
             AQ==\n[rejected - no]\n"
        ),
    );
    relayed(
        &plain(),
        &login(token()),
        &[SaslResponse::Cancel],
        &[GREETING, ALL, "334 AQ==\r\n", "501 5.7.0 cancelled\r\n"],
        &format!(
            "EHLO ann.test\n[ready]\nAUTH XOAUTH2 {message}\n[challenge \\x01]\n*\n\
             [failed the back end does not understand the login: cancelled]\n"
        ),
    );
    // What stands inside of another reply is no challenge.
    session(
        &plain(),
        &login(token()),
        &[GREETING, ALL, "535-no\r\n334 AQ==\r\n"],
        &format!(
            "EHLO ann.test\n[ready]\nAUTH XOAUTH2 {message}\n\
             [failed the back end does not speak the protocol: a reply was expected]\n"
        ),
    );
    // A challenge beyond any reply's text.
    let challenge = base64("c".repeat(9000));
    relayed(
        &plain(),
        &login(token()),
        &[SaslResponse::Data(Secret::default())],
        &[GREETING, ALL, &format!("334 {challenge}\r\n"), "235 Ok\r\n"],
        &format!(
            "EHLO ann.test\n[ready]\nAUTH XOAUTH2 {message}\n[challenge {}]\n\n[accepted Ok]\n",
            "c".repeat(9000)
        ),
    );
}

#[test]
fn what_the_answer_to_a_login_means() {
    let end = |reply: &str, end: &str| {
        session(
            &plain(),
            &login(ann()),
            &[GREETING, ALL, reply],
            &format!("EHLO ann.test\n[ready]\nAUTH PLAIN {}\n[{end}]\n", base64("\0ann\0secret")),
        );
    };
    end("535 5.7.8 Error: authentication failed\r\n", "rejected - Error: authentication failed");
    end("535-5.7.139 a\r\n535 5.7.139 b\r\n", "rejected - a b");
    end("534 5.7.9 Too weak.\r\n", "rejected 534 5.7.9 Too weak.");
    end("550 Account locked\r\n", "rejected 550 Account locked");
    end("454 4.7.0 later\r\n", "failed the back end is temporarily unavailable: later");
    end("432 4.7.12 change it\r\n", "failed the back end is temporarily unavailable: change it");
    end("421 4.3.2 bye\r\n", "failed the back end says goodbye: bye");
    end("530 5.7.0 TLS\r\n", "failed the back end wants TLS before a login: TLS");
    end("538 5.7.11 TLS\r\n", "failed the back end wants TLS before a login: TLS");
    for code in ["500", "502", "504"] {
        let failed = "failed the back end does not offer PLAIN, and no other way fits";
        end(&format!("{code} 5.5.4 what?\r\n"), failed);
    }
    end("501 5.5.2 what?\r\n", "failed the back end does not understand the login: what?");
    end("503 5.5.1 what?\r\n", "failed the back end does not understand the login: what?");
    for other in ["250 2.0.0 Ok\r\n", "334 \r\n", "354 go\r\n"] {
        let failed =
            "failed the back end does not speak the protocol: the answer to a login was expected";
        end(other, failed);
    }
    end("235x\r\n", "failed the back end does not speak the protocol: a reply was expected");
    end(
        "535-a\r\n235 b\r\n",
        "failed the back end does not speak the protocol: a reply was expected",
    );
}

#[test]
fn starttls_comes_before_everything() {
    session(
        &settings(Encryption::Starttls),
        &login(ann()),
        &[
            GREETING,
            "250-mx\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n",
            "220 go\r\n",
            ALL,
            "235 Ok\r\n",
        ],
        &format!(
            "EHLO mx.test\nSTARTTLS\n[tls]\nEHLO ann.test\n[ready]\nAUTH PLAIN {}\n[accepted Ok]\n",
            base64("\0ann\0secret")
        ),
    );
    // What was offered in clear counts no more.
    session(
        &settings(Encryption::Starttls),
        &login(ann()),
        &[GREETING, "250-mx\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n", "220 go\r\n", "250 mx\r\n"],
        "EHLO mx.test\nSTARTTLS\n[tls]\nEHLO ann.test\n[ready]\n\
         [failed the back end does not offer PLAIN, and no other way fits]\n",
    );
    session(
        &settings(Encryption::Starttls),
        &login(ann()),
        &[GREETING, ALL],
        "EHLO mx.test\n[failed the back end does not offer STARTTLS]\n",
    );
    session(
        &settings(Encryption::Starttls),
        &login(ann()),
        &[GREETING, "250-mx\r\n250 STARTTLS\r\n", "454 4.7.0 no\r\n"],
        "EHLO mx.test\nSTARTTLS\n[failed the back end refuses to start TLS: 454 4.7.0 no]\n",
    );
}

#[test]
fn octets_behind_the_agreement_to_start_tls_fail_the_target() {
    let mut back = Back::new(settings(Encryption::Starttls));
    let mut out = Vec::new();
    for reply in [GREETING, "250-mx\r\n", "250 STARTTLS\r\n"] {
        back.advance(reply.as_bytes(), &mut out);
    }
    assert_eq!(
        back.advance(b"220 go\r\n235 Ok\r\n", &mut out).action,
        BackAction::Failed(BackFailure::PlaintextAfterStarttls)
    );
}

#[test]
fn xclient_where_it_is_offered() {
    let offered = "250-mx\r\n250 XCLIENT NAME ADDR PORT PROTO HELO SESSION TTL\r\n";
    let told = "XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::7 PORT=50123 PROTO=ESMTP \
                SESSION=s-1 TTL=7 HELO=ann.test";
    let auth = format!("[ready]\nAUTH PLAIN {}\n[accepted Ok]\n", base64("\0ann\0secret"));
    session(
        &telling(),
        &login(ann()),
        &[GREETING, offered, "220 mx\r\n", ALL, "235 Ok\r\n"],
        &format!("EHLO ann.test\n{told}\nEHLO ann.test\n{auth}"),
    );
    session(
        &telling(),
        &login(ann()),
        &[GREETING, ALL, "235 Ok\r\n"],
        &format!("EHLO ann.test\n{auth}"),
    );
}

#[test]
fn a_name_that_is_of_no_use_is_not_said() {
    for hello in [None, Some("a b"), Some("Ann's"), Some("x\r\nQUIT"), Some("[1]")] {
        let settings = BackSettings { hello: hello.map(Arc::from), ..plain() };
        let expected = format!("EHLO mx.test\n[ready]\nAUTH PLAIN {}\n", base64("\0ann\0secret"));
        session(&settings, &login(ann()), &[GREETING, ALL], &expected);
    }
    // Nor one that the back end refuses; where it refuses both there is no login.
    session(
        &plain(),
        &login(ann()),
        &[GREETING, "550 5.7.1 who?\r\n", "550 5.7.1 who?\r\n"],
        "EHLO ann.test\nEHLO mx.test\n[failed the back end refuses EHLO: 550 5.7.1 who?]\n",
    );
    session(
        &plain(),
        &login(ann()),
        &[GREETING, "502 what?\r\n", "502 what?\r\n"],
        "EHLO ann.test\nEHLO mx.test\n[failed the back end refuses EHLO: 502 what?]\n",
    );
}

#[test]
fn a_greeting_that_is_none_fails_the_target() {
    for (greeting, failure) in [
        ("554 5.7.1 no\r\n", "the back end says goodbye: 554 5.7.1 no"),
        ("421 4.3.2 no\r\n", "the back end says goodbye: 421 4.3.2 no"),
        ("250 mx\r\n", "the back end does not speak the protocol: another reply was expected"),
        ("220mx\r\n", "the back end does not speak the protocol: a reply was expected"),
    ] {
        session(&plain(), &login(ann()), &[greeting], &format!("[failed {failure}]\n"));
    }
}

#[test]
fn a_reply_that_nobody_asked_for_fails_the_target_before_the_password() {
    let failed = BackAction::Failed(BackFailure::EarlyReply);
    let ready = |capabilities: &[u8]| {
        let (mut back, mut out) = (Back::new(plain()), Vec::new());
        back.advance(GREETING.as_bytes(), &mut out);
        back.advance(b"250-mx\r\n", &mut out);
        assert_eq!(back.advance(capabilities, &mut out).action, BackAction::Ready);
        back
    };
    let mut out = Vec::new();
    let mut back = ready(b"250 AUTH PLAIN\r\n");
    assert_eq!(back.advance(b"2", &mut out).action, failed);
    assert_eq!(back.login(&ann(), None, &mut out), Err(BackFailure::EarlyReply));

    let mut back = Back::new(plain());
    assert_eq!(back.advance(b"220 mx\r\n250 AUTH PLAIN\r\n", &mut out).action, failed);
    assert!(out.is_empty());

    let mut back = ready(b"250 AUTH LOGIN\r\n");
    back.login(&ann(), None, &mut out).unwrap();
    out.clear();
    assert_eq!(back.advance(b"334 \r\n334 \r\n", &mut out).action, failed);
    assert!(out.is_empty());
}

#[test]
fn endless_replies_are_bounded() {
    let (mut back, mut out) = (Back::new(plain()), Vec::new());
    back.advance(GREETING.as_bytes(), &mut out);
    back.advance(b"250-mx\r\n", &mut out);
    back.advance(b"250 AUTH XOAUTH2\r\n", &mut out);
    back.login(&token(), None, &mut out).unwrap();
    let long = format!("334 {}", "A".repeat(12_300));
    assert_eq!(
        back.advance(long.as_bytes(), &mut out).action,
        BackAction::Failed(BackFailure::TooLong)
    );
}

#[test]
fn nothing_secret_is_shown() {
    let (mut back, mut out) = (Back::new(plain()), Vec::new());
    back.advance(GREETING.as_bytes(), &mut out);
    back.advance(b"250-mx\r\n", &mut out);
    back.advance(b"250 AUTH LOGIN\r\n", &mut out);
    back.login(&password(None, "s3cr3t"), None, &mut out).unwrap();
    assert!(!format!("{back:?}").contains("s3cr3t"));
}

#[test]
fn login_waits_for_ready() {
    let mut out = Vec::new();
    let result = Back::new(plain()).login(&ann(), None, &mut out);
    assert_eq!((result, out.len()), (Err(BackFailure::EarlyReply), 0));
}

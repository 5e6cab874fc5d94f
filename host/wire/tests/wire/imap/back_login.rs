//! What goes to back ends, by the credential and by what they offer.

use waypost_model::{Encryption, Secret};
use waypost_wire::login::{BackSettings, ClientIdentity, Credential, Mechanism};

use super::back::{ann, clear, password};
use super::transcript::{Login, back, octets};

fn told() -> BackSettings {
    let client = ClientIdentity {
        client: "[::ffff:192.0.2.7]:4711".parse().unwrap(),
        local: "[2001:db8::1]:993".parse().unwrap(),
        session: "s\"1\r\n".into(),
        ttl: 6,
    };
    BackSettings { encryption: Encryption::None, client: Some(client), ..BackSettings::default() }
}

fn token(mechanism: Mechanism, message: &str) -> Login {
    let credential = Credential::Token {
        mechanism,
        user: "ann".into(),
        initial_response: Secret::new(octets(message)),
    };
    Login { credential, identity: None }
}

fn xoauth2() -> Login {
    token(Mechanism::XOauth2, "user=ann\u{1}auth=Bearer x\u{1}\u{1}")
}

#[test]
fn strings_go_as_the_back_end_takes_them() {
    let odd = password("j\u{f6}rg", None, "\u{e4}\u{80}\"");
    for (literal, plus) in [("LITERAL+", "+"), ("LITERAL-", "+"), ("IMAP4rev2", "+"), ("", "")] {
        let mut script = vec![
            format!("S: * OK [CAPABILITY IMAP4rev1 {literal}] hi"),
            "A: ready".into(),
            format!("C: W4 LOGIN {{5{plus}}}"),
        ];
        script.extend(plus.is_empty().then(|| "S: + go".to_owned()));
        script.push(format!("C: j\u{c3}\u{b6}rg {{3{plus}}}"));
        script.extend(plus.is_empty().then(|| "S: +".to_owned()));
        script.push("C: \u{e4}\u{80}\"".into());
        script.push("S: W4 OK [CAPABILITY IMAP4rev1] in".into());
        script.push("A: accepted IMAP4rev1 | in".into());
        back(&clear(), &odd, &script.iter().map(String::as_str).collect::<Vec<_>>());
    }
    back(
        &clear(),
        &password("a\\b", None, "\" {3}"),
        &[
            "S: * OK [CAPABILITY IMAP4rev1] hi",
            "A: ready",
            r#"C: W4 LOGIN "a\\b" "\" {3}""#,
            "S: W4 NO no",
            "A: rejected - | no",
        ],
    );
    // LITERAL- has its limit.
    let long = "x".repeat(4097);
    back(
        &clear(),
        &password("ann", None, &long),
        &[
            "S: * OK [CAPABILITY IMAP4rev1 LITERAL-] hi",
            "A: ready",
            r#"C: W4 LOGIN "ann" {4097}"#,
            "S: W4 NO [TOOBIG] no",
            "A: rejected TOOBIG | no",
        ],
    );
    // Nobody is let in who has not said the password.
    back(
        &clear(),
        &password("ann", None, "\u{e4}"),
        &[
            "S: * OK [CAPABILITY IMAP4rev1] hi",
            "A: ready",
            r#"C: W4 LOGIN "ann" {1}"#,
            "S: W4 OK in",
            "A: failed early-reply",
        ],
    );
}

#[test]
fn a_route_may_say_another_name() {
    let named = |login: Login| Login { identity: Some("ann=1@x"), ..login };
    let greeting =
        "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER] hi";
    for (login, command) in [
        (ann(), r#"LOGIN "ann=1@x" "secret""#),
        (password("ann", Some("bob"), "secret"), "AUTHENTICATE PLAIN YW5uPTFAeABhbm4Ac2VjcmV0"),
        (xoauth2(), "AUTHENTICATE XOAUTH2 dXNlcj1hbm49MUB4AWF1dGg9QmVhcmVyIHgBAQ=="),
        (
            token(Mechanism::OauthBearer, "n,a=ann,\u{1}auth=Bearer x\u{1}\u{1}"),
            "AUTHENTICATE OAUTHBEARER bixhPWFubj0zRDFAeCwBYXV0aD1CZWFyZXIgeAEB",
        ),
    ] {
        back(
            &clear(),
            &named(login),
            &[
                greeting,
                "A: ready",
                &format!("C: W4 {command}"),
                "S: W4 NO no",
                "A: rejected - | no",
            ],
        );
    }
    for identity in ["", "a\0b", "a\r\nb"] {
        back(
            &clear(),
            &Login { identity: Some(identity), ..ann() },
            &[greeting, "A: ready", "A: failed name"],
        );
    }
}

#[test]
fn an_authorisation_identity_goes_with_plain() {
    let bob = password("ann", Some("bob"), "secret");
    back(
        &clear(),
        &bob,
        &[
            "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi",
            "A: ready",
            "C: W4 AUTHENTICATE PLAIN Ym9iAGFubgBzZWNyZXQ=",
            "S: W4 OK [CAPABILITY IMAP4rev1] in",
            "A: accepted IMAP4rev1 | in",
        ],
    );
    back(
        &clear(),
        &bob,
        &["S: * OK [CAPABILITY IMAP4rev1] hi", "A: ready", "A: failed mechanism-not-offered"],
    );
    back(
        &clear(),
        &ann(),
        &[
            "S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=LOGIN] hi",
            "A: ready",
            "A: failed mechanism-not-offered",
        ],
    );
    back(
        &clear(),
        &bob,
        &[
            "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi",
            "A: ready",
            "C: W4 AUTHENTICATE PLAIN",
            "S: + ",
            "C: Ym9iAGFubgBzZWNyZXQ=",
            "S: + again",
            "A: failed protocol",
        ],
    );
}

#[test]
fn tokens_are_relayed() {
    back(
        &clear(),
        &xoauth2(),
        &[
            "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi",
            "A: ready",
            "C: W4 AUTHENTICATE XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgeAEB",
            "S: + eyJzdGF0dXMiOiI0MDAifQ==",
            "A: challenge {\"status\":\"400\"}",
            "D: respond ",
            "C: ",
            "S: W4 NO no",
            "A: rejected - | no",
        ],
    );
    back(
        &clear(),
        &xoauth2(),
        &[
            "S: * OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] hi",
            "A: ready",
            "C: W4 AUTHENTICATE XOAUTH2",
            "S: +",
            "C: dXNlcj1hbm4BYXV0aD1CZWFyZXIgeAEB",
            "S: +e30=",
            "A: challenge {}",
            "D: respond \u{1}",
            "C: AQ==",
            "S: + ",
            "A: challenge ",
            "D: cancel",
            "C: *",
            "S: W4 BAD cancelled",
            "A: rejected - | cancelled",
        ],
    );
    let challenged = &[
        "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi",
        "A: ready",
        "C: W4 AUTHENTICATE XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgeAEB",
    ];
    let cancelled = &["S: + e30=", "A: challenge {}", "D: cancel", "C: *"];
    for rest in [
        &["S: + not base64", "A: failed protocol"][..],
        &[cancelled, &["S: W4 OK in", "A: failed early-reply"][..]].concat(),
        &[cancelled, &["S: + e30=", "A: failed protocol"][..]].concat(),
        &[cancelled, &["S: W4 NO [UNAVAILABLE] x", "A: failed temporary"][..]].concat(),
    ] {
        back(&clear(), &xoauth2(), &[challenged, rest].concat());
    }
    back(
        &clear(),
        &xoauth2(),
        &[
            "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi",
            "A: ready",
            "A: failed mechanism-not-offered",
        ],
    );
}

#[test]
fn a_token_too_long_for_a_command_comes_behind_it() {
    let message = format!("user=ann\u{1}auth=Bearer {}\u{1}\u{1}", "x".repeat(7000));
    let mut encoded = Vec::new();
    waypost_wire::sasl::encode(message.as_bytes(), &mut encoded);
    back(
        &clear(),
        &token(Mechanism::XOauth2, &message),
        &[
            "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] hi",
            "A: ready",
            "C: W4 AUTHENTICATE XOAUTH2",
            "S: + ",
            &format!("C: {}", String::from_utf8(encoded).unwrap()),
            "S: W4 OK [CAPABILITY IMAP4rev1] in",
            "A: accepted IMAP4rev1 | in",
        ],
    );
}

#[test]
fn the_client_is_named_where_the_back_end_hears_it() {
    let id = concat!(
        r#"C: W3 ID ("x-originating-ip" "192.0.2.7" "x-originating-port" "4711" "x-connected-ip" "2001:db8::1" "#,
        r#""x-connected-port" "993" "x-session-id" "s\"1??" "x-proxy-ttl" "6")"#,
    );
    for reply in ["S: W3 OK", "S: W3 BAD what?", "S: W3 NO [X] no"] {
        back(
            &told(),
            &ann(),
            &[
                "S: * OK [CAPABILITY IMAP4rev1 ID] hi",
                "A: ready",
                id,
                r#"C: W4 LOGIN "ann" "secret""#,
                "S: * ID (\"name\" {7}",
                "S: Dovecot)",
                reply,
                "S: * 1 EXISTS",
                "S: W4 OK [CAPABILITY IMAP4rev1] in",
                "A: pass on * 1 EXISTS",
                "A: accepted IMAP4rev1 | in",
            ],
        );
    }
    back(
        &told(),
        &ann(),
        &[
            "S: * OK [CAPABILITY IMAP4rev1] hi",
            "A: ready",
            r#"C: W4 LOGIN "ann" "secret""#,
            "S: * ID NIL",
            "S: W4 NO no",
            "A: rejected - | no",
        ],
    );
    back(
        &told(),
        &ann(),
        &[
            "S: * OK [CAPABILITY IMAP4rev1 ID] hi",
            "A: ready",
            id,
            r#"C: W4 LOGIN "ann" "secret""#,
            "S: W4 OK in",
            "A: failed early-reply",
        ],
    );
}

//! Whole dialogues with back ends.

use waypost_model::{Encryption, Secret};
use waypost_wire::login::{BackSettings, ClientIdentity, Credential, Mechanism};

use crate::transcript::{Login, back, octets};

fn clear() -> BackSettings {
    BackSettings { encryption: Encryption::None, client: None }
}

fn starttls() -> BackSettings {
    BackSettings { encryption: Encryption::Starttls, client: None }
}

fn told() -> BackSettings {
    let client = ClientIdentity {
        client: "[::ffff:192.0.2.7]:4711".parse().unwrap(),
        local: "[2001:db8::1]:993".parse().unwrap(),
        session: "s\"1\r\n".into(),
        ttl: 6,
    };
    BackSettings { encryption: Encryption::None, client: Some(client) }
}

fn password(user: &str, authorisation: Option<&str>, password: &str) -> Login {
    let credential = Credential::Password {
        mechanism: None,
        authentication_id: user.into(),
        authorisation_id: authorisation.map(str::to_owned),
        password: Secret::new(octets(password)),
    };
    Login { credential, identity: None }
}

fn ann() -> Login {
    password("ann", None, "secret")
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

/// A dialogue up to LOGIN, then `rest`.
#[track_caller]
fn logging_in(rest: &[&str]) {
    let mut script =
        vec!["S: * OK [CAPABILITY IMAP4rev1] hi", "A: ready", r#"C: W4 LOGIN "ann" "secret""#];
    script.extend(rest);
    back(&clear(), &ann(), &script);
}

#[test]
fn the_ordinary_login() {
    back(
        &clear(),
        &ann(),
        &[
            "S: * OK [CAPABILITY IMAP4rev1 LITERAL+ AUTH=PLAIN] Dovecot ready.",
            "A: ready",
            r#"C: W4 LOGIN "ann" "secret""#,
            "S: W4 OK [CAPABILITY IMAP4rev1 LITERAL+ AUTH=PLAIN SASL-IR STARTTLS IDLE UNAUTHENTICATE] Logged in",
            "A: accepted IMAP4rev1 LITERAL+ IDLE | Logged in",
        ],
    );
}

#[test]
fn capabilities_are_asked_for_where_nobody_says_them() {
    back(
        &clear(),
        &ann(),
        &[
            "S: * OK hi",
            "C: W2 CAPABILITY",
            "S: * CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN",
            "S: * OK still here",
            "S: W2 OK done",
            "A: ready",
            "C: W4 AUTHENTICATE PLAIN",
            "S: +",
            "C: AGFubgBzZWNyZXQ=",
            "S: W4 OK",
            "C: W5 CAPABILITY",
            "S: * CAPABILITY IMAP4rev1 IDLE LOGINDISABLED",
            "S: W5 OK done",
            "A: accepted IMAP4rev1 IDLE | ",
        ],
    );
    back(
        &clear(),
        &ann(),
        &[
            "S: * OK hi",
            "C: W2 CAPABILITY",
            "S: W2 OK [CAPABILITY IMAP4rev1] done",
            "A: ready",
            r#"C: W4 LOGIN "ann" "secret""#,
            "S: W4 OK in",
            "C: W5 CAPABILITY",
            "S: * 1 EXISTS",
            "S: W5 BAD what?",
            "A: pass on * 1 EXISTS",
            "A: accepted - | in",
        ],
    );
}

#[test]
fn untagged_responses_to_the_login_are_kept() {
    logging_in(&[
        "S: * CAPABILITY IMAP4rev1 IDLE",
        "S: * OK [ALERT] Maintenance {3}",
        "S: * X ({3}",
        "S: a\r\n y)",
        "S: * 5 EXISTS",
        "S: W4 OK [READ-WRITE] in",
        "A: pass on * OK [ALERT] Maintenance {3}",
        "A: pass on * X ({3}",
        "A: pass on a",
        "A: pass on  y)",
        "A: pass on * 5 EXISTS",
        "A: pass on * OK [READ-WRITE] in",
        "A: accepted IMAP4rev1 IDLE | in",
    ]);
    // What stands behind the login is the relay's.
    logging_in(&[
        "S: W4 OK [CAPABILITY IMAP4rev1] in",
        "S: W4 OK [CAPABILITY IMAP4rev1] in",
        "A: accepted IMAP4rev1 | in",
        "R: W4 OK [CAPABILITY IMAP4rev1] in\r\n",
    ]);
}

#[test]
fn starttls_comes_before_everything() {
    back(
        &starttls(),
        &ann(),
        &[
            "S: * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi",
            "C: W1 STARTTLS",
            "S: * OK wait",
            "S: W1 OK go",
            "A: starttls",
            "C: W2 CAPABILITY",
            "S: * CAPABILITY IMAP4rev1",
            "S: W2 OK",
            "A: ready",
            r#"C: W4 LOGIN "ann" "secret""#,
            "S: W4 OK [CAPABILITY IMAP4rev1] in",
            "A: accepted IMAP4rev1 | in",
        ],
    );
}

#[test]
fn nothing_goes_on_without_tls() {
    for (greeting, rest) in [
        ("S: * OK [CAPABILITY IMAP4rev1] hi", &["A: failed starttls-not-offered"][..]),
        ("S: * OK hi", &["C: W1 STARTTLS", "S: W1 BAD what?", "A: failed starttls-refused"]),
        ("S: * OK hi", &["C: W1 STARTTLS", "S: W1 NO", "A: failed starttls-refused"]),
        ("S: * OK hi", &["C: W1 STARTTLS", "S: * BYE", "A: failed bye"]),
        ("S: * OK hi", &["C: W1 STARTTLS", "S: W2 OK go", "A: failed early-reply"]),
        ("S: * OK hi", &["C: W1 STARTTLS", "S: + go", "A: failed early-reply"]),
        ("S: * PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hi", &["A: failed preauth"]),
    ] {
        let mut script = vec![greeting];
        script.extend(rest);
        back(&starttls(), &ann(), &script);
    }
}

#[test]
fn what_is_no_greeting_fails_the_target() {
    for (greeting, kind) in [
        ("* PREAUTH [CAPABILITY IMAP4rev1] hello ann", "preauth"),
        ("* BYE overloaded", "bye"),
        ("* NO go away", "protocol"),
        ("* BAD", "protocol"),
        ("* CAPABILITY IMAP4rev1", "protocol"),
        ("*", "protocol"),
    ] {
        back(&clear(), &ann(), &[&format!("S: {greeting}"), &format!("A: failed {kind}")]);
    }
}

#[test]
fn a_back_end_out_of_turn_fails() {
    let capability = &["S: * OK hi", "C: W2 CAPABILITY"];
    for (rest, kind) in [
        (&["S: W2 OK done"][..], "protocol"),
        (&["S: W2 BAD what?"], "protocol"),
        (&["S: * BYE"], "bye"),
        (&["S: W1 OK"], "early-reply"),
        (&["S: + more"], "early-reply"),
        (&["S: rubbish"], "protocol"),
    ] {
        let failed = format!("A: failed {kind}");
        let script: Vec<&str> =
            capability.iter().chain(rest).copied().chain([failed.as_str()]).collect();
        back(&clear(), &ann(), &script);
    }
    for (line, kind) in [
        ("S: * BYE", "bye"),
        ("S: * PREAUTH", "preauth"),
        ("S: W2 OK", "early-reply"),
        ("S: w4 OK", "early-reply"),
        ("S: + ", "protocol"),
        ("S: rubbish", "protocol"),
        ("S: W4", "protocol"),
        ("S: W4 YES", "protocol"),
    ] {
        logging_in(&[line, &format!("A: failed {kind}")]);
    }
    logging_in(&["S: W4 OK in", "C: W5 CAPABILITY", "S: * BYE", "A: failed bye"]);
    logging_in(&["S: W4 OK in", "C: W5 CAPABILITY", "S: W4 OK", "A: failed early-reply"]);
}

#[test]
fn what_a_refusal_means() {
    for (reply, action) in [
        (
            "NO [AUTHENTICATIONFAILED] Authentication failed.",
            "rejected AUTHENTICATIONFAILED | Authentication failed.",
        ),
        ("NO Invalid", "rejected - | Invalid"),
        ("NO", "rejected - | "),
        ("no [alert] \u{fc}ber", "rejected ALERT | ?ber"),
        ("NO [LIMIT] Too many", "rejected LIMIT | Too many"),
        ("NO [CONTACTADMIN] x", "rejected CONTACTADMIN | x"),
        ("NO [X-foo Bar baz] x", "rejected X-FOO Bar baz | x"),
        ("NO [CAPABILITY IMAP4rev1] x", "rejected - | x"),
        ("NO [\u{e4}] x", "rejected - | x"),
        ("NO [] x", "rejected - | x"),
        ("NO [SERVERBUG] x", "rejected SERVERBUG | x"),
        ("NO [UNAVAILABLE] Try later", "failed temporary"),
        ("NO [PRIVACYREQUIRED] TLS!", "failed privacy-required"),
        ("NO [REFERRAL imap://eve/] Try there", "failed elsewhere"),
        ("BAD what?", "failed refused"),
        ("BYE", "failed protocol"),
        ("PREAUTH", "failed protocol"),
    ] {
        logging_in(&[&format!("S: W4 {reply}"), &format!("A: {action}")]);
    }
    logging_in(&["S: * NO [ALERT] look out", "S: W4 NO no", "A: rejected - | no"]);
    let long = "x".repeat(500);
    logging_in(&[&format!("S: W4 NO {long}"), &format!("A: rejected - | {}", &long[..400])]);
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

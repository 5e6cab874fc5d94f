//! Whole dialogues with back ends.

use waypost_model::{Encryption, Secret};
use waypost_wire::login::{BackSettings, Credential};

use super::transcript::{Login, back, octets};

pub(crate) fn clear() -> BackSettings {
    BackSettings { encryption: Encryption::None, client: None, ..BackSettings::default() }
}

fn starttls() -> BackSettings {
    BackSettings { encryption: Encryption::Starttls, client: None, ..BackSettings::default() }
}

pub(crate) fn password(user: &str, authorisation: Option<&str>, password: &str) -> Login {
    let credential = Credential::Password {
        mechanism: None,
        authentication_id: user.into(),
        authorisation_id: authorisation.map(str::to_owned),
        password: Secret::new(octets(password)),
    };
    Login { credential, identity: None }
}

pub(crate) fn ann() -> Login {
    password("ann", None, "secret")
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
    // Nobody is sent round Waypost.
    logging_in(&[
        "S: * CAPABILITY IMAP4rev1",
        "S: W4 OK [REFERRAL imap://eve/] in",
        "A: accepted IMAP4rev1 | in",
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

//! Whole dialogues with mail clients.

use waypost_model::Encryption;
use waypost_wire::login::{FrontSettings, Mechanism};

use super::transcript::front;

/// As over TLS: passwords are welcome.
pub(crate) fn open() -> FrontSettings {
    FrontSettings {
        encryption: Encryption::Implicit,
        hostname: "mail.example.test".into(),
        ..Default::default()
    }
}

/// TLS to be started first.
fn starttls() -> FrontSettings {
    FrontSettings { encryption: Encryption::Starttls, ..open() }
}

#[test]
fn login_with_every_form_of_string() {
    for (sent, user, password) in [
        ("ann secret", "ann", "secret"),
        (r#""ann@example.test" "s e\"c\\r""#, "ann@example.test", r#"s e"c\r"#),
        (r#"ann*master "x""#, "ann*master", "x"),
        ("an%n]{ (secret", "an%n]{", "(secret"),
        ("{3+}\r\nann {6+}\r\nsecret", "ann", "secret"),
        ("{3+}\nann secret", "ann", "secret"),
        (
            r#"{03+}
ann "{6}""#,
            "ann",
            "{6}",
        ),
        // UTF-8 is a name; a password is octets.
        ("\"j\u{c3}\u{b6}rg\" \"\u{e4}\u{80}\"", "j\u{f6}rg", "\u{e4}\u{80}"),
        ("*ann }{", "*ann", "}{"),
    ] {
        front(
            &open(),
            &[
                &format!("C: a LOGIN {sent}"),
                &format!("A: login - {user:?} \"\" {password:?}"),
                "D: accept",
                "S: a OK Logged in.",
            ],
        );
    }
}

#[test]
fn login_with_literals_that_are_asked_for() {
    front(
        &open(),
        &[
            "C: a login {3}",
            "S: + OK",
            "C: ann {6}",
            "S: + OK",
            "C: secret",
            r#"A: login - "ann" "" "secret""#,
            "D: accept IMAP4rev1 IDLE|Welcome|* 1 RECENT",
            "S: * 1 RECENT",
            "S: a OK [CAPABILITY IMAP4rev1 IDLE] Welcome",
            "C: b SELECT INBOX",
            "C- c IDLE",
            "R: b SELECT INBOX\r\nc IDLE",
        ],
    );
}

#[test]
fn a_login_that_is_rejected_leaves_the_session_open() {
    front(
        &open(),
        &[
            "C: a LOGIN ann wrong",
            r#"A: login - "ann" "" "wrong""#,
            "D: reject",
            "S: a NO [AUTHENTICATIONFAILED] Authentication failed.",
            "C: b LOGIN ann right",
            r#"A: login - "ann" "" "right""#,
            "D: deny",
            "S: b NO [CONTACTADMIN] You may not log in here; please ask your administrator.",
            "C: c LOGIN ann right",
            r#"A: login - "ann" "" "right""#,
            "D: unavailable",
            "S: c NO [UNAVAILABLE] The service is temporarily unavailable; please try again later.",
            "C: d LOGIN ann right",
            r#"A: login - "ann" "" "right""#,
            "D: refuse LIMIT|Too many connections.",
            "S: d NO [LIMIT] Too many connections.",
            "C: e LOGOUT",
            "S: * BYE Goodbye.",
            "S: e OK LOGOUT completed.",
            "A: close logout",
        ],
    );
}

#[test]
fn names_and_passwords_that_cannot_be_are_rejected_without_asking_anybody() {
    for arguments in [
        r#""" secret"#,
        r#"ann """#,
        "{0+}\r\n secret",
        "ann {0+}\r\n",
        "{3+}\r\na\0n secret",
        "{4+}\r\na\r\nb secret",
        "ann {3+}\r\na\nb",
        "ann {1+}\r\n\0",
        "\"an\u{e4}\" secret",
        "\"\u{c2}\u{85}\" secret",
        "\"a\u{7f}\" secret",
        "\"a\u{1}\" b",
    ] {
        front(
            &open(),
            &[
                &format!("C: a LOGIN {arguments}"),
                "S: a NO [AUTHENTICATIONFAILED] Authentication failed.",
                "C: b NOOP",
                "S: b OK NOOP completed.",
            ],
        );
    }
}

#[test]
fn malformed_logins_are_bad() {
    for arguments in [
        "",
        " ",
        " ann",
        " ann ",
        " ann  secret",
        "  ann secret",
        " ann secret ",
        " ann secret more",
        " \"ann secret",
        " \"ann\"secret",
        " \"a\\n\" secret",
        " (ann secret) \"",
        " ann \"\0\"",
        " {3+}\r\nannsecret",
        " {x} secret",
    ] {
        front(
            &open(),
            &[
                &format!("C: a LOGIN{arguments}"),
                "S: a BAD This command is malformed.",
                "C: b NOOP",
                "S: b OK NOOP completed.",
            ],
        );
    }
}

#[test]
fn literals_have_limits() {
    let longest = "x".repeat(4096);
    front(
        &open(),
        &[
            "C: a LOGIN ann {4097}",
            "S: a BAD This literal is too long.",
            "C: b LOGIN ann {99999999999999999999}",
            "S: b BAD This literal is too long.",
            "C: c LOGIN ann {0}",
            "S: + OK",
            "C: ",
            "S: c NO [AUTHENTICATIONFAILED] Authentication failed.",
            "C: d ID (\"name\" {4097}",
            "S: d BAD This literal is too long.",
            // What was asked for before does not count for the next command.
            "C: d LOGIN {3}",
            "S: + OK",
            "C: ann {4097}",
            "S: d BAD This literal is too long.",
            "C: d LOGIN {3}",
            "S: + OK",
            "C: ann secret",
            r#"A: login - "ann" "" "secret""#,
            "D: unavailable",
            "S: d NO [UNAVAILABLE] The service is temporarily unavailable; please try again later.",
            "C: e XYZZY {4}",
            "S: e BAD There is no such command here.",
            "C: f SELECT {5}",
            "S: f BAD Please log in first.",
            "C: g NOOP {5}",
            "S: g BAD This command is malformed.",
            "C: {5}",
            "S: * BAD A tag and a command are expected.",
        ],
    );
    front(
        &open(),
        &[
            "C: a LOGIN ann {4096+}",
            &format!("C: {longest}"),
            &format!("A: login - \"ann\" \"\" {longest:?}"),
        ],
    );
    front(
        &open(),
        &[
            "C: a LOGIN ann {4097+}",
            "S: * BYE This command is too long.",
            "A: close too-long",
            "R: a LOGIN ann {4097+}\r\n",
        ],
    );
}

#[test]
fn a_literal_is_never_taken_for_a_command() {
    front(
        &open(),
        &[
            "C: a XYZZY {20+}",
            "C: \r\nb LOGIN ann secret {16+}",
            "C: c LOGIN bob pass",
            "S: a BAD There is no such command here.",
            "C: d LOGIN \"unfinished {17+}",
            "C: e LOGIN eve evil!",
            "S: d BAD This command is malformed.",
            "C: f NOOP",
            "S: f OK NOOP completed.",
        ],
    );
}

#[test]
fn commands_before_the_login() {
    front(
        &open(),
        &[
            "C: A1 CAPABILITY",
            "S: * CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN AUTH=LOGIN AUTH=XOAUTH2 AUTH=OAUTHBEARER",
            "S: A1 OK CAPABILITY completed.",
            "C: A2 noop",
            "S: A2 OK NOOP completed.",
            "C: A3 SELECT INBOX",
            "S: A3 BAD Please log in first.",
            "C: A4 UNAUTHENTICATE",
            "S: A4 BAD There is no such command here.",
            "C: A5 STARTTLS",
            "S: A5 BAD TLS is already active.",
            "C: A6 NOOP now",
            "S: A6 BAD This command is malformed.",
            "C: A7 LOGOUT",
            "S: * BYE Goodbye.",
            "S: A7 OK LOGOUT completed.",
            "A: close logout",
            "C: A8 NOOP",
            "R: A8 NOOP\r\n",
        ],
    );
}

#[test]
fn id_with_and_without_fields() {
    for list in [
        "NIL",
        "nil",
        "()",
        r#"("name" "x")"#,
        r#"("name" "x" "version" NIL)"#,
        "(\"name\" {3+}\r\nx)y)",
        "({4+}\r\nname {0+}\r\n \"os\" \"\")",
    ] {
        front(
            &open(),
            &[
                &format!("C: a ID {list}"),
                "S: * ID (\"name\" \"Waypost\")",
                "S: a OK ID completed.",
            ],
        );
    }
    front(
        &open(),
        &[
            "C: a ID ({4}",
            "S: + OK",
            "C: name {1}",
            "S: + OK",
            "C: x)",
            "S: * ID (\"name\" \"Waypost\")",
            "S: a OK ID completed.",
        ],
    );
    let many = format!("({})", vec![r#""k" "v""#; 31].join(" "));
    let long_key = format!("(\"{}\" NIL)", "k".repeat(31));
    let long_value = format!("(\"k\" \"{}\")", "v".repeat(1025));
    for list in [
        "",
        " ",
        " NILS",
        " (",
        r#" ("name")"#,
        r#" ("name" "x""#,
        r#" ("name" x)"#,
        r#" (NIL "x")"#,
        r#" ("a" "b" )"#,
        r#" ((("a" "b")))"#,
        r#" ("a" "b") "#,
        &format!(" {many}"),
        &format!(" {long_key}"),
        &format!(" {long_value}"),
        &format!(" {}", "(".repeat(8000)),
    ] {
        front(&open(), &[&format!("C: a ID{list}"), "S: a BAD This command is malformed."]);
    }
}

#[test]
fn what_has_no_tag_is_not_repeated() {
    let long = format!("C: {} NOOP", "t".repeat(65));
    for line in [
        "C: ",
        "C:  ",
        "C: NOOP",
        "C: * NOOP",
        "C: a+b NOOP",
        "C: \u{e4} NOOP",
        "C: a\0 NOOP",
        &long,
    ] {
        front(
            &open(),
            &[
                line,
                "S: * BAD A tag and a command are expected.",
                "C: a NOOP",
                "S: a OK NOOP completed.",
            ],
        );
    }
}

#[test]
fn lines_may_end_with_lf_alone() {
    front(&open(), &["C- a NOOP\nb NOOP\n", "S: a OK NOOP completed.", "S: b OK NOOP completed."]);
    front(&open(), &["C: a NOOP\r", "S: a BAD This command is malformed."]);
}

#[test]
fn a_browser_is_not_answered() {
    front(
        &open(),
        &["C: POST / HTTP/1.1", "A: close http", "C: a LOGIN ann b", "R: a LOGIN ann b\r\n"],
    );
}

#[test]
fn errors_are_counted() {
    front(
        &FrontSettings { max_errors: 3, ..open() },
        &[
            "C: a X",
            "S: a BAD There is no such command here.",
            "C: ",
            "S: * BAD A tag and a command are expected.",
            "C: b AUTHENTICATE PLAIN !",
            "S: b BAD This is not base64.",
            "S: * BYE Too many errors.",
            "A: close too-many-errors",
        ],
    );
    front(
        &FrontSettings { max_auth_errors: 2, ..open() },
        &[
            "C: a LOGIN ann b",
            r#"A: login - "ann" "" "b""#,
            "D: reject",
            "S: a NO [AUTHENTICATIONFAILED] Authentication failed.",
            "C: b LOGIN ann b",
            r#"A: login - "ann" "" "b""#,
            "D: unavailable",
            "S: b NO [UNAVAILABLE] The service is temporarily unavailable; please try again later.",
            "C: c LOGIN ann b",
            r#"A: login - "ann" "" "b""#,
            "D: reject",
            "S: c NO [AUTHENTICATIONFAILED] Authentication failed.",
            "S: * BYE Too many failed logins.",
            "A: close too-many-auth-errors",
            "C: d NOOP",
            "R: d NOOP\r\n",
        ],
    );
}

#[test]
fn nothing_is_taken_in_clear() {
    front(
        &starttls(),
        &[
            "C: a CAPABILITY",
            "S: * CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID STARTTLS LOGINDISABLED",
            "S: a OK CAPABILITY completed.",
            "C: b LOGIN {3}",
            "S: b NO [PRIVACYREQUIRED] Passwords are taken over TLS only.",
            "C: c LOGIN ann {6}",
            "S: c NO [PRIVACYREQUIRED] Passwords are taken over TLS only.",
            "C: d LOGIN ann secret",
            "S: d NO [PRIVACYREQUIRED] Passwords are taken over TLS only.",
            "C: e LOGIN {3+}",
            "C: ann {6+}",
            "C: secret",
            "S: e NO [PRIVACYREQUIRED] Passwords are taken over TLS only.",
            "C: f AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=",
            "S: f NO [PRIVACYREQUIRED] Passwords are taken over TLS only.",
            "C: g AUTHENTICATE XOAUTH2",
            "S: g NO [PRIVACYREQUIRED] Passwords are taken over TLS only.",
        ],
    );
    front(
        &FrontSettings { encryption: Encryption::None, ..open() },
        &[
            "C: a CAPABILITY",
            "S: * CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID LOGINDISABLED",
            "S: a OK CAPABILITY completed.",
            "C: b STARTTLS",
            "S: b BAD There is no such command here.",
        ],
    );
    front(
        &FrontSettings { allow_plaintext: true, mechanisms: vec![Mechanism::Plain], ..starttls() },
        &[
            "C: a CAPABILITY",
            "S: * CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID STARTTLS AUTH=PLAIN",
            "S: a OK CAPABILITY completed.",
            "C: b LOGIN ann secret",
            r#"A: login - "ann" "" "secret""#,
        ],
    );
}

#[test]
fn starttls_begins_anew() {
    front(
        &starttls(),
        &[
            "C: a NOOP",
            "S: a OK NOOP completed.",
            "C: b STARTTLS",
            "S: b OK Begin TLS negotiation now.",
            "A: starttls",
            "T: ",
            "C: c STARTTLS",
            "S: c BAD TLS is already active.",
            "C: d CAPABILITY",
            "S: * CAPABILITY IMAP4rev1 SASL-IR LITERAL- ID AUTH=PLAIN AUTH=LOGIN AUTH=XOAUTH2 AUTH=OAUTHBEARER",
            "S: d OK CAPABILITY completed.",
            "C: e LOGIN ann secret",
            r#"A: login - "ann" "" "secret""#,
        ],
    );
}

#[test]
fn a_back_ends_words_are_kept_to_one_line() {
    front(
        &open(),
        &[
            "C: a LOGIN ann b",
            r#"A: login - "ann" "" "b""#,
            "D: refuse ALERT|line\r\nb OK forged",
            "S: a NO [ALERT] line??b OK forged",
            "C: b LOGIN ann b",
            r#"A: login - "ann" "" "b""#,
            "D: refuse LIMIT|",
            "S: b NO [LIMIT] The login was refused.",
        ],
    );
}

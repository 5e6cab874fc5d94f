//! Single commands and what is wrong with them.

use std::num::NonZeroUsize;

use waypost_wire::smtp::FrontSettings;

use super::transcript::{full, greeted, session, smtp};

const MAIL: &[&str] =
    &["C: MAIL FROM:<a@a.test>", "A: mail <a@a.test>", "D: 250 2.1.0 Ok", "S: 250 2.1.0 Ok"];

#[test]
fn commands_that_need_no_transaction() {
    session(
        &smtp(),
        &[
            "C: noop whatever",
            "S: 250 2.0.0 Ok.",
            "C: VRFY ann",
            "S: 252 2.0.0 Nobody is looked up by VRFY. Send mail, and its recipients are.",
            "C: EXPN all",
            "S: 502 5.5.1 This command is not available.",
            "C: HELP",
            "S: 214 2.0.0 See RFC 5321, for LMTP with RFC 2033. Ask the postmaster.",
            "C: AUTH PLAIN AGFubgBz",
            "S: 502 5.5.1 This command is not available.",
            "C: ETRN a.test",
            "S: 502 5.5.1 This command is not available.",
            "C: XYZZY",
            "S: 500 5.5.1 Unknown command.",
            "C: ",
            "S: 500 5.5.1 Unknown command.",
            "C: DATA now",
            "S: 501 5.5.4 This command takes no argument.",
            "C: QUIT now",
            "S: 501 5.5.4 This command takes no argument.",
            "C: LHLO client.test",
            "S: 500 5.5.1 Unknown command.",
            "C- quit\\n",
            "S: 221 2.0.0 Goodbye.",
            "A: close logout",
        ],
    );
}

#[test]
fn the_order_of_commands() {
    session(
        &smtp(),
        &[
            "C: MAIL FROM:<a@a.test>",
            "S: 503 5.5.1 Say EHLO first.",
            "C: RCPT TO:<b@b.test>",
            "S: 503 5.5.1 Say MAIL first.",
            "C: DATA",
            "S: 503 5.5.1 Say MAIL first.",
            "C: RSET",
            "S: 250 2.0.0 Ok.",
        ],
    );
}

#[test]
fn names_that_are_none() {
    for name in ["", " ", " two words", " a(b", " \u{fc}"] {
        let said = format!("C: EHLO{name}");
        let reply = if name.is_ascii() {
            "S: 501 Say who you are: a host name."
        } else {
            "S: 500 5.5.2 A command is printable ASCII."
        };
        session(&smtp(), &[&said, reply, "C: MAIL FROM:<>", "S: 503 5.5.1 Say EHLO first."]);
    }
}

#[test]
fn senders_that_are_refused() {
    for (argument, reply) in [
        ("FROM:a@a.test", "501 5.5.4 Syntax: MAIL FROM:<address>"),
        ("FROM", "501 5.5.4 Syntax: MAIL FROM:<address>"),
        ("FROM:<a@a.test", "501 5.5.4 Syntax: MAIL FROM:<address>"),
        ("FROM:<a>", "501 5.1.7 The sender's address has no domain."),
        ("FROM:<a@>", "501 5.1.7 This sender is not a mail address."),
        ("FROM:<\"\"@x>", "553 5.1.7 The sender's local part is empty."),
        ("FROM:<\u{fc}@a.test>", "553 5.6.7 Without SMTPUTF8 an address is ASCII."),
        ("FROM:<a@a.test> SIZE=1001", "552 5.3.4 The message is too large."),
        ("FROM:<a@a.test> SIZE=99999999999999999999", "552 5.3.4 The message is too large."),
        ("FROM:<a@a.test> SIZE", "501 5.5.4 A parameter has a value that it cannot have."),
        ("FROM:<a@a.test> SIZE=1 SIZE=1", "501 5.5.4 A parameter stands there twice."),
        ("FROM:<a@a.test>SIZE=1", "501 5.5.4 A parameter is NAME or NAME=VALUE."),
        ("FROM:<a@a.test> BODY=BINARYMIME", "555 5.5.4 BINARYMIME is not offered."),
        ("FROM:<a@a.test> SMTPUTF8", "555 5.5.4 A parameter is unknown here."),
        ("FROM:<a@a.test> RET=FULL", "555 5.5.4 A parameter is unknown here."),
        ("FROM:<a@a.test> X=\u{fc}", "555 5.5.4 A parameter is unknown here."),
    ] {
        greeted(&smtp(), &[&format!("C: MAIL {argument}"), &format!("S: {reply}")]);
    }
    greeted(
        &full(),
        &[
            "C: MAIL FROM:<\u{fc}@a.test>",
            "S: 553 5.6.7 Without SMTPUTF8 an address is ASCII.",
            "C: MAIL FROM:<a@\u{fc}.test> ENVID=x",
            "S: 553 5.6.7 Without SMTPUTF8 an address is ASCII.",
            "C: MAIL FROM:<\\xC3(@a.test> SMTPUTF8",
            "S: 501 5.1.7 This sender is not a mail address.",
        ],
    );
}

#[test]
fn recipients_that_are_refused() {
    for (argument, reply) in [
        ("TO:b@b.test", "501 5.5.4 Syntax: RCPT TO:<address>"),
        ("TO:<>", "501 5.1.3 There is no recipient."),
        ("TO:<b>", "501 5.1.3 The recipient's address has no domain."),
        ("TO:<b@b@b.test>", "501 5.1.3 This recipient is not a mail address."),
        ("TO:<b@[192.0.2]>", "501 5.1.3 This recipient is not a mail address."),
        ("TO:<\"\"@x>", "553 5.1.3 The recipient's local part is empty."),
        ("TO:<b%c@b.test>", "553 5.1.3 The recipient's local part holds another address."),
        ("TO:<c!b@b.test>", "553 5.1.3 The recipient's local part holds another address."),
        ("TO:<\"b@c\"@b.test>", "553 5.1.3 The recipient's local part holds another address."),
        ("TO:<\u{fc}@b.test>", "553 5.6.7 Without SMTPUTF8 an address is ASCII."),
        ("TO:<b@b.test> NOTIFY=NEVER", "555 5.5.4 A parameter is unknown here."),
    ] {
        let script = [
            MAIL,
            &[&format!("C: RCPT {argument}"), &format!("S: {reply}")],
            &["C: DATA", "S: 554 5.5.1 No valid recipients."],
        ];
        greeted(&smtp(), &script.concat());
    }
}

#[test]
fn octets_that_no_command_holds() {
    for line in ["NOOP \\0", "NOOP \u{fc}", "QUIT\\r", "MAIL FROM:<a@a.test>\\rRSET", "\\xFF\\xFE"]
    {
        let said = format!("C: {line}");
        greeted(&smtp(), &[&said, "S: 500 5.5.2 A command is printable ASCII."]);
    }
}

#[test]
fn a_line_that_is_too_long_is_discarded() {
    let fits = format!("NOOP {}", "x".repeat(2043));
    greeted(&smtp(), &[&format!("C: {fits}"), "S: 250 2.0.0 Ok."]);
    let long = format!("C: {fits}x");
    let answer = "S: 500 5.5.2 This line is too long.";
    greeted(&smtp(), &[&long, answer, "C: NOOP", "S: 250 2.0.0 Ok."]);
    // Nothing in it is a command, wherever it is cut.
    let longer = format!("C: {} MAIL FROM:<a@a.test>", "x".repeat(3000));
    greeted(&smtp(), &[&longer, answer, "C: QUIT", "S: 221 2.0.0 Goodbye.", "A: close logout"]);
}

#[test]
fn too_many_errors_end_the_session() {
    let settings = FrontSettings { max_errors: NonZeroUsize::new(3).unwrap(), ..smtp() };
    greeted(
        &settings,
        &[
            "C: X",
            "S: 500 5.5.1 Unknown command.",
            "C: NOOP",
            "S: 250 2.0.0 Ok.",
            "C: MAIL FROM:a@a.test",
            "S: 501 5.5.4 Syntax: MAIL FROM:<address>",
            "C: Y",
            "S: 500 5.5.1 Unknown command.",
            "S: 421 4.7.0 Too many errors.",
            "A: close too-many-errors",
            "C: NOOP",
            "R: NOOP\\r\\n",
        ],
    );
    // What follows a refusal in a pipeline, and single bad addresses, are no errors.
    let mut script = vec!["C: MAIL FROM:<a>", "S: 501 5.1.7 The sender's address has no domain."];
    for _ in 0..10 {
        script.extend(["C: RCPT TO:<b@b.test>", "S: 503 5.5.1 Say MAIL first."]);
    }
    script.extend_from_slice(MAIL);
    for _ in 0..10 {
        script.extend(["C: RCPT TO:<b>", "S: 501 5.1.3 The recipient's address has no domain."]);
    }
    greeted(&settings, &script);
}

#[test]
fn a_browser_is_told_nothing() {
    for line in ["GET / HTTP/1.1", "POST /x HTTP/1.1", "PRI * HTTP/2.0"] {
        let said = format!("C: {line}");
        session(
            &smtp(),
            &[&said, "A: close http", "C: MAIL FROM:<a@a.test>", "R: MAIL FROM:<a@a.test>\\r\\n"],
        );
    }
}

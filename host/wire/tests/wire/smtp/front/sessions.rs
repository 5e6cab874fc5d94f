//! Whole sessions.

use super::transcript::{EHLO, full, greeted, session, smtp};

#[test]
fn one_message_for_one_recipient() {
    session(
        &smtp(),
        &[
            &["C: EHLO client.test"],
            EHLO,
            &[
                "C: MAIL FROM:<ann@a.test> SIZE=500 BODY=8BITMIME",
                "A: mail <ann@a.test> SIZE=500 BODY=8BITMIME",
                "D: 250 2.1.0 Go on.",
                "S: 250 2.1.0 Go on.",
                "C: RCPT TO:<bob@b.test>",
                "A: recipient <bob@b.test>",
                "D: 250 2.1.5 Welcome.",
                "S: 250 2.1.5 Welcome.",
                "C: DATA",
                "A: data",
                "D: go",
                "S: 354 End the message with CRLF . CRLF.",
                "C: Subject: hello",
                "C: ",
                "C: ..dots",
                "C: \\0\\xFF",
                "C: .",
                "A: content Subject: hello\\r\\n\\r\\n.dots\\r\\n\\x00\\xff\\r\\n",
                "A: content end",
                "D: 250 2.0.0 Queued as 1.",
                "S: 250 2.0.0 Queued as 1.",
                "C: QUIT",
                "S: 221 2.0.0 Goodbye.",
                "A: close logout",
            ],
        ]
        .concat(),
    );
}

#[test]
fn helo_names_no_extensions_and_two_messages_follow() {
    session(
        &smtp(),
        &[
            "C: HELO client.test",
            "S: 250 mx.example.test",
            "C: MAIL FROM: <>",
            "A: mail <>",
            "D: 250 2.1.0 Ok",
            "S: 250 2.1.0 Ok",
            "C: rcpt to: <postmaster>",
            "A: recipient <Postmaster>",
            "D: 250 2.1.5 Ok",
            "S: 250 2.1.5 Ok",
            "C: data",
            "A: data",
            "D: go",
            "S: 354 End the message with CRLF . CRLF.",
            "C: .",
            "A: content ",
            "A: content end",
            "D: 550 5.6.0 Empty.",
            "S: 550 5.6.0 Empty.",
            "C: MAIL FROM:<ann@a.test>",
            "A: mail <ann@a.test>",
            "D: 250 2.1.0 Ok",
            "S: 250 2.1.0 Ok",
            "C: RCPT TO:<@r.test,@s.test:\"bob lee\"@b.test>",
            "A: recipient <\"bob lee\"@b.test>",
            "D: 250 2.1.5 Ok",
            "S: 250 2.1.5 Ok",
            "C: DATA",
            "A: data",
            "D: go",
            "S: 354 End the message with CRLF . CRLF.",
            "C: a",
            "C: .",
            "A: content a\\r\\n",
            "A: content end",
            "D: 250 2.0.0 Ok",
            "S: 250 2.0.0 Ok",
        ],
    );
}

#[test]
fn a_client_that_vanishes_leaves_no_end() {
    for behind in [
        &["C- MAIL FR", "R: MAIL FR"][..],
        &["C: MAIL FROM:<a@a.test>", "A: mail <a@a.test>"],
        &[
            "C: MAIL FROM:<a@a.test>",
            "A: mail <a@a.test>",
            "D: 250 2.1.0 Ok",
            "S: 250 2.1.0 Ok",
            "C: RCPT TO:<b@b.test>",
            "A: recipient <b@b.test>",
            "D: 250 2.1.5 Ok",
            "S: 250 2.1.5 Ok",
            "C: DATA",
            "A: data",
            "D: go",
            "S: 354 End the message with CRLF . CRLF.",
            "C: a",
            "C- .\\r",
            "R: .\\r",
        ],
    ] {
        greeted(&smtp(), behind);
    }
}

#[test]
fn recipients_that_are_refused_do_not_count() {
    greeted(
        &smtp(),
        &[
            "C: MAIL FROM:<a@a.test>",
            "A: mail <a@a.test>",
            "D: 250 2.1.0 Ok",
            "S: 250 2.1.0 Ok",
            "C: DATA",
            "S: 503 5.5.1 Say RCPT first.",
            "C: RCPT TO:<x@b.test>",
            "A: recipient <x@b.test>",
            "D: 550 5.1.1 No such user.",
            "S: 550 5.1.1 No such user.",
            "C: DATA",
            "S: 554 5.5.1 No valid recipients.",
            "C: RCPT TO:<y@b.test>",
            "A: recipient <y@b.test>",
            "D: 452 4.5.3 Too many.",
            "S: 452 4.5.3 Too many.",
            "C: DATA",
            "S: 554 5.5.1 No valid recipients.",
            "C: RCPT TO:<z@b.test>",
            "A: recipient <z@b.test>",
            "D: 251 2.1.5 Elsewhere.",
            "S: 251 2.1.5 Elsewhere.",
            "C: DATA",
            "A: data",
            "D: 451 4.3.1 Full.",
            "S: 451 4.3.1 Full.",
            "C: RCPT TO:<z@b.test>",
            "S: 503 5.5.1 Say MAIL first.",
            "C: DATA",
            "S: 503 5.5.1 Say MAIL first.",
        ],
    );
}

#[test]
fn a_sender_that_is_refused_opens_nothing() {
    greeted(
        &smtp(),
        &[
            "C: MAIL FROM:<a@a.test>",
            "A: mail <a@a.test>",
            "D: 451 4.7.1 Later.",
            "S: 451 4.7.1 Later.",
            "C: RCPT TO:<b@b.test>",
            "S: 503 5.5.1 Say MAIL first.",
            "C: RSET",
            "S: 250 2.0.0 Ok.",
            "C: MAIL FROM:<a@a.test>",
            "A: mail <a@a.test>",
            "D: 250 2.1.0 Ok",
            "S: 250 2.1.0 Ok",
        ],
    );
}

#[test]
fn a_transaction_is_forgotten_at_rset_and_ehlo() {
    let mut script = vec![
        "C: MAIL FROM:<a@a.test>",
        "A: mail <a@a.test>",
        "D: 250 2.1.0 Ok",
        "S: 250 2.1.0 Ok",
        "C: MAIL FROM:<a@a.test>",
        "S: 503 5.5.1 A transaction is open: end it or say RSET.",
        "C: RSET",
        "S: 250 2.0.0 Ok.",
        "A: reset",
        "C: RSET",
        "S: 250 2.0.0 Ok.",
        "C: MAIL FROM:<a@a.test>",
        "A: mail <a@a.test>",
        "D: 250 2.1.0 Ok",
        "S: 250 2.1.0 Ok",
        "C: EHLO again.test",
    ];
    script.extend_from_slice(EHLO);
    script.extend_from_slice(&[
        "A: reset",
        "C: MAIL FROM:<a@a.test>",
        "A: mail <a@a.test>",
        "D: 250 2.1.0 Ok",
        "S: 250 2.1.0 Ok",
        "C: HELO",
        "S: 501 Say who you are: a host name.",
        "C: RCPT TO:<b@b.test>",
        "A: recipient <b@b.test>",
        "D: 250 2.1.5 Ok",
        "S: 250 2.1.5 Ok",
    ]);
    greeted(&smtp(), &script);
}

#[test]
fn international_mail_with_reports() {
    greeted(
        &full(),
        &[
            "C: MAIL FROM:<jürgen@bücher.example> SMTPUTF8 RET=HDRS ENVID=a+2Bb",
            "A: mail <jürgen@xn--bcher-kva.example> SMTPUTF8=yes RET=HDRS ENVID=a+2Bb",
            "D: 250 2.1.0 Schön.",
            "S: 250 2.1.0 Schön.",
            "C: RCPT TO:<bärbel@b.test> NOTIFY=SUCCESS,FAILURE ORCPT=utf-8;bärbel@c.test",
            "A: recipient <bärbel@b.test> NOTIFY=SUCCESS,FAILURE ORCPT=utf-8;b\\x{E4}rbel@c.test",
            "D: 250 2.1.5 Schön.",
            "S: 250 2.1.5 Schön.",
            "C: RCPT TO:<\\xFF@b.test>",
            "S: 501 5.1.3 This recipient is not a mail address.",
            "C: RSET",
            "S: 250 2.0.0 Ok.",
            "A: reset",
            // Without SMTPUTF8 all is ASCII, back ends' replies as well.
            "C: MAIL FROM:<a@a.test>",
            "A: mail <a@a.test>",
            "D: 250 2.1.0 Schön.",
            "S: 250 2.1.0 Sch?n.",
            "C: RCPT TO:<bärbel@b.test>",
            "S: 553 5.6.7 Without SMTPUTF8 an address is ASCII.",
        ],
    );
}

#[test]
fn while_the_driver_decides_nothing_is_consumed() {
    greeted(
        &smtp(),
        &[
            "C: MAIL FROM:<a@a.test>",
            "A: mail <a@a.test>",
            "C: NOOP",
            "C: QUIT",
            "R: NOOP\\r\\nQUIT\\r\\n",
        ],
    );
}

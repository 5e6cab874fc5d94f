//! LMTP (RFC 2033).

use super::transcript::{greeted, lmtp, session};

const MAIL: &[&str] =
    &["C: MAIL FROM:<a@a.test>", "A: mail <a@a.test>", "D: 250 2.1.0 Ok", "S: 250 2.1.0 Ok"];

/// Three recipients, of which the second is refused, and a message.
fn three(end: &[&'static str]) -> Vec<&'static str> {
    [
        MAIL,
        &[
            "C: RCPT TO:<b@b.test>",
            "A: recipient <b@b.test>",
            "D: 250 2.1.5 Ok",
            "S: 250 2.1.5 Ok",
            "C: RCPT TO:<c@b.test>",
            "A: recipient <c@b.test>",
            "D: 550 5.1.1 No",
            "S: 550 5.1.1 No",
            "C: RCPT TO:<d@b.test>",
            "A: recipient <d@b.test>",
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
        ],
        end,
    ]
    .concat()
}

#[test]
fn only_lhlo_opens_a_session() {
    session(
        &lmtp(),
        &[
            "C: EHLO client.test",
            "S: 500 5.5.1 This is LMTP: say LHLO.",
            "C: HELO client.test",
            "S: 500 5.5.1 This is LMTP: say LHLO.",
            "C: MAIL FROM:<a@a.test>",
            "S: 503 5.5.1 Say LHLO first.",
            "C: LHLO",
            "S: 501 Say who you are: a host name.",
        ],
    );
}

#[test]
fn each_recipient_that_was_accepted_hears_of_the_message() {
    let replies = ["D: 250 2.0.0 One | 552 5.2.2 Full", "S: 250 2.0.0 One", "S: 552 5.2.2 Full"];
    greeted(&lmtp(), &three(&replies));
    let same = ["D: 451 4.3.0 Later", "S: 451 4.3.0 Later", "S: 451 4.3.0 Later"];
    let next = [MAIL, &["C: QUIT", "S: 221 2.0.0 Goodbye.", "A: close logout"]].concat();
    greeted(&lmtp(), &[three(&same), next].concat());
}

#[test]
fn each_recipient_gets_one_reply_whatever_the_driver_says() {
    let too_many =
        ["D: 250 2.0.0 1 | 250 2.0.0 2 | 250 2.0.0 3", "S: 250 2.0.0 1", "S: 250 2.0.0 2"];
    greeted(&lmtp(), &three(&too_many));
}

#[test]
fn a_message_for_nobody() {
    let script = [
        MAIL,
        &[
            "C: RCPT TO:<c@b.test>",
            "A: recipient <c@b.test>",
            "D: 550 5.1.1 No",
            "S: 550 5.1.1 No",
            "C: DATA",
            "S: 503 5.5.1 Say RCPT first.",
        ],
    ];
    greeted(&lmtp(), &script.concat());
}

#[test]
fn a_refused_message_is_refused_once() {
    let script = [
        MAIL,
        &[
            "C: RCPT TO:<b@b.test>",
            "A: recipient <b@b.test>",
            "D: 250 2.1.5 Ok",
            "S: 250 2.1.5 Ok",
            "C: RCPT TO:<c@b.test>",
            "A: recipient <c@b.test>",
            "D: 250 2.1.5 Ok",
            "S: 250 2.1.5 Ok",
            "C: DATA",
            "A: data",
            "D: 451 4.4.1 Nobody there.",
            "S: 451 4.4.1 Nobody there.",
        ],
    ];
    greeted(&lmtp(), &script.concat());
}

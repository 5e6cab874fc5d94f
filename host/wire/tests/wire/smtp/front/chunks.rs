//! BDAT (RFC 3030).

use super::transcript::{greeted, lmtp, session, smtp};

/// A transaction with a recipient.
const OPEN: &[&str] = &[
    "C: MAIL FROM:<a@a.test>",
    "A: mail <a@a.test>",
    "D: 250 2.1.0 Ok",
    "S: 250 2.1.0 Ok",
    "C: RCPT TO:<b@b.test>",
    "A: recipient <b@b.test>",
    "D: 250 2.1.5 Ok",
    "S: 250 2.1.5 Ok",
];

#[track_caller]
fn open(script: &[&str]) {
    greeted(&smtp(), &[OPEN, script].concat());
}

#[test]
fn a_message_in_chunks() {
    open(&[
        "C: BDAT 6",
        "A: chunk 6",
        "D: go",
        "C- .\\r\\n.\\r\\n",
        "A: content .\\r\\n.\\r\\n",
        "A: chunk end",
        "D: 250 2.0.0 Six.",
        "S: 250 2.0.0 Six.",
        "C: NOOP",
        "S: 250 2.0.0 Ok.",
        "C: bdat 4",
        "A: chunk 4",
        "D: go",
        "C- QUIT",
        "A: content QUIT",
        "A: chunk end",
        "D: 250 2.0.0 Ok",
        "S: 250 2.0.0 Ok",
        "C: BDAT 0 LAST",
        "A: chunk 0 last",
        "D: go",
        "A: content ",
        "A: content end",
        "D: 250 2.0.0 Taken.",
        "S: 250 2.0.0 Taken.",
        "C: BDAT 2",
        "C- ab",
        "S: 503 5.5.1 Say MAIL first.",
        "C: MAIL FROM:<a@a.test>",
        "A: mail <a@a.test>",
        "D: 250 2.1.0 Ok",
        "S: 250 2.1.0 Ok",
    ]);
}

#[test]
fn one_last_chunk_and_an_empty_one() {
    open(&[
        "C: BDAT 3 LAST",
        "A: chunk 3 last",
        "D: go",
        "C- \\0\\xFF\\n",
        "A: content \\x00\\xff\\n",
        "A: content end",
        "D: 550 5.6.11 No.",
        "S: 550 5.6.11 No.",
        "C: MAIL FROM:<a@a.test>",
        "A: mail <a@a.test>",
        "D: 250 2.1.0 Ok",
        "S: 250 2.1.0 Ok",
        "C: RCPT TO:<b@b.test>",
        "A: recipient <b@b.test>",
        "D: 250 2.1.5 Ok",
        "S: 250 2.1.5 Ok",
        "C: BDAT 0",
        "A: chunk 0",
        "D: go",
        "A: content ",
        "A: chunk end",
        "D: 250 2.0.0 Ok",
        "S: 250 2.0.0 Ok",
    ]);
}

#[test]
fn a_chunk_that_nobody_takes_is_swallowed() {
    for (before, reply) in [
        (&[][..], "S: 503 5.5.1 Say MAIL first."),
        (&OPEN[..4], "S: 503 5.5.1 Say RCPT first."),
        (
            &[
                OPEN[0],
                OPEN[1],
                OPEN[2],
                OPEN[3],
                "C: RCPT TO:<b@b.test>",
                "A: recipient <b@b.test>",
                "D: 550 5.1.1 No.",
                "S: 550 5.1.1 No.",
            ],
            "S: 554 5.5.1 No valid recipients.",
        ),
    ] {
        let script =
            [before, &["C: BDAT 6 LAST", "C- QUIT\\r\\n", reply, "C: NOOP", "S: 250 2.0.0 Ok."]];
        greeted(&smtp(), &script.concat());
    }
}

#[test]
fn behind_a_refused_chunk_all_are_refused() {
    let refused = "S: 503 5.5.1 A part of the message was refused: say RSET.";
    let behind = [
        "C: BDAT 6",
        "C- QUIT\\r\\n",
        refused,
        "C: RCPT TO:<c@b.test>",
        refused,
        "C: DATA",
        refused,
        "C: BDAT 3 LAST",
        "C- xyz",
        refused,
        "C: MAIL FROM:<a@a.test>",
        "S: 503 5.5.1 A transaction is open: end it or say RSET.",
        "C: RSET",
        "S: 250 2.0.0 Ok.",
        "A: reset",
        "C: MAIL FROM:<a@a.test>",
        "A: mail <a@a.test>",
        "D: 250 2.1.0 Ok",
        "S: 250 2.1.0 Ok",
    ];
    // Before its octets have come, and behind them.
    let early = ["C: BDAT 2", "A: chunk 2", "D: 552 5.3.4 Big.", "C- ab", "S: 552 5.3.4 Big."];
    open(&[&early[..], &behind].concat());
    let late = [
        "C: BDAT 2",
        "A: chunk 2",
        "D: go",
        "C- ab",
        "A: content ab",
        "A: chunk end",
        "D: 451 4.3.0 Broken.",
        "S: 451 4.3.0 Broken.",
    ];
    open(&[&late[..], &behind].concat());
    // And where there was no recipient: the first part of the message is lost.
    let none = [&OPEN[..4], &["C: BDAT 2", "C- ab", "S: 503 5.5.1 Say RCPT first."], &behind];
    greeted(&smtp(), &none.concat());
}

#[test]
fn a_last_chunk_that_is_refused_ends_the_transaction() {
    open(&[
        "C: BDAT 2 LAST",
        "A: chunk 2 last",
        "D: 452 4.3.1 Full.",
        "C- ab",
        "S: 452 4.3.1 Full.",
        "C: MAIL FROM:<a@a.test>",
        "A: mail <a@a.test>",
        "D: 250 2.1.0 Ok",
        "S: 250 2.1.0 Ok",
    ]);
}

#[test]
fn data_and_chunks_do_not_mix() {
    open(&[
        "C: BDAT 2",
        "A: chunk 2",
        "D: go",
        "C- ab",
        "A: content ab",
        "A: chunk end",
        "D: 250 2.0.0 Ok",
        "S: 250 2.0.0 Ok",
        "C: DATA",
        "S: 503 5.5.1 Behind BDAT only BDAT goes on with the message.",
        "C: RCPT TO:<c@b.test>",
        "S: 503 5.5.1 Behind BDAT only BDAT goes on with the message.",
        "C: BDAT 2 LAST",
        "A: chunk 2 last",
        "D: go",
        "C- cd",
        "A: content cd",
        "A: content end",
        "D: 250 2.0.0 Ok",
        "S: 250 2.0.0 Ok",
        "C: BDAT 1 LAST",
        "C- x",
        "S: 503 5.5.1 Say MAIL first.",
    ]);
}

#[test]
fn a_transaction_in_chunks_can_be_abandoned() {
    open(&[
        "C: BDAT 2",
        "A: chunk 2",
        "D: go",
        "C- ab",
        "A: content ab",
        "A: chunk end",
        "D: 250 2.0.0 Ok",
        "S: 250 2.0.0 Ok",
        "C: RSET",
        "S: 250 2.0.0 Ok.",
        "A: reset",
        "C: BDAT 2 LAST",
        "C- cd",
        "S: 503 5.5.1 Say MAIL first.",
    ]);
}

#[test]
fn sizes_that_are_none_close_the_session() {
    for argument in ["", " LAST", " -1", " 5 LASTT", " 5 LAST x", " 0x10", " 100000000000000000000"]
    {
        let said = format!("C: BDAT{argument}");
        session(
            &smtp(),
            &[
                &said,
                "S: 501 5.5.4 Syntax: BDAT size [LAST]",
                "A: close lost-count",
                "C: QUIT",
                "R: QUIT\\r\\n",
            ],
        );
    }
}

#[test]
fn absurd_sizes_close_the_session() {
    for size in ["16016", "18446744073709551615", "99999999999999999999"] {
        let said = format!("C: BDAT {size}");
        open(&[&said, "S: 552 5.3.4 The message is too large.", "A: close too-long"]);
    }
    // What is only too large is the driver's to refuse.
    open(&["C: BDAT 16015", "A: chunk 16015", "D: 552 5.3.4 Big."]);
}

#[test]
fn in_lmtp_each_recipient_hears_of_the_last_chunk() {
    let script = [
        OPEN,
        &[
            "C: RCPT TO:<c@b.test>",
            "A: recipient <c@b.test>",
            "D: 250 2.1.5 Ok",
            "S: 250 2.1.5 Ok",
            "C: BDAT 1",
            "A: chunk 1",
            "D: go",
            "C- a",
            "A: content a",
            "A: chunk end",
            "D: 250 2.0.0 Ok",
            "S: 250 2.0.0 Ok",
            "C: BDAT 1 LAST",
            "A: chunk 1 last",
            "D: go",
            "C- b",
            "A: content b",
            "A: content end",
            "D: 250 2.0.0 One | 451 4.2.0 Two",
            "S: 250 2.0.0 One",
            "S: 451 4.2.0 Two",
        ],
    ];
    greeted(&lmtp(), &script.concat());
}

/// One reply for each recipient that was accepted, and so none where there is none (RFC 2033
/// section 4.3).
#[test]
fn in_lmtp_each_recipient_hears_that_the_last_chunk_is_refused() {
    let another =
        ["C: RCPT TO:<c@b.test>", "A: recipient <c@b.test>", "D: 250 2.1.5 Ok", "S: 250 2.1.5 Ok"];
    let at_once = [
        "C: BDAT 1 LAST",
        "A: chunk 1 last",
        "D: 451 4.3.0 Later.",
        "C- a",
        "S: 451 4.3.0 Later.",
        "S: 451 4.3.0 Later.",
    ];
    greeted(&lmtp(), &[OPEN, &another, &at_once].concat());
    let behind_another = [
        "C: BDAT 1",
        "A: chunk 1",
        "D: 451 4.3.0 Later.",
        "C- a",
        "S: 451 4.3.0 Later.",
        "C: BDAT 1 LAST",
        "C- b",
        "S: 503 5.5.1 A part of the message was refused: say RSET.",
        "S: 503 5.5.1 A part of the message was refused: say RSET.",
    ];
    greeted(&lmtp(), &[OPEN, &another, &behind_another].concat());
    let [mail, ..] = OPEN else { unreachable!() };
    let nobody = [mail, "A: mail <a@a.test>", "D: 250 2.1.0 Ok", "S: 250 2.1.0 Ok"];
    let unheard = ["C: BDAT 1 LAST", "C- a", "C: NOOP", "S: 250 2.0.0 Ok."];
    greeted(&lmtp(), &[&nobody[..], &unheard].concat());
}

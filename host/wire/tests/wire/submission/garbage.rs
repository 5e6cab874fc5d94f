//! Submission, and back ends that take mail, against peers that say anything at all.

use proptest::prelude::*;
use waypost_wire::fuzz::{smtp_back, submission_back, submission_front};

use crate::noise::dialogue;

/// Lines that mean something to a front, and some that nearly do.
fn command() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "EHLO ann.test",
        "EHLO ann.test",
        "EHLO",
        "HELO ann.test",
        "STARTTLS",
        "NOOP",
        "RSET",
        "HELP",
        "VRFY ann",
        "QUIT",
        "MAIL FROM:<ann@a.test>",
        "DATA",
        "AUTH",
        "AUTH PLAIN",
        "AUTH PLAIN AGFubgBzZWNyZXQ=",
        "auth plain =",
        "AUTH LOGIN",
        "AGFubgBzZWNyZXQ=",
        "YW5u",
        "AUTH XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgeAEB",
        "AUTH OAUTHBEARER",
        "AQ==",
        "*",
        "",
        "GET / HTTP/1.1",
    ]);
    prop_oneof![
        8 => known.prop_map(|line| line.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (0..14_000_usize).prop_map(|length| vec![b'x'; length]),
        1 => (0..14_000_usize).prop_map(|length| [&b"AUTH PLAIN "[..], &vec![b'A'; length]].concat()),
    ]
}

/// Lines that a server may say, and some that it may not.
fn reply() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "220 mx",
        "250 Ok",
        "250 Ok",
        "250-Ok",
        "250 PIPELINING",
        "250-STARTTLS",
        "250 STARTTLS",
        "250-AUTH PLAIN LOGIN OAUTHBEARER",
        "250 AUTH LOGIN",
        "250-XCLIENT ADDR HELO",
        "334 ",
        "334 AQ==",
        "334 !",
        "354 go",
        "235 2.7.0 in",
        "221 bye",
        "421 4.3.2 bye",
        "454 4.7.0 later",
        "500 what?",
        "535 5.7.8 no",
        "550-5.1.1 no",
        "550 5.1.1 no",
        "* OK",
        "+OK",
    ]);
    prop_oneof![
        20 => known.prop_map(|line| line.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (0..14_000_usize).prop_map(|length| [&b"334 "[..], &vec![b'A'; length]].concat()),
    ]
}

/// Replies that lead somewhere: the first octet's settings and a server that agrees with most.
fn agreeable() -> impl Strategy<Value = Vec<u8>> {
    let code = prop::sample::select(vec!["250", "250", "250", "354", "450", "550", "421", "221"]);
    (any::<u8>(), prop::collection::vec(code, 0..12)).prop_map(|(choice, codes)| {
        let mut octets = vec![choice];
        octets.extend_from_slice(b"220 mx\r\n250-mx\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n");
        if choice & 1 != 0 {
            octets.extend_from_slice(b"220 go\r\n250 mx\r\n");
        }
        codes.iter().for_each(|code| octets.extend_from_slice(format!("{code} x\r\n").as_bytes()));
        octets
    })
}

proptest! {
    #[test]
    fn a_front_answers_any_client(data in dialogue(2, command())) {
        submission_front(&data);
    }

    #[test]
    fn a_back_bears_any_server(data in dialogue(1, reply())) {
        submission_back(&data);
        smtp_back(&data);
    }

    #[test]
    fn a_back_bears_any_turn_of_a_sound_server(data in agreeable()) {
        submission_back(&data);
        smtp_back(&data);
    }

    #[test]
    fn any_octets_at_all(data in prop::collection::vec(any::<u8>(), 0..600)) {
        submission_front(&data);
        submission_back(&data);
        smtp_back(&data);
    }
}

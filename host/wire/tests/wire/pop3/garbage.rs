//! POP3 against peers that say anything at all.

use proptest::prelude::*;
use waypost_wire::fuzz::{pop3_back, pop3_front};

use crate::noise::dialogue;

/// Lines that mean something to a front, and some that nearly do.
fn command() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "USER ann",
        "USER",
        "PASS secret",
        "PASS  ",
        "CAPA",
        "NOOP",
        "STLS",
        "QUIT",
        "STAT",
        "AUTH",
        "AUTH PLAIN",
        "AUTH PLAIN AGFubgBzZWNyZXQ=",
        "AUTH PLAIN =",
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
        6 => known.prop_map(|line| line.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (0..14_000_usize).prop_map(|length| vec![b'x'; length]),
    ]
}

/// Lines that a server may say, and some that it may not.
fn reply() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "+OK",
        "+OK [XCLIENT] ready",
        "+ ",
        "+",
        "+ AQ==",
        "+ !",
        "-ERR",
        "-ERR [AUTH] no",
        "-ERR [SYS/TEMP] later",
        "-ERR [IN-USE] locked",
        "XCLIENT",
        ".",
        "* OK",
        "+OKAY",
    ]);
    prop_oneof![
        12 => known.prop_map(|line| line.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (0..14_000_usize).prop_map(|length| vec![b'x'; length]),
    ]
}

proptest! {
    #[test]
    fn a_front_answers_any_client(data in dialogue(2, command())) {
        pop3_front(&data);
    }

    #[test]
    fn a_back_bears_any_server(data in dialogue(1, reply())) {
        pop3_back(&data);
    }

    #[test]
    fn any_octets_at_all(data in prop::collection::vec(any::<u8>(), 0..600)) {
        pop3_front(&data);
        pop3_back(&data);
    }
}

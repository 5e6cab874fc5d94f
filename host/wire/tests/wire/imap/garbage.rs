//! IMAP and SASL against peers that say anything at all.

use proptest::prelude::*;
use waypost_wire::fuzz::{imap_back, imap_front, sasl};

use crate::noise::dialogue;

/// Lines that mean something to a front, and some that nearly do.
fn command() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "a LOGIN ann secret",
        "a LOGIN \"ann\" \"s\\\"\"",
        "a LOGIN {3}",
        "ann {6}",
        "secret",
        "a LOGIN {3+}",
        "ann {6+}",
        "a LOGIN {4096}",
        "a LOGIN {4097+}",
        "a LOGIN \"\" \"\"",
        "a CAPABILITY",
        "a NOOP",
        "a NOOP {2+}",
        "a ID NIL",
        "a ID (\"name\" \"x\")",
        "a ID ({4}",
        "name {0})",
        "a STARTTLS",
        "a LOGOUT",
        "a SELECT INBOX",
        "a X {10}",
        "a X {10+}",
        "a AUTHENTICATE PLAIN",
        "a AUTHENTICATE PLAIN AGFubgBzZWNyZXQ=",
        "a AUTHENTICATE PLAIN Ym9iAGFubgBzZWNyZXQ=",
        "a AUTHENTICATE PLAIN =",
        "a AUTHENTICATE LOGIN",
        "AGFubgBzZWNyZXQ=",
        "YW5u",
        "a AUTHENTICATE XOAUTH2 dXNlcj1hbm4BYXV0aD1CZWFyZXIgeAEB",
        "a AUTHENTICATE OAUTHBEARER",
        "AQ==",
        "*",
        "",
        "GET / HTTP/1.1",
    ]);
    prop_oneof![
        8 => known.prop_map(|line| line.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (0..17_000_usize).prop_map(|length| vec![b'x'; length]),
    ]
}

/// Lines that a server may say, and some that it may not.
fn response() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "* OK hi",
        "* OK [CAPABILITY IMAP4rev1 ID SASL-IR LITERAL- AUTH=PLAIN AUTH=XOAUTH2] hi",
        "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED AUTH=PLAIN] hi",
        "* PREAUTH hi",
        "* BYE bye",
        "* CAPABILITY IMAP4rev1 ID AUTH=XOAUTH2 LOGINDISABLED",
        "* CAPABILITY IMAP4rev1 UNAUTHENTICATE ]",
        "* X {3}",
        "* X {4000}",
        "W1 OK go",
        "W2 OK",
        "W3 BAD no",
        "W4 OK in",
        "W4 OK [CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN] in",
        "W4 OK [ALERT] in",
        "W4 NO no",
        "W4 NO [UNAVAILABLE] later",
        "W4 NO [ALERT] no",
        "W4 BAD no",
        "W5 OK",
        "+",
        "+ ",
        "+ e30=",
        "+ !",
        "*",
    ]);
    prop_oneof![
        16 => known.prop_map(|line| line.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (0..17_000_usize).prop_map(|length| vec![b'x'; length]),
    ]
}

/// Messages in base64, most of them of some mechanism.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "",
        "*",
        "ann",
        "\0ann\0secret",
        "bob\0ann\0secret",
        "\0\0",
        "user=ann\u{1}auth=Bearer x\u{1}\u{1}",
        "user=\u{1}\u{1}",
        "n,a=ann,\u{1}auth=Bearer x\u{1}\u{1}",
        "y,a=a=2Cb,\u{1}\u{1}",
        "n,,\u{1}\u{1}",
    ]);
    let octets = prop_oneof![
        4 => known.prop_map(|message| message.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    (octets, any::<bool>()).prop_map(|(octets, encoded)| {
        let mut out = Vec::new();
        if encoded {
            waypost_wire::sasl::encode(&octets, &mut out);
        }
        if encoded { out } else { octets }
    })
}

/// As above, for a peer that says its greeting properly.
fn greeted(line: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let greeting = prop::sample::select(vec![
        "* OK hi\r\n",
        "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n",
        "* OK [CAPABILITY IMAP4rev1 ID AUTH=PLAIN AUTH=XOAUTH2] hi\r\n",
        "* OK [CAPABILITY IMAP4rev1 SASL-IR LOGINDISABLED AUTH=PLAIN AUTH=XOAUTH2] hi\r\n",
    ]);
    (greeting, dialogue(1, line)).prop_map(|(greeting, mut octets)| {
        octets.splice(1..1, greeting.bytes());
        octets
    })
}

fn sasl_lines() -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), prop::collection::vec(message(), 0..4))
        .prop_map(|(choice, lines)| [&[choice], &lines.join(&b'\n')[..]].concat())
}

proptest! {
    #[test]
    fn a_front_answers_any_client(data in dialogue(2, command())) {
        imap_front(&data);
    }

    #[test]
    fn a_back_bears_any_server(data in greeted(response())) {
        imap_back(&data);
    }

    #[test]
    fn an_exchange_bears_any_client(data in sasl_lines()) {
        sasl(&data);
    }

    #[test]
    fn any_octets_at_all(data in prop::collection::vec(any::<u8>(), 0..600)) {
        imap_front(&data);
        imap_back(&data);
        sasl(&data);
    }
}

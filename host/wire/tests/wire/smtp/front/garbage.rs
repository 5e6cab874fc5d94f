//! The fuzz functions, given what proptest makes of what it knows.

use proptest::prelude::*;
use waypost_wire::fuzz::{smtp_content, smtp_front, smtp_path};

/// Lines that a client may say, and some that it may not.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "EHLO client.test",
        "LHLO client.test",
        "HELO client.test",
        "EHLO",
        "MAIL FROM:<a@a.test>",
        "MAIL FROM:<> SIZE=99",
        "MAIL FROM:<\u{fc}@a.test> SMTPUTF8 BODY=8BITMIME",
        "MAIL FROM:<a@a.test> SIZE=101 RET=FULL ENVID=x",
        "RCPT TO:<b@b.test>",
        "RCPT TO:<b@b.test>",
        "RCPT TO:<postmaster> NOTIFY=NEVER",
        "RCPT TO:<a%b@b.test>",
        "RCPT TO:<\"\"@x>",
        "RCPT TO:<\u{fc}@b.test> ORCPT=utf-8;\u{fc}",
        "DATA",
        "DATA",
        "BDAT 0",
        "BDAT 5",
        "BDAT 5 LAST",
        "BDAT 0 LAST",
        "BDAT 2000",
        "BDAT 99999999999",
        "BDAT x",
        "RSET",
        "NOOP",
        "VRFY b",
        "EXPN b",
        "HELP",
        "STARTTLS",
        "AUTH PLAIN",
        "QUIT",
        "GET / HTTP/1.1",
        ".",
        "..",
        ".\r",
        "",
        "a\rb",
        "text",
    ]);
    prop_oneof![
        24 => known.prop_map(|line| line.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (0..3_000_usize).prop_map(|length| vec![b'x'; length]),
    ]
}

/// Lines that end as lines should, and some that do not.
fn lines(choices: usize) -> impl Strategy<Value = Vec<u8>> {
    let end = prop::sample::select(vec!["\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", ""]);
    let lines = prop::collection::vec((line(), end), 0..24);
    (prop::collection::vec(any::<u8>(), choices), lines).prop_map(|(mut octets, lines)| {
        for (line, end) in lines {
            octets.extend_from_slice(&line);
            octets.extend_from_slice(end.as_bytes());
        }
        octets
    })
}

/// A client that has introduced itself, so that more of what follows means something.
fn session() -> impl Strategy<Value = Vec<u8>> {
    lines(2).prop_map(|mut octets| {
        let hello = if octets[0] & 2 == 0 { "EHLO a\r\n" } else { "LHLO a\r\n" };
        let open = format!("{hello}MAIL FROM:<a@a.test>\r\nRCPT TO:<b@b.test>\r\n");
        octets.splice(2..2, open.into_bytes());
        octets
    })
}

proptest! {
    #[test]
    fn a_front_answers_any_client(data in prop_oneof![lines(2), session()]) {
        smtp_front(&data);
    }

    #[test]
    fn any_content_passes(data in lines(1)) {
        smtp_content(&data);
    }

    #[test]
    fn any_octets_at_all(data in prop::collection::vec(any::<u8>(), 0..600)) {
        smtp_front(&data);
        smtp_content(&data);
        smtp_path(&data);
    }

    #[test]
    fn any_path_and_parameter(
        text in "(MAIL FROM:|RCPT TO:)<(@[a-z.]{1,4}[,:])?\"?(\\PC|\\\\?[ -~]){0,12}\"?@?\\PC{0,6}(\\.test)?>( (ORCPT=(utf-8|rfc822);|ENVID=|NOTIFY=)\\PC{1,9}| SMTPUTF8)?",
    ) {
        smtp_path(text.as_bytes());
    }
}

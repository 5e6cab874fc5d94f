//! STARTTLS (RFC 3207).

use waypost_model::Encryption;
use waypost_wire::login::{Advance, CloseReason};
use waypost_wire::smtp::{Front, FrontAction, FrontSettings};

use super::transcript::{EHLO, session, smtp};

fn starttls() -> FrontSettings {
    FrontSettings { encryption: Encryption::Starttls, ..smtp() }
}

#[test]
fn what_was_said_before_is_forgotten() {
    let plain = [
        "C: EHLO client.test",
        "S: 250-mx.example.test",
        "S: 250-PIPELINING",
        "S: 250-SIZE 1000",
        "S: 250-STARTTLS",
        "S: 250-ENHANCEDSTATUSCODES",
        "S: 250-8BITMIME",
        "S: 250 CHUNKING",
        "C: MAIL FROM:<a@a.test>",
        "A: mail <a@a.test>",
        "D: 250 2.1.0 Ok",
        "S: 250 2.1.0 Ok",
        "C: STARTTLS",
        "S: 503 5.5.1 A transaction is open: end it or say RSET.",
        "C: RSET",
        "S: 250 2.0.0 Ok.",
        "A: reset",
        "C: STARTTLS please",
        "S: 501 5.5.4 This command takes no argument.",
        "C: STARTTLS",
        "S: 220 2.0.0 Begin TLS.",
        "A: starttls",
        "T: ",
        "C: MAIL FROM:<a@a.test>",
        "S: 503 5.5.1 Say EHLO first.",
        "C: EHLO client.test",
    ];
    let again = ["C: STARTTLS", "S: 503 5.5.1 TLS has begun already."];
    session(&starttls(), &[&plain, EHLO, &again].concat());
}

#[test]
fn tls_where_there_is_none() {
    let settings = FrontSettings { encryption: Encryption::None, ..smtp() };
    let script = [&["C: EHLO client.test"], EHLO].concat();
    let refused = ["C: STARTTLS", "S: 502 5.5.1 This command is not available."];
    session(&settings, &[&script[..], &refused].concat());
    session(&smtp(), &["C: STARTTLS", "S: 503 5.5.1 TLS has begun already."]);
}

#[test]
fn plaintext_behind_starttls_closes_the_session() {
    let sent = b"STARTTLS\r\nMAIL FROM:<eve@evil.test>\r\n";
    let command = b"STARTTLS\r\n".len();
    for cut in command..=sent.len() {
        let mut out = Vec::new();
        let mut front = Front::new(starttls().into());
        let close = FrontAction::Close(CloseReason::PlaintextAfterStarttls);
        let words = "421 4.7.0 Nothing may follow STARTTLS before TLS has begun.\r\n";
        if cut > command {
            // In one segment: no go-ahead.
            assert_eq!(
                front.advance(&sent[..cut], &mut out),
                Advance { consumed: command, action: close }
            );
            assert_eq!(String::from_utf8(out).unwrap(), words);
        } else {
            // Later than the go-ahead, to a driver that does not start TLS at once.
            assert_eq!(front.advance(&sent[..cut], &mut out).action, FrontAction::StartTls);
            assert_eq!(front.advance(b"", &mut out).action, FrontAction::Read);
            assert_eq!(front.advance(&sent[cut..], &mut out).action, close);
            assert_eq!(String::from_utf8(out).unwrap(), format!("220 2.0.0 Begin TLS.\r\n{words}"));
        }
    }
}

use std::sync::Arc;

use waypost_model::{Encryption, Protocol};

use super::dialogue::{Next, Player, check_lines, check_same, crumbs, lines, play};
use crate::Front;
use crate::login::{Accepted, Answer, FrontAction, FrontSettings, SaslResponse};

/// A front. The first octet of `data` chooses the settings, the second the driver's decisions, the
/// rest is what the client sends.
///
/// However the input is cut, output and actions are the same; every line that goes out ends with
/// CRLF and holds no other line end.
pub(super) fn front(protocol: Protocol, data: &[u8]) {
    let Some(([choice, decisions], input)) = data.split_first_chunk::<2>() else { return };
    let settings = Arc::new(FrontSettings {
        encryption: if choice & 1 == 0 { Encryption::Implicit } else { Encryption::Starttls },
        allow_plaintext: choice & 2 == 0,
        allow_authorisation: choice & 4 == 0,
        ..FrontSettings::default()
    });
    let player = || FrontPlayer {
        front: Front::new(protocol, settings.clone()).expect("a protocol with a dialogue"),
        decisions: *decisions,
    };

    let by_line = play(lines(input), player());
    check_same(&by_line, &play(crumbs(input), player()), "octet by octet");
    // What stands behind STARTTLS and STLS closes the session, so there the cuts matter.
    if !by_line.windows(5).any(|part| part == b"[tls]") {
        check_same(&by_line, &play([input], player()), "uncut");
    }
}

struct FrontPlayer {
    front: Front,
    decisions: u8,
}

impl Player for FrontPlayer {
    fn step(&mut self, unread: &[u8], record: &mut Vec<u8>) -> (usize, Next) {
        let start = record.len();
        let advance = self.front.advance(unread, record);
        check_lines(&record[start..]);
        let next = match advance.action {
            FrontAction::Read => Next::Read,
            FrontAction::StartTls => {
                record.extend_from_slice(b"[tls]");
                self.front.tls_started();
                Next::Act
            }
            FrontAction::Login(credential) => {
                assert!(!credential.name().contains(char::is_control));
                assert!(credential.password().is_none_or(|password| !password.is_empty()));
                record.extend_from_slice(format!("[{credential:?}]").as_bytes());
                self.decide(credential.password().is_none(), record)
            }
            FrontAction::Response(response) => {
                record.extend_from_slice(format!("[{response:?}]").as_bytes());
                match response {
                    SaslResponse::Data(_) => self.decide(true, record),
                    SaslResponse::Cancel => self.reject(record),
                }
            }
            FrontAction::Close(reason) => {
                record.extend_from_slice(format!("[{}]", reason.as_str()).as_bytes());
                Next::End
            }
        };
        (advance.consumed, next)
    }
}

impl FrontPlayer {
    fn decide(&mut self, token: bool, record: &mut Vec<u8>) -> Next {
        let decision = self.decisions & 3;
        self.decisions = self.decisions.rotate_right(2);
        match decision {
            0 => {
                self.front.accept(&Accepted::default(), record);
                Next::End
            }
            1 if token => {
                self.front.challenge(b"{}", record);
                Next::Act
            }
            _ => self.reject(record),
        }
    }

    fn reject(&mut self, record: &mut Vec<u8>) -> Next {
        self.front.answer(&Answer::Rejected, record);
        Next::Act
    }
}

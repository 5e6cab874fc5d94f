//! A mail client's login, played to a front.

use std::collections::VecDeque;

use waypost_wire::Front;
use waypost_wire::login::{Accepted, Answer, Credential, FrontAction, Mechanism, SaslResponse};

use crate::replay::{Player, replay};

/// What the driver does when the front asks for a decision.
#[derive(Clone, Debug)]
pub(crate) enum Decide {
    Accept(&'static str),
    Answer(Answer),
    Challenge(&'static [u8]),
}

/// Plays the client's segments to a front and compares all that it says and does.
#[track_caller]
pub(crate) fn session(
    front: impl Fn() -> Front,
    decisions: &[Decide],
    segments: &[&str],
    expected: &str,
) {
    let segments: Vec<&[u8]> = segments.iter().map(|segment| segment.as_bytes()).collect();
    let player = || Driver { front: front(), decisions: decisions.to_vec().into(), closed: false };
    assert_eq!(replay(&segments, player), expected);
}

struct Driver {
    front: Front,
    decisions: VecDeque<Decide>,
    closed: bool,
}

impl Player for Driver {
    fn step(&mut self, unread: &[u8], record: &mut Vec<u8>) -> (usize, bool) {
        if self.closed {
            return (0, false);
        }
        let advance = self.front.advance(unread, record);
        assert!(advance.consumed <= unread.len());
        match advance.action {
            FrontAction::Read => return (advance.consumed, false),
            FrontAction::StartTls => {
                record.extend_from_slice(b"[tls]\r\n");
                self.front.tls_started();
            }
            FrontAction::Login(credential) => {
                record.extend_from_slice(described(&credential).as_bytes());
                self.decide(record);
            }
            FrontAction::Response(SaslResponse::Data(data)) => {
                let data = String::from_utf8_lossy(data.expose());
                record.extend_from_slice(format!("[response {data}]\r\n").as_bytes());
                self.decide(record);
            }
            FrontAction::Response(SaslResponse::Cancel) => {
                record.extend_from_slice(b"[response cancelled]\r\n");
                self.decide(record);
            }
            FrontAction::Close(reason) => {
                record.extend_from_slice(format!("[close {}]\r\n", reason.as_str()).as_bytes());
                self.closed = true;
            }
        }
        (advance.consumed, true)
    }
}

impl Driver {
    fn decide(&mut self, record: &mut Vec<u8>) {
        match self.decisions.pop_front().unwrap() {
            Decide::Accept(text) => {
                let accepted = Accepted { text: text.into(), ..Accepted::default() };
                self.front.accept(&accepted, record);
            }
            Decide::Answer(answer) => self.front.answer(&answer, record),
            Decide::Challenge(data) => self.front.challenge(data, record),
        }
    }
}

fn described(credential: &Credential) -> String {
    let mechanism = credential.mechanism().map_or("USER", Mechanism::as_str);
    let by = credential.authentication_id().map(|id| format!(" by {id}")).unwrap_or_default();
    let secret = match credential {
        Credential::Password { password, .. } => password.expose(),
        Credential::Token { initial_response, .. } => initial_response.expose(),
        Credential::Digest { challenge, .. } => challenge.as_bytes(),
        Credential::Certificate { .. } => b"",
    };
    format!(
        "[login {mechanism} {}{by}: {}]\r\n",
        credential.name(),
        String::from_utf8_lossy(secret)
    )
}

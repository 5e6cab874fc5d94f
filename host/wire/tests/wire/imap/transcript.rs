//! Dialogues as they are written down, line by line:
//!
//! - `C: ` what the client sends, `S: ` what the server sends, CRLF to be added; `C- ` and `S- `
//!   add none, for what does not end with a line;
//! - `A: ` an action that the dialogue wants done, `D: ` what the driver does then;
//! - `T: ` TLS begins;
//! - `R: ` what is left for the relay.
//!
//! What the tested half says and wants must come out exactly so, however its peer's octets are cut.
//! Characters are octets, in Latin-1.

use waypost_wire::imap::{Back, Front};
use waypost_wire::login::{
    Accepted, Answer, BackAction, BackSettings, Credential, FrontAction, FrontSettings, MAX_UNREAD,
    Rejection, SaslResponse,
};

use crate::replay::{Player, replay};

/// Replays a dialogue with the front.
#[track_caller]
pub(crate) fn front(settings: &FrontSettings, script: &[&str]) {
    // A client may send everything at once, but what comes under TLS.
    let segments = segments(script, "C", |line| line.starts_with("T:"));
    let player =
        || FrontPlayer { front: Front::new(settings.clone().into()), driver: driver(script) };
    assert_eq!(played(&segments, player), expected(script, "S"));
}

/// Replays a dialogue with a back end.
#[track_caller]
pub(crate) fn back(settings: &BackSettings, login: &Login, script: &[&str]) {
    // A server waits for what it answers.
    let segments = segments(script, "S", |line| !line.starts_with('S'));
    let player = || BackPlayer {
        back: Back::new(settings.clone()),
        login: login.clone(),
        driver: driver(script),
        over: false,
    };
    assert_eq!(played(&segments, player), expected(script, "C"));
}

/// What the driver logs in with.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) credential: Credential,
    pub(crate) identity: Option<&'static str>,
}

/// The octets that a script means.
pub(crate) fn octets(text: &str) -> Vec<u8> {
    text.chars().map(|octet| u8::try_from(u32::from(octet)).unwrap()).collect()
}

fn latin1(octets: &[u8]) -> String {
    octets.iter().map(|&octet| char::from(octet)).collect()
}

type Driver = std::vec::IntoIter<String>;

fn driver(script: &[&str]) -> Driver {
    let lines: Vec<String> =
        script.iter().filter_map(|line| line.strip_prefix("D: ")).map(str::to_owned).collect();
    lines.into_iter()
}

fn played<P: Player>(segments: &[Vec<u8>], player: impl Fn() -> P) -> String {
    let segments: Vec<&[u8]> = segments.iter().map(Vec::as_slice).collect();
    replay(&segments, player)
}

fn segments(script: &[&str], peer: &str, ends: impl Fn(&str) -> bool) -> Vec<Vec<u8>> {
    let mut segments = vec![Vec::new()];
    for line in script {
        let last = segments.last_mut().unwrap();
        if let Some(said) = line.strip_prefix(peer) {
            last.extend(octets(&said[2..]));
            last.extend_from_slice(if said.starts_with(':') { b"\r\n" } else { b"" });
        } else if ends(line) && !last.is_empty() {
            segments.push(Vec::new());
        }
    }
    segments
}

fn expected(script: &[&str], tested: &str) -> String {
    let mut record = String::new();
    for line in script {
        let (kind, rest) = line.split_at(3);
        let shown = |text: &str| octets(text).escape_ascii().to_string();
        match kind {
            "A: " => record += &format!("{}\n", shown(line)),
            "R: " => record += &format!("unread: {}", shown(rest)),
            _ if kind.starts_with(tested) => record += &format!("{}\n", shown(rest)),
            _ => {}
        }
    }
    record
}

fn note(record: &mut Vec<u8>, action: &str) {
    record.extend(octets(&format!("A: {action}\r\n")));
}

struct FrontPlayer {
    front: Front,
    driver: Driver,
}

impl Player for FrontPlayer {
    fn step(&mut self, unread: &[u8], record: &mut Vec<u8>) -> (usize, bool) {
        let advance = self.front.advance(unread, record);
        match advance.action {
            FrontAction::Read => {
                assert!(advance.consumed > 0 || unread.len() < MAX_UNREAD, "stuck");
                return (advance.consumed, false);
            }
            // Closed is closed: what is unread stays so.
            FrontAction::Close(reason) => {
                let action = format!("A: close {}\r\n", reason.as_str());
                if !record.ends_with(action.as_bytes()) {
                    record.extend_from_slice(action.as_bytes());
                }
                return (advance.consumed, false);
            }
            FrontAction::StartTls => {
                note(record, "starttls");
                self.front.tls_started();
            }
            FrontAction::Login(credential) => {
                note(record, &format!("login {}", shown(&credential)));
                self.drive(record);
            }
            FrontAction::Response(SaslResponse::Data(data)) => {
                note(record, &format!("response {}", latin1(data.expose())));
                self.drive(record);
            }
            FrontAction::Response(SaslResponse::Cancel) => {
                note(record, "response cancelled");
                self.drive(record);
            }
        }
        (advance.consumed, true)
    }
}

impl FrontPlayer {
    fn drive(&mut self, out: &mut Vec<u8>) {
        let Some(line) = self.driver.next() else { return };
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match verb {
            "reject" => Answer::Rejected,
            "deny" => Answer::Denied,
            "unavailable" => Answer::Unavailable,
            "refuse" => {
                let (code, text) = rest.split_once('|').unwrap();
                let code = (!code.is_empty()).then(|| code.to_owned());
                Answer::RejectedByBackend(Rejection { code, text: text.into() })
            }
            "challenge" => return self.front.challenge(rest.as_bytes(), out),
            "accept" => {
                let mut parts = rest.split('|');
                let mut part = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
                let accepted = Accepted {
                    capabilities: part(),
                    text: part().unwrap_or_default(),
                    untagged: octets(&part().map(|line| line + "\r\n").unwrap_or_default()),
                };
                return self.front.accept(&accepted, out);
            }
            other => panic!("the driver cannot {other}"),
        };
        self.front.answer(&answer, out);
    }
}

fn shown(credential: &Credential) -> String {
    match credential {
        Credential::Password { mechanism, authentication_id, authorisation_id, password } => {
            format!(
                "{} {:?} {:?} {:?}",
                mechanism.map_or("-", |mechanism| mechanism.as_str()),
                authentication_id,
                authorisation_id.as_deref().unwrap_or_default(),
                latin1(password.expose()),
            )
        }
        Credential::Token { mechanism, user, initial_response } => {
            format!("{mechanism} {user:?} {:?}", latin1(initial_response.expose()))
        }
        Credential::Digest { user, challenge, .. } => format!("digest {user:?} {challenge}"),
        Credential::Certificate { name } => format!("certificate {name:?}"),
    }
}

struct BackPlayer {
    back: Back,
    login: Login,
    driver: Driver,
    over: bool,
}

impl Player for BackPlayer {
    fn step(&mut self, unread: &[u8], record: &mut Vec<u8>) -> (usize, bool) {
        if self.over {
            return (0, false);
        }
        let advance = self.back.advance(unread, record);
        match advance.action {
            BackAction::Read => {
                assert!(advance.consumed > 0 || unread.len() < MAX_UNREAD, "stuck");
                return (advance.consumed, false);
            }
            BackAction::StartTls => {
                note(record, "starttls");
                self.back.tls_started();
            }
            BackAction::Ready => {
                note(record, "ready");
                let Login { credential, identity } = &self.login;
                if let Err(failure) = self.back.login(credential, *identity, record) {
                    self.end(record, &format!("failed {}", failure.kind()));
                }
            }
            BackAction::Challenge(data) => {
                note(record, &format!("challenge {}", latin1(&data)));
                let response = match self.driver.next().unwrap().as_str() {
                    "cancel" => SaslResponse::Cancel,
                    line => SaslResponse::Data(line.strip_prefix("respond ").unwrap().into()),
                };
                self.back.respond(&response, record);
            }
            BackAction::Accepted(accepted) => {
                let untagged = latin1(&accepted.untagged);
                for line in untagged.split_terminator("\r\n") {
                    note(record, &format!("pass on {line}"));
                }
                let capabilities = accepted.capabilities.as_deref().unwrap_or("-");
                self.end(record, &format!("accepted {capabilities} | {}", accepted.text));
            }
            BackAction::Rejected(Rejection { code, text }) => {
                self.end(record, &format!("rejected {} | {text}", code.as_deref().unwrap_or("-")));
            }
            BackAction::Failed(failure) => self.end(record, &format!("failed {}", failure.kind())),
        }
        (advance.consumed, true)
    }
}

impl BackPlayer {
    fn end(&mut self, record: &mut Vec<u8>, action: &str) {
        note(record, action);
        self.over = true;
    }
}

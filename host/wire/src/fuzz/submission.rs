use std::sync::Arc;

use waypost_model::{Encryption, Protocol, Secret};

use super::dialogue::{Next, Player, check_lines, check_same, crumbs, lines, play};
use super::front::front;
use crate::login::{
    BackAction, BackSettings, ClientIdentity, Credential, Mechanism, SaslResponse, printable,
};
use crate::sasl;
use crate::smtp::submission::Back;

/// Submission as mail clients speak it; `front` says how `data` is read and what holds.
pub fn submission_front(data: &[u8]) {
    front(Protocol::Submission, data);
}

/// Submission as back ends speak it. The first octet chooses settings and credential, the rest is
/// what the server sends, each line when the one before has been dealt with.
///
/// However a line is cut, output and actions are the same. Before TLS nothing but the way to it is
/// said, no secret before the driver has given it, and nobody is let in before it has gone out.
pub fn submission_back(data: &[u8]) {
    let Some((&choice, input)) = data.split_first() else { return };
    let player = || BackPlayer {
        back: Back::new(settings(choice)),
        credential: credential(choice),
        cancels: choice & 0x40 != 0,
        encrypted: choice & 1 == 0,
        ready: false,
        said: false,
    };
    let by_line = play(lines(input), player());
    check_same(&by_line, &play(crumbs(input), player()), "octet by octet");
    // Uncut, replies come before they are asked for, which is another story; it must end as well.
    play([input], player());
}

fn settings(choice: u8) -> BackSettings {
    let client = ClientIdentity {
        client: ([192, 0, 2, 1], 50123).into(),
        local: ([192, 0, 2, 2], 587).into(),
        session: Arc::from("s-1"),
        ttl: 1,
    };
    BackSettings {
        ttl: None,
        encryption: if choice & 1 == 0 { Encryption::None } else { Encryption::Starttls },
        client: (choice & 2 != 0).then_some(client),
        hostname: Arc::from("mx.test"),
        hello: (choice & 32 != 0).then(|| Arc::from("ann.test")),
    }
}

fn credential(choice: u8) -> Credential {
    if choice & 4 != 0 {
        return Credential::Token {
            mechanism: Mechanism::OauthBearer,
            user: "ann".into(),
            initial_response: Secret::from("n,a=ann,\x01auth=Bearer x\x01\x01"),
        };
    }
    Credential::Password {
        mechanism: None,
        authentication_id: "ann".into(),
        authorisation_id: (choice & 8 != 0).then(|| "bob".into()),
        password: Secret::new(vec![b'p'; if choice & 16 == 0 { 8 } else { 600 }]),
    }
}

struct BackPlayer {
    back: Back,
    credential: Credential,
    cancels: bool,
    encrypted: bool,
    ready: bool,
    /// Whether the secret has gone out.
    said: bool,
}

impl Player for BackPlayer {
    fn step(&mut self, unread: &[u8], record: &mut Vec<u8>) -> (usize, Next) {
        let start = record.len();
        let advance = self.back.advance(unread, record);
        let said = &record[start..];
        check_lines(said);
        if !self.encrypted {
            let way: [&[u8]; 3] = [b"", b"EHLO mx.test\r\n", b"STARTTLS\r\n"];
            assert!(way.contains(&said), "said in clear");
        } else if !self.ready {
            let ways: [&[u8]; 3] = [b"EHLO mx.test\r\n", b"EHLO ann.test\r\n", b"XCLIENT "];
            assert!(said.is_empty() || ways.iter().any(|way| said.starts_with(way)));
        }
        self.note(start, record);
        (advance.consumed, self.act(advance.action, record))
    }
}

impl BackPlayer {
    /// Looks for the secret in what has just been said.
    fn note(&mut self, start: usize, record: &[u8]) {
        let said = &record[start..];
        self.said |= match &self.credential {
            // What stands before a password shifts its base64; equal octets do not care.
            Credential::Password { .. } => {
                ["cHBw", "BwcH", "wcHB"].iter().any(|password| contains(said, password.as_bytes()))
            }
            Credential::Digest { .. } | Credential::Certificate { .. } => false,
            Credential::Token { initial_response, .. } => {
                let mut message = Vec::new();
                sasl::encode(initial_response.expose(), &mut message);
                contains(said, &message)
            }
        };
        assert!(self.ready || !self.said, "the secret went out unasked");
    }

    fn act(&mut self, action: BackAction, record: &mut Vec<u8>) -> Next {
        let start = record.len();
        match action {
            BackAction::Read => return Next::Read,
            BackAction::StartTls => {
                assert!(!self.encrypted, "TLS twice");
                self.encrypted = true;
                record.extend_from_slice(b"[tls]");
                self.back.tls_started();
            }
            BackAction::Ready => {
                assert!(self.encrypted && !self.ready, "ready in clear, or twice");
                self.ready = true;
                if let Err(failure) = self.back.login(&self.credential, None, record) {
                    assert_eq!(record.len(), start, "said although there is no way");
                    record.extend_from_slice(format!("[{failure}]").as_bytes());
                    return Next::End;
                }
                check_lines(&record[start..]);
                self.note(start, record);
            }
            BackAction::Challenge(_) => {
                assert!(self.said && self.credential.password().is_none());
                let response = match self.cancels {
                    true => SaslResponse::Cancel,
                    false => SaslResponse::Data(Secret::from("\x01")),
                };
                self.back.respond(&response, record);
                check_lines(&record[start..]);
            }
            BackAction::Accepted(accepted) => {
                assert!(self.said, "let in without a password");
                assert_eq!(accepted.text, printable(accepted.text.as_bytes()));
                record.extend_from_slice(b"[accepted]");
                return Next::End;
            }
            BackAction::Rejected(rejection) => {
                let words = rejection.code.clone().unwrap_or_default() + &rejection.text;
                assert!(!words.contains(|c: char| !c.is_ascii() || c.is_ascii_control()));
                record.extend_from_slice(b"[rejected]");
                return Next::End;
            }
            BackAction::Failed(failure) => {
                record.extend_from_slice(format!("[{failure}]").as_bytes());
                return Next::End;
            }
        }
        Next::Act
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

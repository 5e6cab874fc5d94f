use std::sync::Arc;

use waypost_model::{Encryption, Protocol, Secret};

use super::dialogue::{Next, Player, check_lines, check_same, crumbs, lines, play};
use super::front::front;
use crate::imap::Back;
use crate::login::{
    BackAction, BackSettings, ClientIdentity, Credential, Mechanism, SaslResponse, printable,
};

/// IMAP as mail clients speak it; `front` says how `data` is read and what holds.
pub fn imap_front(data: &[u8]) {
    front(Protocol::Imap, data);
}

/// IMAP as back ends speak it. The first octet chooses settings and credential, the rest is what
/// the server sends, each line when the one before has been dealt with.
///
/// However a line is cut, output and actions are the same. Nothing but the way to TLS is said
/// before it, no credential before the driver has given it, and what is passed on is whole lines
/// of a bounded size, with capabilities that mean something after the login.
pub fn imap_back(data: &[u8]) {
    let Some((&choice, input)) = data.split_first() else { return };
    let player = || BackPlayer {
        back: Back::new(settings(choice)),
        credential: credential(choice),
        identity: (choice & 0x80 != 0).then_some("carol"),
        cancels: choice & 0x40 != 0,
        encrypted: choice & 1 == 0,
        ready: false,
    };
    let by_line = play(lines(input), player());
    check_same(&by_line, &play(crumbs(input), player()), "octet by octet");
    // Uncut, replies come before they are asked for, which is another story; it must end as well.
    play([input], player());
}

fn settings(choice: u8) -> BackSettings {
    let client = ClientIdentity {
        client: ([192, 0, 2, 1], 50123).into(),
        local: ([192, 0, 2, 2], 143).into(),
        session: Arc::from("s-1"),
        ttl: 1,
    };
    BackSettings {
        encryption: if choice & 1 == 0 { Encryption::None } else { Encryption::Starttls },
        client: (choice & 2 != 0).then_some(client),
        ..BackSettings::default()
    }
}

fn credential(choice: u8) -> Credential {
    if choice & 4 != 0 {
        return Credential::Token {
            mechanism: Mechanism::XOauth2,
            user: "ann".into(),
            initial_response: Secret::from("user=ann\x01auth=Bearer x\x01\x01"),
        };
    }
    let octet = if choice & 16 == 0 { b'p' } else { 0xE4 };
    Credential::Password {
        mechanism: None,
        authentication_id: "ann".into(),
        authorisation_id: (choice & 8 != 0).then(|| "bob".into()),
        password: Secret::new(vec![octet; if choice & 32 == 0 { 8 } else { 5000 }]),
    }
}

struct BackPlayer {
    back: Back,
    credential: Credential,
    identity: Option<&'static str>,
    cancels: bool,
    encrypted: bool,
    /// Whether the driver was told that the credential is due.
    ready: bool,
}

impl Player for BackPlayer {
    fn step(&mut self, unread: &[u8], record: &mut Vec<u8>) -> (usize, Next) {
        let start = record.len();
        let advance = self.back.advance(unread, record);
        let said = record.get(start..).unwrap_or_default();
        check_lines(said);
        if !self.encrypted {
            assert!(said.is_empty() || said == b"W1 STARTTLS\r\n", "said in clear");
        } else if !self.ready {
            assert!(said.is_empty() || said == b"W2 CAPABILITY\r\n", "said before it was ready");
        }
        (advance.consumed, self.act(advance.action, record))
    }
}

impl BackPlayer {
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
                if let Err(failure) = self.back.login(&self.credential, self.identity, record) {
                    assert_eq!(record.len(), start, "said although there is no way");
                    record.extend_from_slice(format!("[{failure}]").as_bytes());
                    return Next::End;
                }
                check_lines(record.get(start..).unwrap_or_default());
            }
            BackAction::Challenge(_) => {
                assert!(self.ready && self.credential.password().is_none());
                let response = match self.cancels {
                    true => SaslResponse::Cancel,
                    false => SaslResponse::Data(Secret::from("\x01")),
                };
                self.back.respond(&response, record);
                check_lines(record.get(start..).unwrap_or_default());
            }
            BackAction::Accepted(accepted) => {
                assert!(self.ready, "let in without a credential");
                assert_eq!(accepted.text, printable(accepted.text.as_bytes()));
                assert!(accepted.untagged.len() < 32 * 1024, "too much to pass on");
                assert!(accepted.untagged.is_empty() || accepted.untagged.ends_with(b"\r\n"));
                check_capabilities(accepted.capabilities.as_deref());
                record.extend_from_slice(format!("[{accepted:?}]").as_bytes());
                return Next::End;
            }
            BackAction::Rejected(rejection) => {
                let words = rejection.code.clone().unwrap_or_default() + &rejection.text;
                assert!(!words.contains(|c: char| !c.is_ascii() || c.is_ascii_control()));
                record.extend_from_slice(format!("[{rejection:?}]").as_bytes());
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

fn check_capabilities(capabilities: Option<&str>) {
    let Some(capabilities) = capabilities else { return };
    assert!(!capabilities.is_empty());
    for word in capabilities.split(' ') {
        let upper = word.to_ascii_uppercase();
        assert!(
            !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_graphic() && octet != b']')
        );
        assert!(!upper.starts_with("AUTH="));
        assert!(!["STARTTLS", "LOGINDISABLED", "UNAUTHENTICATE"].contains(&upper.as_str()));
    }
}

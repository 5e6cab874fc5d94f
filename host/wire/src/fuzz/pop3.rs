use std::sync::Arc;

use waypost_model::{Encryption, Protocol, Secret};

use super::dialogue::{Next, Player, check_lines, check_same, crumbs, lines, play};
use super::front::front;
use crate::login::{
    BackAction, BackSettings, ClientIdentity, Credential, Mechanism, SaslResponse, printable,
};
use crate::pop3::Back;

/// POP3 as mail clients speak it; `front` says how `data` is read and what holds.
pub fn pop3_front(data: &[u8]) {
    front(Protocol::Pop3, data);
}

/// POP3 as back ends speak it. The first octet chooses settings and credential, the rest is what
/// the server sends, each line when the one before has been dealt with.
///
/// However a line is cut, output and actions are the same. The password goes out only behind an
/// accepted USER or a challenge, and nobody is let in before it has gone out.
pub fn pop3_back(data: &[u8]) {
    let Some((&choice, input)) = data.split_first() else { return };
    let player = || BackPlayer {
        back: Back::new(settings(choice)),
        credential: credential(choice),
        cancels: choice & 0x40 != 0,
        line: Vec::new(),
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
        local: ([192, 0, 2, 2], 110).into(),
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
            mechanism: Mechanism::OauthBearer,
            user: "ann".into(),
            initial_response: Secret::from("n,a=ann,\x01auth=Bearer x\x01\x01"),
        };
    }
    Credential::Password {
        mechanism: None,
        authentication_id: "ann".into(),
        authorisation_id: (choice & 8 != 0).then(|| "bob".into()),
        password: Secret::new(vec![b'p'; if choice & 16 == 0 { 8 } else { 300 }]),
    }
}

struct BackPlayer {
    back: Back,
    credential: Credential,
    cancels: bool,
    /// The server's last line.
    line: Vec<u8>,
    /// Whether the secret has gone out.
    said: bool,
}

impl Player for BackPlayer {
    fn step(&mut self, unread: &[u8], record: &mut Vec<u8>) -> (usize, Next) {
        let start = record.len();
        let advance = self.back.advance(unread, record);
        if advance.consumed > 0 {
            self.line = unread[..advance.consumed].to_vec();
        }
        let said = &record[start..];
        check_lines(said);
        let commands: [&[u8]; 6] =
            [b"STLS\r\n", b"CAPA\r\n", b"XCLIENT ", b"USER ", b"AUTH ", b"*\r\n"];
        if !said.is_empty() && !commands.iter().any(|command| said.starts_with(command)) {
            assert!(self.line.starts_with(b"+"), "the secret went out unasked");
            self.said = true;
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
                record.extend_from_slice(b"[tls]");
                self.back.tls_started();
            }
            BackAction::Ready => {
                assert!(!self.said);
                self.back.login(&self.credential, None, record).expect("the credential is sound");
                check_lines(&record[start..]);
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

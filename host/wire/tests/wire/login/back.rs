//! A login at a back end, whose replies are played.

use std::collections::VecDeque;

use waypost_model::Secret;
use waypost_wire::Back;
use waypost_wire::login::{BackAction, Credential, Mechanism, SaslResponse};

use crate::replay::{Player, replay};

#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) credential: Credential,
    pub(crate) identity: Option<&'static str>,
}

/// Plays the back end's replies and compares all that a back says and does.
#[track_caller]
pub(crate) fn relayed(
    back: impl Fn() -> Back,
    login: &Login,
    responses: &[SaslResponse],
    replies: &[&str],
    expected: &str,
) {
    let segments: Vec<&[u8]> = replies.iter().map(|reply| reply.as_bytes()).collect();
    let player = || Driver {
        back: back(),
        login: login.clone(),
        responses: responses.to_vec().into(),
        over: false,
    };
    assert_eq!(replay(&segments, player), expected);
}

/// A password of `ann`'s, perhaps given `by` somebody else.
pub(crate) fn password(
    mechanism: Option<Mechanism>,
    by: Option<&str>,
    password: &str,
) -> Credential {
    Credential::Password {
        mechanism,
        authentication_id: by.unwrap_or("ann").into(),
        authorisation_id: by.map(|_| "ann".into()),
        password: Secret::from(password),
    }
}

/// A token of `ann`'s.
pub(crate) fn token() -> Credential {
    Credential::Token {
        mechanism: Mechanism::XOauth2,
        user: "ann".into(),
        initial_response: Secret::from("user=ann\x01auth=Bearer x\x01\x01"),
    }
}

/// A login under the client's own name.
pub(crate) fn login(credential: Credential) -> Login {
    Login { credential, identity: None }
}

struct Driver {
    back: Back,
    login: Login,
    responses: VecDeque<SaslResponse>,
    over: bool,
}

impl Player for Driver {
    fn step(&mut self, unread: &[u8], record: &mut Vec<u8>) -> (usize, bool) {
        if self.over {
            return (0, false);
        }
        let advance = self.back.advance(unread, record);
        assert!(advance.consumed <= unread.len());
        let note = match advance.action {
            BackAction::Read => return (advance.consumed, false),
            BackAction::StartTls => {
                self.back.tls_started();
                "[tls]".to_owned()
            }
            BackAction::Ready => {
                record.extend_from_slice(b"[ready]\r\n");
                let Login { credential, identity } = &self.login;
                match self.back.login(credential, *identity, record) {
                    Ok(()) => return (advance.consumed, true),
                    Err(failure) => self.end(format!("[failed {failure}]")),
                }
            }
            BackAction::Challenge(data) => {
                let data = String::from_utf8(data).unwrap();
                record.extend_from_slice(format!("[challenge {data}]\r\n").as_bytes());
                self.back.respond(&self.responses.pop_front().unwrap(), record);
                return (advance.consumed, true);
            }
            BackAction::Accepted(accepted) => {
                assert!(accepted.untagged.is_empty() && accepted.capabilities.is_none());
                self.end(format!("[accepted {}]", accepted.text))
            }
            BackAction::Rejected(rejection) => {
                let code = rejection.code.as_deref().unwrap_or("-");
                self.end(format!("[rejected {code} {}]", rejection.text))
            }
            BackAction::Failed(failure) => self.end(format!("[failed {failure}]")),
        };
        record.extend_from_slice(note.as_bytes());
        record.extend_from_slice(b"\r\n");
        (advance.consumed, true)
    }
}

impl Driver {
    fn end(&mut self, note: String) -> String {
        self.over = true;
        note
    }
}

//! The login at a back end: what is sent, piece by piece, and what comes back.

use std::collections::VecDeque;

use waypost_model::Secret;

use super::argument::{is_quotable, push_quoted};
use super::back::{ID, LOGIN, code};
use super::capability::{self, Capabilities};
use super::response::{Kind, Response, Words};
use super::{MAX_LITERAL, id};
use crate::login::{
    Accepted, BackAction, BackFailure, Credential, Introduction, Mechanism, SaslResponse, printable,
};
use crate::sasl;

/// The longest command line that a server must take, in octets (RFC 7162 section 4, RFC 9051
/// section 4).
const MAX_LINE: usize = 8192;
/// The longest quoted string, in octets: beyond, a literal keeps the line short.
const MAX_QUOTED: usize = 1000;
/// The most untagged responses that are kept for the client, in octets.
const MAX_PASSED_ON: usize = 16 * 1024;

/// A login under way.
#[derive(Debug)]
pub(super) struct Login {
    /// What is still to be sent, each piece when the back end asks for it.
    pieces: VecDeque<Secret>,
    /// Whether challenges are the client's to answer once all pieces are sent.
    relayed: bool,
    cancelled: bool,
    /// Whether ID was sent, and whether its reply has come.
    id_sent: bool,
    id_done: bool,
    capabilities: Option<String>,
    untagged: Vec<u8>,
}

/// What a response to a login came to.
#[derive(Debug)]
pub(super) enum Outcome<'a> {
    /// Not over.
    Open(Option<BackAction>),
    /// OK; the capabilities may still be missing.
    Accepted(Accepted),
    /// NO, or BAD.
    Refused { bad: bool, words: Words<'a> },
}

impl Login {
    /// Writes the first piece to `out`: ID, where there is an `introduction`, and with it the login, since
    /// the back end answers them in their order.
    pub(super) fn start(
        credential: &Credential,
        identity: Option<&str>,
        offered: Capabilities,
        introduction: Option<Introduction<'_>>,
        out: &mut Vec<u8>,
    ) -> Result<Self, BackFailure> {
        let mut command = Command::new(credential, identity);
        command.credential(credential, identity, offered)?;
        if let Some(introduction) = introduction {
            push_id(introduction, out);
        }
        let mut pieces = command.pieces;
        if let Some(first) = pieces.pop_front() {
            out.extend_from_slice(first.expose());
        }
        Ok(Self {
            pieces,
            relayed: matches!(credential, Credential::Token { .. }),
            cancelled: false,
            id_sent: introduction.is_some(),
            id_done: introduction.is_none(),
            capabilities: None,
            untagged: Vec::new(),
        })
    }

    /// Whether the client gave the exchange up.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    /// Writes the client's answer to a challenge.
    pub(super) fn respond(&mut self, response: &SaslResponse, out: &mut Vec<u8>) {
        match response {
            SaslResponse::Data(message) => sasl::encode(message.expose(), out),
            SaslResponse::Cancel => {
                self.cancelled = true;
                out.push(b'*');
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Takes a response; `octets` is the whole of it.
    pub(super) fn response<'a>(
        &mut self,
        response: Response<'a>,
        octets: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Outcome<'a>, BackFailure> {
        match response {
            Response::Continue(challenge) => self.asked(challenge, out).map(Outcome::Open),
            Response::Tagged { tag, .. } if tag == ID.as_bytes() && !self.id_done => {
                // A back end that wants no ID after all can do without.
                self.id_done = true;
                Ok(Outcome::Open(None))
            }
            Response::Tagged { tag, kind, words } if tag == LOGIN.as_bytes() && self.id_done => {
                self.replied(kind, words)
            }
            Response::Tagged { .. } | Response::Rubbish => Err(BackFailure::EarlyReply),
            Response::Untagged { .. } | Response::Data { .. } => {
                if let Some(list) = response.capabilities() {
                    self.capabilities = capability::after_login(list);
                } else if !self.is_answer_to_id(response) {
                    pass_on(octets, &mut self.untagged)?;
                }
                Ok(Outcome::Open(None))
            }
        }
    }

    fn is_answer_to_id(&self, response: Response<'_>) -> bool {
        self.id_sent
            && matches!(response, Response::Data { name, .. } if name.eq_ignore_ascii_case(b"ID"))
    }

    /// The back end wants more: the next piece, or an answer from the client.
    fn asked(
        &mut self,
        challenge: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<BackAction>, BackFailure> {
        if let Some(piece) = self.pieces.pop_front() {
            out.extend_from_slice(piece.expose());
            return Ok(None);
        }
        if !self.relayed || self.cancelled {
            return Err(BackFailure::Protocol("the reply to the login"));
        }
        if challenge.len() > sasl::MAX_LINE {
            return Err(BackFailure::TooLong);
        }
        let challenge =
            sasl::decode(challenge).map_err(|_| BackFailure::Protocol("a challenge in base64"))?;
        Ok(Some(BackAction::Challenge(challenge.expose().to_vec())))
    }

    fn replied<'a>(&mut self, kind: Kind, words: Words<'a>) -> Result<Outcome<'a>, BackFailure> {
        if kind != Kind::Ok {
            return Ok(Outcome::Refused { bad: kind == Kind::Bad, words });
        }
        // Nobody is let in before all was said, or after it was taken back.
        if self.cancelled || !self.pieces.is_empty() {
            return Err(BackFailure::EarlyReply);
        }
        if let Some(list) = words.capabilities() {
            self.capabilities = capability::after_login(list);
        } else if let Some(code) = words.code.and_then(code) {
            self.keep_code(&code, words.text)?;
        }
        Ok(Outcome::Accepted(Accepted {
            text: printable(words.text),
            untagged: std::mem::take(&mut self.untagged),
            capabilities: self.capabilities.take(),
        }))
    }

    /// Keeps a response code for the client, whose own OK has room for one only, CAPABILITY.
    fn keep_code(&mut self, code: &str, text: &[u8]) -> Result<(), BackFailure> {
        // RFC 2221: a client that followed it would go round Waypost.
        if code.starts_with("REFERRAL") {
            return Ok(());
        }
        let line = format!("* OK [{code}] {}", printable(text));
        pass_on(line.as_bytes(), &mut self.untagged)
    }
}

/// Keeps an untagged response for the client.
pub(super) fn pass_on(octets: &[u8], kept: &mut Vec<u8>) -> Result<(), BackFailure> {
    if kept.len().saturating_add(octets.len()) > MAX_PASSED_ON {
        return Err(BackFailure::TooLong);
    }
    kept.extend_from_slice(octets);
    kept.extend_from_slice(b"\r\n");
    Ok(())
}

/// A command in the pieces in which it can be sent.
struct Command {
    pieces: VecDeque<Secret>,
    /// The piece being written.
    piece: Vec<u8>,
    /// What any piece can need: one that grew would leave copies of the password behind.
    room: usize,
}

impl Command {
    fn new(credential: &Credential, identity: Option<&str>) -> Self {
        let said = match credential {
            Credential::Password { authentication_id, authorisation_id, password, .. } => {
                let authorisation = authorisation_id.as_ref().map_or(0, String::len);
                password.len().saturating_add(authentication_id.len()).saturating_add(authorisation)
            }
            Credential::Token { initial_response, .. } => initial_response.len(),
            Credential::Digest { .. } | Credential::Certificate { .. } => 0,
        };
        let said = said.saturating_add(identity.map_or(0, str::len));
        // Each octet may be escaped, which doubles it; base64 takes less.
        let room = said.saturating_mul(2).saturating_add(128);
        Self { pieces: VecDeque::new(), piece: Vec::new(), room }
    }

    fn credential(
        &mut self,
        credential: &Credential,
        identity: Option<&str>,
        offered: Capabilities,
    ) -> Result<(), BackFailure> {
        let identity = identity.map(|name| sasl::name(name.as_bytes()));
        let identity = identity.transpose().map_err(|_| BackFailure::Name)?;
        match credential {
            Credential::Password {
                authentication_id, authorisation_id: None, password, ..
            } => {
                let user = identity.unwrap_or(authentication_id);
                if !offered.login_disabled {
                    self.login(user.as_bytes(), password, offered);
                    return Ok(());
                }
                let message = sasl::plain::encode("", user, password);
                self.authenticate(Mechanism::Plain, &message, offered)
            }
            Credential::Password {
                authentication_id,
                authorisation_id: Some(user),
                password,
                ..
            } => {
                let message =
                    sasl::plain::encode(identity.unwrap_or(user), authentication_id, password);
                self.authenticate(Mechanism::Plain, &message, offered)
            }
            Credential::Digest { mechanism, .. } => {
                Err(BackFailure::MechanismNotOffered(*mechanism))
            }
            Credential::Certificate { .. } => {
                Err(BackFailure::MechanismNotOffered(Some(Mechanism::External)))
            }
            Credential::Token { mechanism, initial_response, .. } => {
                let renamed =
                    identity.map(|user| sasl::token::with_user(*mechanism, initial_response, user));
                match renamed {
                    None => self.authenticate(*mechanism, initial_response, offered),
                    Some(Some(renamed)) => self.authenticate(*mechanism, &renamed, offered),
                    Some(None) => Err(BackFailure::Name),
                }
            }
        }
    }

    /// LOGIN (RFC 3501 section 6.2.3).
    fn login(&mut self, user: &[u8], password: &Secret, offered: Capabilities) {
        self.push(LOGIN.as_bytes());
        self.push(b" LOGIN ");
        self.string(user, offered);
        self.push(b" ");
        self.string(password.expose(), offered);
        self.end();
    }

    /// AUTHENTICATE (RFC 3501 section 6.2.2), with the message in the command (RFC 4959) where
    /// the back end takes it there and the line has room.
    fn authenticate(
        &mut self,
        mechanism: Mechanism,
        message: &Secret,
        offered: Capabilities,
    ) -> Result<(), BackFailure> {
        if !offered.offers(mechanism) {
            return Err(BackFailure::MechanismNotOffered(Some(mechanism)));
        }
        if mechanism.is_scram() && offered.binds_channels() {
            return Err(BackFailure::ChannelBinding);
        }
        let encoded_len = sasl::encoded_len(message.len());
        for part in [LOGIN, " AUTHENTICATE ", mechanism.as_str()] {
            self.push(part.as_bytes());
        }
        if offered.sasl_ir && self.piece.len().saturating_add(encoded_len) < MAX_LINE {
            self.push(b" ");
            sasl::encode_initial(message.expose(), &mut self.piece);
        } else {
            self.end();
            self.push(b"");
            sasl::encode(message.expose(), &mut self.piece);
        }
        self.end();
        Ok(())
    }

    /// A string as the back end is sure to take it: quoted if it is short printable ASCII, else a
    /// literal, for which it is asked first unless it takes one unasked (RFC 7888).
    fn string(&mut self, octets: &[u8], offered: Capabilities) {
        if octets.len() <= MAX_QUOTED && is_quotable(octets) {
            push_quoted(octets, &mut self.piece);
            return;
        }
        let unasked = offered.literal_plus || offered.literal_minus && octets.len() <= MAX_LITERAL;
        let plus = if unasked { "+" } else { "" };
        self.push(format!("{{{}{plus}}}", octets.len()).as_bytes());
        if unasked {
            self.push(b"\r\n");
        } else {
            self.end();
        }
        self.push(octets);
    }

    fn push(&mut self, octets: &[u8]) {
        if self.piece.capacity() == 0 {
            self.piece.reserve_exact(self.room);
        }
        self.piece.extend_from_slice(octets);
    }

    /// Ends a line and with it a piece.
    fn end(&mut self) {
        self.push(b"\r\n");
        self.pieces.push_back(Secret::new(std::mem::take(&mut self.piece)));
    }
}

/// ID (RFC 2971) with the fields that Dovecot and others take from proxies that they trust.
fn push_id(introduction: Introduction<'_>, out: &mut Vec<u8>) {
    let mut fields = Vec::with_capacity(6);
    if let Some(client) = introduction.client {
        fields.extend([
            ("x-originating-ip", client.client.ip().to_canonical().to_string()),
            ("x-originating-port", client.client.port().to_string()),
            ("x-connected-ip", client.local.ip().to_canonical().to_string()),
            ("x-connected-port", client.local.port().to_string()),
            ("x-session-id", printable(client.session.as_bytes())),
        ]);
    }
    fields.push((id::PROXY_TTL, introduction.ttl.to_string()));
    out.extend_from_slice(ID.as_bytes());
    out.extend_from_slice(b" ID (");
    for (at, (key, value)) in fields.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        push_quoted(key.as_bytes(), out);
        out.push(b' ');
        let value = value.as_bytes();
        push_quoted(value.get(..id::MAX_VALUE).unwrap_or(value), out);
    }
    out.extend_from_slice(b")\r\n");
}

//! The client's half of IMAP, from the greeting to the end of the login.

use waypost_model::Encryption;

use super::back_login::{Login, Outcome};
use super::capability::{self, Capabilities};
use super::response::{self, Framed, Kind, Response, Words};
use crate::login::{
    Accepted, Advance, BackAction, BackFailure, BackSettings, Credential, Rejection, SaslResponse,
    printable,
};

/// The most responses that a back end may send until the login is over.
const MAX_RESPONSES: u16 = 500;

// Each command is sent once, so each has a tag of its own.
const STARTTLS: &str = "W1";
const CAPABILITY: &str = "W2";
pub(super) const ID: &str = "W3";
pub(super) const LOGIN: &str = "W4";
const CAPABILITY_AFTER: &str = "W5";

/// The dialogue with a back end, from its greeting to the end of the login.
#[derive(Debug)]
pub struct Back {
    settings: BackSettings,
    offered: Capabilities,
    responses: u16,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The greeting is to come.
    Greeting,
    /// STARTTLS was sent.
    Starttls,
    /// The driver is to start TLS.
    StartingTls,
    /// CAPABILITY is to be sent.
    AskCapability,
    /// CAPABILITY was sent; whether a list has come.
    Capability { listed: bool },
    /// All is known; the driver is still to be told.
    Settled,
    /// The driver has been told and is to log in.
    Ready,
    /// The login was sent.
    Login(Login),
    /// The back end has let the client in, and was asked what it offers now.
    CapabilityAfter(Accepted),
    /// Accepted, rejected or failed.
    Over,
}

impl Back {
    /// A dialogue with a back end to which a connection has just been made.
    pub fn new(settings: BackSettings) -> Self {
        Self { settings, offered: Capabilities::default(), responses: 0, state: State::Greeting }
    }

    /// Looks at what the back end has sent and is not consumed yet, and appends what it is to be
    /// sent to `out`. [`login`](crate::login) says how to call this.
    pub fn advance(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance<BackAction> {
        let mut consumed = 0_usize;
        loop {
            let unread = input.get(consumed..).unwrap_or_default();
            let (octets, len) = match self.next(unread, out) {
                Ok(next) => next,
                Err(action) => return Advance { consumed, action },
            };
            consumed = consumed.saturating_add(len);
            let behind = input.get(consumed..).unwrap_or_default();
            match self.response(octets, behind, out) {
                Ok(None) => {}
                Ok(Some(action)) => return Advance { consumed, action },
                Err(failure) => return Advance { consumed, action: self.fail(failure) },
            }
        }
    }

    /// TLS has begun. What the back end said before is forgotten (RFC 9051 section 6.2.1).
    pub fn tls_started(&mut self) {
        self.offered = Capabilities::default();
        self.state = State::AskCapability;
    }

    /// Sends the login, once [`BackAction::Ready`] was said: `credential`, under the name
    /// `identity` where a route gives one. From here on there is no failing over.
    ///
    /// LOGIN where it is allowed; AUTHENTICATE PLAIN where it is not, or where an authorisation
    /// identity must go with it; a token with its own mechanism. `Err` says why there is no way,
    /// and nothing has been sent then.
    pub fn login(
        &mut self,
        credential: &Credential,
        identity: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Result<(), BackFailure> {
        if !matches!(self.state, State::Ready) {
            return Err(BackFailure::EarlyReply);
        }
        let introduction = self.settings.introduction().filter(|_| self.offered.id);
        let login = Login::start(credential, identity, self.offered, introduction, out)?;
        self.state = State::Login(login);
        Ok(())
    }

    /// Sends the client's answer to a challenge.
    pub fn respond(&mut self, response: &SaslResponse, out: &mut Vec<u8>) {
        if let State::Login(login) = &mut self.state {
            login.respond(response, out);
        }
    }

    /// The next response, or what to do while there is none.
    fn next<'a>(
        &mut self,
        unread: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Result<(&'a [u8], usize), BackAction> {
        match self.state {
            State::StartingTls if !unread.is_empty() => {
                return Err(self.fail(BackFailure::PlaintextAfterStarttls));
            }
            State::StartingTls | State::Over => return Err(BackAction::Read),
            // Another protocol's greeting, or TLS: no need to wait for the end of its line.
            State::Greeting if !matches!(unread.first(), None | Some(b'*')) => {
                return Err(self.fail(BackFailure::Protocol("a greeting")));
            }
            State::AskCapability => {
                push_command(CAPABILITY, "CAPABILITY", out);
                self.state = State::Capability { listed: false };
            }
            _ => {}
        }
        match response::frame(unread) {
            Framed::Response { octets, len } => {
                self.responses = self.responses.saturating_add(1);
                let within = self.responses <= MAX_RESPONSES;
                within.then_some((octets, len)).ok_or_else(|| self.fail(BackFailure::TooLong))
            }
            Framed::TooLong => Err(self.fail(BackFailure::TooLong)),
            // What has come with the last reply has been looked at: a back end that says goodbye
            // or answers ahead of time is found out before it hears a credential.
            Framed::Incomplete if matches!(self.state, State::Settled) => {
                self.state = State::Ready;
                Err(BackAction::Ready)
            }
            Framed::Incomplete => Err(BackAction::Read),
        }
    }

    fn fail(&mut self, failure: BackFailure) -> BackAction {
        self.state = State::Over;
        BackAction::Failed(failure)
    }

    fn response(
        &mut self,
        octets: &[u8],
        behind: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<BackAction>, BackFailure> {
        let response = Response::parse(octets);
        match response {
            Response::Untagged { kind: Kind::Bye, words } => {
                return Err(BackFailure::Bye(printable(words.text)));
            }
            Response::Untagged { kind: Kind::Preauth, .. } => return Err(BackFailure::Preauth),
            Response::Rubbish => return Err(BackFailure::Protocol("a response")),
            _ => {}
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Greeting => self.greeting(response, out).map(|()| None),
            State::Starttls => self.starttls(response, behind),
            State::Capability { listed } => self.capability(response, listed).map(|()| None),
            state @ (State::Settled | State::Ready) => {
                self.state = state;
                self.unasked(response).map(|()| None)
            }
            State::Login(login) => self.logging_in(login, response, octets, out),
            State::CapabilityAfter(accepted) => self.capability_after(accepted, response, octets),
            State::AskCapability | State::StartingTls | State::Over => Err(BackFailure::EarlyReply),
        }
    }

    fn greeting(&mut self, response: Response<'_>, out: &mut Vec<u8>) -> Result<(), BackFailure> {
        let Response::Untagged { kind: Kind::Ok, words } = response else {
            return Err(BackFailure::Protocol("a greeting"));
        };
        let listed = words.capabilities().map(Capabilities::parse);
        if self.settings.encryption == Encryption::Starttls {
            // Without a list it is asked for TLS at once: what it lists in clear is worth nothing.
            if listed.is_some_and(|offered| !offered.starttls) {
                return Err(BackFailure::StarttlsNotOffered);
            }
            push_command(STARTTLS, "STARTTLS", out);
            self.state = State::Starttls;
            return Ok(());
        }
        self.offered = listed.unwrap_or_default();
        self.state = if listed.is_some() { State::Settled } else { State::AskCapability };
        Ok(())
    }

    fn starttls(
        &mut self,
        response: Response<'_>,
        behind: &[u8],
    ) -> Result<Option<BackAction>, BackFailure> {
        let Some((kind, words)) = reply_to(STARTTLS, response)? else {
            self.state = State::Starttls;
            return Ok(None);
        };
        match kind {
            Kind::Ok if !behind.is_empty() => Err(BackFailure::PlaintextAfterStarttls),
            Kind::Ok => {
                self.state = State::StartingTls;
                Ok(Some(BackAction::StartTls))
            }
            _ => Err(BackFailure::StarttlsRefused(printable(words.text))),
        }
    }

    fn capability(&mut self, response: Response<'_>, listed: bool) -> Result<(), BackFailure> {
        let list = response.capabilities();
        self.offered = list.map_or(self.offered, Capabilities::parse);
        let listed = listed || list.is_some();
        self.state = match reply_to(CAPABILITY, response)? {
            None => State::Capability { listed },
            Some((Kind::Ok, _)) if listed => State::Settled,
            Some(_) => return Err(BackFailure::Protocol("a list of capabilities")),
        };
        Ok(())
    }

    /// What comes while no command is under way.
    fn unasked(&mut self, response: Response<'_>) -> Result<(), BackFailure> {
        match response {
            Response::Untagged { .. } | Response::Data { .. } => {
                self.offered = response.capabilities().map_or(self.offered, Capabilities::parse);
                Ok(())
            }
            _ => Err(BackFailure::EarlyReply),
        }
    }

    fn logging_in(
        &mut self,
        mut login: Login,
        response: Response<'_>,
        octets: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<BackAction>, BackFailure> {
        match login.response(response, octets, out)? {
            Outcome::Open(action) => {
                self.state = State::Login(login);
                Ok(action)
            }
            Outcome::Accepted(accepted) if accepted.capabilities.is_some() => {
                Ok(Some(BackAction::Accepted(accepted)))
            }
            Outcome::Accepted(accepted) => {
                push_command(CAPABILITY_AFTER, "CAPABILITY", out);
                self.state = State::CapabilityAfter(accepted);
                Ok(None)
            }
            Outcome::Refused { bad: false, words } => refusal(words).map(Some),
            // BAD is what a cancelled exchange ends with (RFC 3501 section 6.2.2); to anything
            // else it says nothing about the credential.
            Outcome::Refused { bad: true, words } if login.is_cancelled() => {
                let text = printable(words.text);
                Ok(Some(BackAction::Rejected(Rejection { code: None, text })))
            }
            Outcome::Refused { bad: true, words } => {
                Err(BackFailure::Refused(printable(words.text)))
            }
        }
    }

    fn capability_after(
        &mut self,
        mut accepted: Accepted,
        response: Response<'_>,
        octets: &[u8],
    ) -> Result<Option<BackAction>, BackFailure> {
        match response.capabilities() {
            Some(list) => accepted.capabilities = capability::after_login(list),
            None if matches!(response, Response::Untagged { .. } | Response::Data { .. }) => {
                super::back_login::pass_on(octets, &mut accepted.untagged)?;
            }
            None => {}
        }
        // The client is in, whatever the reply: without a list it will ask for itself.
        if reply_to(CAPABILITY_AFTER, response)?.is_some() {
            return Ok(Some(BackAction::Accepted(accepted)));
        }
        self.state = State::CapabilityAfter(accepted);
        Ok(None)
    }
}

/// The reply to the command under way, `None` while only untagged responses come. Any other tag,
/// and a continuation that was not asked for, is out of turn.
fn reply_to<'a>(
    asked: &str,
    response: Response<'a>,
) -> Result<Option<(Kind, Words<'a>)>, BackFailure> {
    match response {
        Response::Tagged { tag, kind, words } if tag == asked.as_bytes() => Ok(Some((kind, words))),
        Response::Untagged { .. } | Response::Data { .. } => Ok(None),
        _ => Err(BackFailure::EarlyReply),
    }
}

/// What a NO says (RFC 5530 section 3).
fn refusal(words: Words<'_>) -> Result<BackAction, BackFailure> {
    let text = printable(words.text);
    let code = words.code.and_then(code);
    let name = code.as_deref().map(|code| code.split_once(' ').map_or(code, |(name, _)| name));
    match name {
        Some("UNAVAILABLE") => Err(BackFailure::Temporary(text)),
        Some("PRIVACYREQUIRED") => Err(BackFailure::PrivacyRequired(text)),
        // RFC 2221: a client that followed it would go round Waypost.
        Some("REFERRAL") => Err(BackFailure::Elsewhere(text)),
        Some("CAPABILITY") => Ok(BackAction::Rejected(Rejection { code: None, text })),
        _ => Ok(BackAction::Rejected(Rejection { code, text })),
    }
}

/// A response code fit to be passed on, its name in upper case.
pub(super) fn code(octets: &[u8]) -> Option<String> {
    /// The longest code, in octets; those without arguments have a dozen.
    const MAX_CODE: usize = 100;
    let printable = octets.iter().all(|octet| *octet == b' ' || octet.is_ascii_graphic());
    if octets.is_empty() || octets.len() > MAX_CODE || !printable {
        return None;
    }
    let code = str::from_utf8(octets).ok()?;
    let (name, arguments) = code.split_at(code.find(' ').unwrap_or(code.len()));
    Some(format!("{}{arguments}", name.to_ascii_uppercase()))
}

fn push_command(tag: &str, command: &str, out: &mut Vec<u8>) {
    for part in [tag, " ", command, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

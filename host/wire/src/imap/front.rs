//! The server's half of IMAP before the login.

use std::borrow::Cow;
use std::sync::Arc;

use waypost_model::{Encryption, Secret};

use super::argument::Arguments;
use super::command::{self, Framed, Tag, Verb};
use super::{id, text};
use crate::http;
use crate::login::{
    Accepted, Advance, Answer, Bye, CloseReason, Credential, FrontAction, FrontSettings,
    SaslResponse,
};
use crate::sasl::digest::Challenges;
use crate::sasl::{self, Exchange, Mechanism, Terms};
use crate::ttl::Ttl;

/// The dialogue with a mail client, from the greeting to the login.
///
/// Commands are answered one by one in the order in which they came, however they are pipelined;
/// none is looked at while a login is being decided.
#[derive(Debug)]
pub struct Front {
    pub(super) settings: Arc<FrontSettings>,
    encrypted: bool,
    certificate_name: Option<Arc<str>>,
    ttl: Ttl,
    /// Up to where the client has been asked for the literals of a command that has not all come.
    granted: usize,
    errors: u8,
    auth_errors: u8,
    challenges: Challenges,
    pub(super) state: State,
}

/// Whose turn it is, and for what.
#[derive(Debug)]
pub(super) enum State {
    /// The client's: a command.
    Command,
    /// The client's: its next message of an exchange.
    Exchange { tag: Tag, exchange: Exchange },
    /// The client's: its answer to a back end's challenge.
    Challenged { tag: Tag },
    /// The driver's: to decide a login.
    Deciding { tag: Tag },
    /// The driver's: to end an exchange that the client gave up; with the words to end it.
    GivenUp { tag: Tag, words: &'static str },
    /// The driver's: to start TLS.
    StartingTls,
    /// Nobody's: the session is handed over, or the driver has said goodbye.
    Done,
    /// Nobody's: the session is over.
    Closed(CloseReason),
}

/// What a look at the input came to.
pub(super) enum Step {
    /// More input is needed, or it is the driver's turn.
    Wait,
    /// So many octets are done with.
    Next(usize),
    /// So many octets are done with, and this is to be done.
    Act(usize, FrontAction),
}

impl Front {
    /// A dialogue with a client that has just connected.
    pub fn new(settings: Arc<FrontSettings>) -> Self {
        let encrypted = settings.encryption == Encryption::Implicit;
        Self {
            settings,
            encrypted,
            certificate_name: None,
            ttl: Ttl::default(),
            granted: 0,
            errors: 0,
            auth_errors: 0,
            challenges: Challenges::default(),
            state: State::Command,
        }
    }

    /// Gives the session what its challenges are made of: a number that was never used before. To be
    /// called before [`greet`](Self::greet).
    pub fn seed(&mut self, unique: u128) {
        self.challenges = Challenges::new(unique);
    }

    /// The client's certificate, which TLS has verified, says that it is `name`: EXTERNAL is offered.
    pub fn set_certificate_name(&mut self, name: Arc<str>) {
        self.certificate_name = Some(name);
    }

    /// What the client's certificate says of who it is.
    pub fn certificate_name(&self) -> Option<&Arc<str>> {
        self.certificate_name.as_ref()
    }

    /// What proxies in front have said of how many further ones the session may pass.
    pub fn ttl(&self) -> Ttl {
        self.ttl
    }

    /// What an exchange that begins now goes by.
    pub(super) fn terms(&mut self) -> Terms {
        Terms {
            allow_authorisation: self.settings.allow_authorisation,
            challenge: self.challenges.next(&self.settings.hostname),
            certificate_name: self.certificate_name.clone(),
        }
    }

    /// The mechanisms to offer to this client, once a credential may come.
    pub(super) fn mechanisms(&self) -> impl Iterator<Item = Mechanism> {
        self.settings.offered(self.certificate_name.as_ref())
    }

    /// Appends the greeting. It lists the capabilities, since some clients look nowhere else.
    pub fn greet(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"* OK [CAPABILITY");
        self.push_capabilities(out);
        text::line(&[b"] ", self.settings.hostname.as_bytes(), b" ", text::READY.as_bytes()], out);
    }

    /// Looks at what the client has sent and is not consumed yet, and appends the answers to
    /// `out`. [`login`](crate::login) says how to call this.
    pub fn advance(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance<FrontAction> {
        let mut consumed = 0_usize;
        loop {
            let unread = input.get(consumed..).unwrap_or_default();
            match self.step(unread, out) {
                Step::Wait => return Advance { consumed, action: FrontAction::Read },
                Step::Next(len) => consumed = consumed.saturating_add(len),
                Step::Act(len, action) => {
                    return Advance { consumed: consumed.saturating_add(len), action };
                }
            }
        }
    }

    /// TLS has begun. What the client said before is forgotten (RFC 9051 section 6.2.1); its
    /// errors are not.
    pub fn tls_started(&mut self) {
        self.encrypted = true;
        self.ttl = Ttl::default();
        self.state = State::Command;
    }

    /// Answers a login that is not accepted. Call `advance` then: this may have been one too many.
    pub fn answer(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.state, State::Command) {
            State::Deciding { tag } | State::Challenged { tag } => text::answer(&tag, answer, out),
            State::GivenUp { tag, words } => text::tagged(&tag, words, out),
            state => {
                self.state = state;
                return;
            }
        }
        if *answer != Answer::Unavailable {
            self.count_auth_error(out);
        }
    }

    /// Passes on a back end's challenge, `data` being the decoded message. Call `advance` then.
    pub fn challenge(&mut self, data: &[u8], out: &mut Vec<u8>) {
        if let State::Deciding { tag } = self.state {
            self.push_challenge(data, out);
            self.state = State::Challenged { tag };
        }
    }

    /// Lets the client in. What it sent behind the login belongs to the relay.
    pub fn accept(&mut self, accepted: &Accepted, out: &mut Vec<u8>) {
        let State::Deciding { tag } = self.state else { return };
        out.extend_from_slice(&accepted.untagged);
        out.extend_from_slice(tag.as_bytes());
        out.extend_from_slice(b" OK ");
        if let Some(capabilities) = &accepted.capabilities {
            for part in ["[CAPABILITY ", capabilities, "] "] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        let words = if accepted.text.is_empty() { text::LOGGED_IN } else { &accepted.text };
        text::line(&[words.as_bytes()], out);
        self.state = State::Done;
    }

    /// Appends a goodbye, in whatever state. The session is over with it.
    pub fn bye(&mut self, why: Bye, out: &mut Vec<u8>) {
        text::bye(why, out);
        self.state = State::Done;
    }

    fn step(&mut self, input: &[u8], out: &mut Vec<u8>) -> Step {
        match self.state {
            State::Command => self.command(input, out),
            State::Exchange { .. } | State::Challenged { .. } => self.sasl_line(input, out),
            State::StartingTls if !input.is_empty() => {
                self.close(CloseReason::PlaintextAfterStarttls, text::BYE_PLAINTEXT, out)
            }
            State::Closed(reason) => Step::Act(0, FrontAction::Close(reason)),
            State::StartingTls | State::Deciding { .. } | State::GivenUp { .. } | State::Done => {
                Step::Wait
            }
        }
    }

    fn command(&mut self, input: &[u8], out: &mut Vec<u8>) -> Step {
        match command::frame(input, self.granted) {
            Framed::Incomplete => Step::Wait,
            Framed::TooLong => self.close(CloseReason::TooLong, text::BYE_TOO_LONG, out),
            Framed::Waiting { octets, len, size } => {
                match self.refuses_literal(octets, len, size) {
                    None => {
                        self.granted = len;
                        out.extend_from_slice(b"+ OK\r\n");
                        Step::Next(0)
                    }
                    // The client does not send what it was not asked for: the command ends here.
                    Some((tag, words)) => self.error(tag, words, len, out),
                }
            }
            Framed::Command { octets, len } => {
                self.granted = 0;
                if http::is_request(octets) {
                    self.state = State::Closed(CloseReason::Http);
                    return Step::Next(len);
                }
                match command::split(octets) {
                    Some((tag, verb, arguments)) => {
                        let behind = input.get(len..).unwrap_or_default();
                        self.dispatch(tag, verb, arguments, Extent { len, behind }, out)
                    }
                    None => self.error(None, text::NO_TAG, len, out),
                }
            }
        }
    }

    /// Why the client is not asked for the literal at the end of `octets`, and under which tag.
    fn refuses_literal(
        &self,
        octets: &[u8],
        len: usize,
        size: usize,
    ) -> Option<(Option<Tag>, &'static str)> {
        let Some((tag, verb, _)) = command::split(octets) else {
            return Some((None, text::NO_TAG));
        };
        let words = match verb {
            Verb::Login if !self.may_log_in() => text::PRIVACY_REQUIRED,
            Verb::Login | Verb::Id if command::has_room(len, size) => return None,
            Verb::Login | Verb::Id => text::TOO_BIG,
            Verb::NeedsLogin => text::NEEDS_LOGIN,
            Verb::Unknown => text::UNKNOWN,
            _ => text::SYNTAX,
        };
        Some((Some(tag), words))
    }

    fn dispatch(
        &mut self,
        tag: Tag,
        verb: Verb,
        arguments: Arguments<'_>,
        extent: Extent<'_>,
        out: &mut Vec<u8>,
    ) -> Step {
        let len = extent.len;
        let alone = arguments.end().is_some();
        match verb {
            Verb::Login => self.login(tag, arguments, len, out),
            Verb::Authenticate => self.authenticate(tag, arguments, len, out),
            Verb::Id => {
                let mut ttl = self.ttl;
                if read_id(arguments, &mut ttl).is_none() {
                    return self.error(Some(tag), text::SYNTAX, len, out);
                }
                self.ttl = ttl;
                text::untagged("ID (\"name\" \"Waypost\")", out);
                text::tagged(&tag, "OK ID completed.", out);
                Step::Next(len)
            }
            Verb::Capability if alone => {
                out.extend_from_slice(b"* CAPABILITY");
                self.push_capabilities(out);
                out.extend_from_slice(b"\r\n");
                text::tagged(&tag, "OK CAPABILITY completed.", out);
                Step::Next(len)
            }
            Verb::Noop if alone => {
                text::tagged(&tag, "OK NOOP completed.", out);
                Step::Next(len)
            }
            Verb::Logout if alone => {
                text::untagged(text::BYE_LOGOUT, out);
                text::tagged(&tag, "OK LOGOUT completed.", out);
                self.state = State::Closed(CloseReason::Logout);
                Step::Next(len)
            }
            Verb::Starttls if alone => self.starttls(tag, extent, out),
            Verb::NeedsLogin => self.error(Some(tag), text::NEEDS_LOGIN, len, out),
            Verb::Unknown => self.error(Some(tag), text::UNKNOWN, len, out),
            _ => self.error(Some(tag), text::SYNTAX, len, out),
        }
    }

    fn starttls(&mut self, tag: Tag, extent: Extent<'_>, out: &mut Vec<u8>) -> Step {
        if self.encrypted {
            return self.error(Some(tag), text::TLS_IS_ON, extent.len, out);
        }
        if self.settings.encryption != Encryption::Starttls {
            return self.error(Some(tag), text::UNKNOWN, extent.len, out);
        }
        if !extent.behind.is_empty() {
            return self.close(CloseReason::PlaintextAfterStarttls, text::BYE_PLAINTEXT, out);
        }
        text::tagged(&tag, text::BEGIN_TLS, out);
        self.state = State::StartingTls;
        Step::Act(extent.len, FrontAction::StartTls)
    }

    fn login(
        &mut self,
        tag: Tag,
        mut arguments: Arguments<'_>,
        len: usize,
        out: &mut Vec<u8>,
    ) -> Step {
        if !self.may_log_in() {
            return self.error(Some(tag), text::PRIVACY_REQUIRED, len, out);
        }
        let strings = (|| {
            arguments.take(b" ")?;
            let user = arguments.astring()?;
            arguments.take(b" ")?;
            let password = arguments.astring()?;
            arguments.end().map(|()| (user, password))
        })();
        let Some((user, password)) = strings else {
            return self.error(Some(tag), text::SYNTAX, len, out);
        };
        let password = Secret::new(password.into_owned());
        let (Ok(user), Ok(())) = (sasl::name(&user), sasl::password(password.expose())) else {
            return self.reject(tag, len, out);
        };
        let authentication_id = user.to_owned();
        let credential = Credential::Password {
            mechanism: None,
            authentication_id,
            authorisation_id: None,
            password,
        };
        self.state = State::Deciding { tag };
        Step::Act(len, FrontAction::Login(credential))
    }

    /// Whether a credential may come over this connection as it is.
    pub(super) fn may_log_in(&self) -> bool {
        self.encrypted || self.settings.allow_plaintext
    }

    /// Answers a credential that cannot be right as one that is wrong.
    pub(super) fn reject(&mut self, tag: Tag, len: usize, out: &mut Vec<u8>) -> Step {
        self.reject_as(tag, text::REJECTED, len, out)
    }

    /// The same in other words.
    pub(super) fn reject_as(
        &mut self,
        tag: Tag,
        words: &str,
        len: usize,
        out: &mut Vec<u8>,
    ) -> Step {
        self.state = State::Command;
        text::tagged(&tag, words, out);
        self.count_auth_error(out);
        Step::Next(len)
    }

    /// Gives up an exchange whose credential the driver holds: it has to end the back end's half.
    pub(super) fn give_up(&mut self, tag: Tag, words: &'static str, len: usize) -> Step {
        self.state = State::GivenUp { tag, words };
        Step::Act(len, FrontAction::Response(SaslResponse::Cancel))
    }

    /// Answers what is no command here.
    pub(super) fn error(
        &mut self,
        tag: Option<Tag>,
        words: &str,
        len: usize,
        out: &mut Vec<u8>,
    ) -> Step {
        self.state = State::Command;
        self.granted = 0;
        match tag {
            Some(tag) => text::tagged(&tag, words, out),
            None => text::untagged(words, out),
        }
        self.errors = self.errors.saturating_add(1);
        if self.errors >= self.settings.max_errors {
            text::untagged(text::BYE_ERRORS, out);
            self.state = State::Closed(CloseReason::TooManyErrors);
        }
        Step::Next(len)
    }

    /// Says goodbye and closes.
    pub(super) fn close(&mut self, reason: CloseReason, words: &str, out: &mut Vec<u8>) -> Step {
        text::untagged(words, out);
        self.state = State::Closed(reason);
        Step::Next(0)
    }

    fn count_auth_error(&mut self, out: &mut Vec<u8>) {
        self.auth_errors = self.auth_errors.saturating_add(1);
        if self.auth_errors >= self.settings.max_auth_errors {
            text::untagged(text::BYE_AUTH_ERRORS, out);
            self.state = State::Closed(CloseReason::TooManyAuthErrors);
        }
    }

    /// What is offered as things are, each with a space before it. Nothing of what the back ends
    /// can do: which one it will be is not known yet.
    fn push_capabilities(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b" IMAP4rev1 SASL-IR LITERAL- ID");
        if !self.encrypted && self.settings.encryption == Encryption::Starttls {
            out.extend_from_slice(b" STARTTLS");
        }
        if self.may_log_in() {
            for mechanism in self.mechanisms() {
                out.extend_from_slice(b" AUTH=");
                out.extend_from_slice(mechanism.as_str().as_bytes());
            }
        } else {
            out.extend_from_slice(b" LOGINDISABLED");
        }
    }
}

/// Where a command lies in the input.
struct Extent<'a> {
    /// The octets that it takes.
    len: usize,
    /// What has come behind it.
    behind: &'a [u8],
}

/// RFC 2971 section 3.1. What clients say of themselves is of no use here, but for what a proxy says of
/// the way; what they get wrong is told them.
fn read_id(mut arguments: Arguments<'_>, ttl: &mut Ttl) -> Option<()> {
    arguments.take(b" ")?;
    if arguments.take(b"NIL").is_some() {
        return arguments.end();
    }
    arguments.take(b"(")?;
    if arguments.take(b")").is_some() {
        return arguments.end();
    }
    for _ in 0..id::MAX_FIELDS {
        let key = arguments.string()?;
        arguments.take(b" ")?;
        let value = match arguments.take(b"NIL") {
            Some(()) => Cow::Borrowed(&[][..]),
            None => arguments.string()?,
        };
        if value.len() > id::MAX_VALUE || key.len() > id::MAX_KEY {
            return None;
        }
        if key.eq_ignore_ascii_case(id::PROXY_TTL.as_bytes()) {
            ttl.hear(&value);
        }
        if arguments.take(b")").is_some() {
            return arguments.end();
        }
        arguments.take(b" ")?;
    }
    None
}

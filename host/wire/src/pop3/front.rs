use std::sync::Arc;

use waypost_model::{Encryption, Secret};

use super::command::{self, Command};
use crate::line::{self, Taken};
use crate::login::{
    Accepted, Advance, Answer, Bye, CloseReason, Credential, FrontAction, FrontSettings, Mechanism,
    printable,
};
use crate::sasl::digest::{self, Challenges};
use crate::sasl::{self, Exchange, MAX_LINE, Progress, SaslError, SaslResponse, Terms};
use crate::ttl::Ttl;

/// POP3 before the login, as the mail client sees it.
///
/// Driven as [`crate::login`] describes. A line is one step, so that whatever a client pipelines
/// behind its login stays unconsumed.
#[derive(Debug)]
pub struct Front {
    settings: Arc<FrontSettings>,
    state: State,
    encrypted: bool,
    certificate_name: Option<Arc<str>>,
    ttl: Ttl,
    user: User,
    errors: u8,
    auth_errors: u8,
    challenges: Challenges,
    /// APOP: the challenge in the greeting.
    timestamp: Option<String>,
}

/// What is expected next.
#[derive(Debug)]
enum State {
    /// A command.
    Command,
    /// The client's message to an exchange that goes on here.
    Exchange(Exchange),
    /// The client's answer to a challenge of the back end.
    Challenged,
    /// The driver's word on a login or on an answer to a challenge.
    Deciding,
    /// The driver's word that the back end knows: the client gave the exchange up. With the words
    /// to end it.
    GivenUp(&'static str),
    /// TLS.
    StartingTls,
    /// Nothing: the relay has the connection, or Waypost has said goodbye.
    Over,
    /// Nothing: the connection is to be closed.
    Closing(CloseReason),
}

/// What USER said. The answer is `+OK` whatever it was.
#[derive(Debug)]
enum User {
    Unsaid,
    Name(String),
    /// What no name can be: refused at PASS like an unknown one, and nobody is asked.
    Impossible,
}

impl Front {
    /// A front for one connection; nothing is said before [`Front::greet`].
    pub fn new(settings: Arc<FrontSettings>) -> Self {
        let encrypted = settings.encryption == Encryption::Implicit;
        Self {
            settings,
            state: State::Command,
            encrypted,
            certificate_name: None,
            ttl: Ttl::default(),
            user: User::Unsaid,
            errors: 0,
            auth_errors: 0,
            challenges: Challenges::default(),
            timestamp: None,
        }
    }

    /// Gives the session what its challenges are made of: a number that was never used before. To be
    /// called before [`Front::greet`].
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

    /// Writes the greeting, with a timestamp where there is APOP (RFC 1939 section 7). That XCLIENT is
    /// taken stands where Dovecot looks for it.
    pub fn greet(&mut self, out: &mut Vec<u8>) {
        if self.settings.apop {
            self.timestamp = Some(self.challenges.next(&self.settings.hostname));
        }
        let timestamp = self.timestamp.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
        say(out, &["+OK [XCLIENT] ", &self.settings.hostname, " ready", &timestamp]);
    }

    /// Takes at most one line of `input`.
    pub fn advance(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance<FrontAction> {
        let limit = match &self.state {
            State::Command => command::limit(input),
            State::Exchange(_) | State::Challenged => MAX_LINE,
            State::StartingTls if !input.is_empty() => {
                return Advance { consumed: 0, action: self.plaintext(out) };
            }
            State::StartingTls | State::Deciding | State::GivenUp(_) | State::Over => {
                return Advance { consumed: 0, action: FrontAction::Read };
            }
            State::Closing(reason) => {
                return Advance { consumed: 0, action: FrontAction::Close(*reason) };
            }
        };
        match line::take(input, limit) {
            Taken::Incomplete => Advance { consumed: 0, action: FrontAction::Read },
            Taken::TooLong => {
                say(out, &["-ERR Line too long."]);
                Advance { consumed: 0, action: self.close(CloseReason::TooLong) }
            }
            Taken::Line(line) => {
                let last = line.len == input.len();
                Advance { consumed: line.len, action: self.take(line.text, last, out) }
            }
        }
    }

    /// The client's leg is encrypted now: what was said before is forgotten.
    pub fn tls_started(&mut self) {
        self.encrypted = true;
        self.ttl = Ttl::default();
        self.user = User::Unsaid;
        self.state = State::Command;
    }

    /// Says no to the login; the session goes on, or closes when there were too many.
    pub fn answer(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.state, State::Command) {
            State::GivenUp(words) => {
                self.error(words, out);
            }
            State::Deciding => self.refuse(answer, out),
            state => self.state = state,
        }
    }

    /// Passes on the back end's challenge, `data` being its decoded octets.
    pub fn challenge(&mut self, data: &[u8], out: &mut Vec<u8>) {
        if matches!(self.state, State::Deciding) {
            say_challenge(data, out);
            self.state = State::Challenged;
        }
    }

    /// Lets the client in, with the back end's words; all further input is the relay's.
    pub fn accept(&mut self, accepted: &Accepted, out: &mut Vec<u8>) {
        if !matches!(self.state, State::Deciding) {
            return;
        }
        let text = if accepted.text.is_empty() { "Logged in." } else { &accepted.text };
        say(out, &["+OK ", text]);
        self.state = State::Over;
    }

    /// Says goodbye unasked. The driver closes.
    pub fn bye(&mut self, why: Bye, out: &mut Vec<u8>) {
        let text = match why {
            Bye::Timeout => "You took too long.",
            Bye::Limit(text) => text,
            Bye::Shutdown => "The server is shutting down.",
        };
        say(out, &["-ERR [SYS/TEMP] ", text]);
        self.state = State::Over;
    }

    /// Acts on a whole line; `last` says that nothing stands behind it.
    fn take(&mut self, line: &[u8], last: bool, out: &mut Vec<u8>) -> FrontAction {
        match std::mem::replace(&mut self.state, State::Command) {
            State::Exchange(exchange) => self.take_message(exchange, line, out),
            State::Challenged => self.take_response(line),
            _ => self.take_command(command::parse(line), last, out),
        }
    }

    fn take_command(&mut self, command: Command<'_>, last: bool, out: &mut Vec<u8>) -> FrontAction {
        match command {
            Command::User(name) => self.user(name, out),
            Command::Pass(password) => self.pass(password, out),
            Command::Apop(argument) => self.apop(argument, out),
            Command::Auth(name, initial_response) => self.auth(name, initial_response, out),
            Command::Mechanisms => {
                say(out, &["+OK"]);
                for mechanism in self.mechanisms() {
                    say(out, &[mechanism.as_str()]);
                }
                say(out, &["."]);
                FrontAction::Read
            }
            Command::Capa => {
                self.capa(out);
                FrontAction::Read
            }
            Command::Stls => self.stls(last, out),
            Command::Xclient(arguments) => {
                self.ttl.hear_xclient(arguments);
                say(out, &["+OK"]);
                FrontAction::Read
            }
            Command::Noop => {
                say(out, &["+OK"]);
                FrontAction::Read
            }
            Command::Quit => {
                say(out, &["+OK Goodbye."]);
                self.close(CloseReason::Logout)
            }
            Command::Transaction => self.error("Log in first.", out),
            Command::Malformed => self.error("Malformed command.", out),
            Command::Http => self.close(CloseReason::Http),
            Command::Unknown => self.error("Unknown command.", out),
        }
    }

    fn user(&mut self, name: &[u8], out: &mut Vec<u8>) -> FrontAction {
        if !self.may_log_in() {
            return self.error(TLS_FIRST, out);
        }
        self.user = match sasl::name(name) {
            Ok(name) => User::Name(name.to_owned()),
            Err(_) => User::Impossible,
        };
        say(out, &["+OK"]);
        FrontAction::Read
    }

    fn pass(&mut self, password: &[u8], out: &mut Vec<u8>) -> FrontAction {
        if !self.may_log_in() {
            return self.error(TLS_FIRST, out);
        }
        match (std::mem::replace(&mut self.user, User::Unsaid), sasl::password(password)) {
            (User::Unsaid, _) => self.error("USER first.", out),
            (User::Name(name), Ok(())) => self.login(Credential::Password {
                mechanism: None,
                authentication_id: name,
                authorisation_id: None,
                password: Secret::from(password),
            }),
            (User::Name(_) | User::Impossible, _) => self.reject(out),
        }
    }

    fn apop(&mut self, argument: &[u8], out: &mut Vec<u8>) -> FrontAction {
        let Some(timestamp) = self.timestamp.clone() else {
            return self.error("Unknown command.", out);
        };
        if !self.may_log_in() {
            return self.error(TLS_FIRST, out);
        }
        match digest::apop(argument, &timestamp) {
            Ok(credential) => self.login(credential),
            Err(SaslError::Base64 | SaslError::Malformed) => self.error("Malformed command.", out),
            Err(_) => self.reject(out),
        }
    }

    fn auth(
        &mut self,
        name: &[u8],
        initial_response: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> FrontAction {
        if !self.may_log_in() {
            return self.error(TLS_FIRST, out);
        }
        if Mechanism::is_kerberos(name) {
            return self.error("A Kerberos ticket is for one server and cannot be passed on: use a password or a token.", out);
        }
        let mechanism = Mechanism::from_name(name);
        let Some(mechanism) = mechanism.filter(|it| self.mechanisms().any(|known| known == *it))
        else {
            return self.error("Unknown mechanism.", out);
        };
        let Ok(message) = initial_response.map(sasl::initial_response).transpose() else {
            return self.error(NOT_BASE64, out);
        };
        let terms = Terms {
            allow_authorisation: self.settings.allow_authorisation,
            challenge: self.challenges.next(&self.settings.hostname),
            certificate_name: self.certificate_name.clone(),
        };
        let (exchange, progress) = Exchange::start(mechanism, message, terms);
        self.progress(exchange, progress, out)
    }

    fn take_message(
        &mut self,
        mut exchange: Exchange,
        line: &[u8],
        out: &mut Vec<u8>,
    ) -> FrontAction {
        match sasl::response(line) {
            Ok(SaslResponse::Data(message)) => {
                let progress = exchange.respond(message);
                self.progress(exchange, progress, out)
            }
            Ok(SaslResponse::Cancel) => self.error(CANCELLED, out),
            Err(_) => self.error(NOT_BASE64, out),
        }
    }

    fn progress(
        &mut self,
        exchange: Exchange,
        progress: Progress,
        out: &mut Vec<u8>,
    ) -> FrontAction {
        match progress {
            Progress::Challenge(data) => {
                say_challenge(&data, out);
                self.state = State::Exchange(exchange);
                FrontAction::Read
            }
            Progress::Login(credential) => self.login(credential),
            Progress::Refused(SaslError::Base64 | SaslError::Malformed) => {
                self.error("This is not a message of that mechanism.", out)
            }
            Progress::Refused(_) => self.reject(out),
        }
    }

    /// The client's answer to a challenge of the back end. What is no answer cancels the exchange:
    /// the back end waits for something.
    fn take_response(&mut self, line: &[u8]) -> FrontAction {
        let response = sasl::response(line);
        self.state = match response {
            Ok(SaslResponse::Data(_)) => State::Deciding,
            Ok(SaslResponse::Cancel) => State::GivenUp(CANCELLED),
            Err(_) => State::GivenUp(NOT_BASE64),
        };
        FrontAction::Response(response.unwrap_or(SaslResponse::Cancel))
    }

    fn stls(&mut self, last: bool, out: &mut Vec<u8>) -> FrontAction {
        if !self.offers_stls() {
            return self.error("STLS is not available.", out);
        }
        if !last {
            return self.plaintext(out);
        }
        say(out, &["+OK Begin TLS."]);
        self.state = State::StartingTls;
        FrontAction::StartTls
    }

    /// RFC 2449 section 5. What may not be used now is not listed.
    fn capa(&self, out: &mut Vec<u8>) {
        say(out, &["+OK Capabilities follow."]);
        for capability in &self.settings.pop3_capabilities {
            say(out, &[capability]);
        }
        if self.may_log_in() {
            say(out, &["USER"]);
        }
        let mechanisms: Vec<&str> = self.mechanisms().map(Mechanism::as_str).collect();
        if !mechanisms.is_empty() {
            say(out, &["SASL ", &mechanisms.join(" ")]);
        }
        if self.offers_stls() {
            say(out, &["STLS"]);
        }
        say(out, &["."]);
    }

    /// Whether a password may come on this leg as it is.
    fn may_log_in(&self) -> bool {
        self.encrypted || self.settings.allow_plaintext
    }

    fn offers_stls(&self) -> bool {
        self.settings.encryption == Encryption::Starttls && !self.encrypted
    }

    fn mechanisms(&self) -> impl Iterator<Item = Mechanism> {
        let usable = self.may_log_in();
        self.settings.offered(self.certificate_name.as_ref()).filter(move |_| usable)
    }

    fn login(&mut self, credential: Credential) -> FrontAction {
        self.state = State::Deciding;
        FrontAction::Login(credential)
    }

    /// Says no and counts it, but for what is nobody's fault.
    fn refuse(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        match answer {
            Answer::Rejected => say(out, &["-ERR [AUTH] Authentication failed."]),
            Answer::RejectedByBackend(rejection) => {
                let code = rejection.code.as_ref().map(|code| format!("[{code}] "));
                let text = Some(rejection.text.as_str()).filter(|text| !text.is_empty());
                let words = code.unwrap_or_default() + text.unwrap_or("The login was refused.");
                say(out, &["-ERR ", &printable(words.as_bytes())]);
            }
            Answer::Denied => say(out, &["-ERR [AUTH] You are not allowed to log in."]),
            Answer::Unavailable => {
                say(out, &["-ERR [SYS/TEMP] Temporarily unavailable, try again later."]);
                return;
            }
        }
        self.auth_errors = self.auth_errors.saturating_add(1);
        if self.auth_errors >= self.settings.max_auth_errors {
            self.state = State::Closing(CloseReason::TooManyAuthErrors);
        }
    }

    /// Refuses a login that nobody needs to be asked about.
    fn reject(&mut self, out: &mut Vec<u8>) -> FrontAction {
        self.refuse(&Answer::Rejected, out);
        FrontAction::Read
    }

    /// Answers something that came to nothing; too many of them close the session.
    fn error(&mut self, text: &str, out: &mut Vec<u8>) -> FrontAction {
        say(out, &["-ERR ", text]);
        self.errors = self.errors.saturating_add(1);
        if self.errors >= self.settings.max_errors {
            self.state = State::Closing(CloseReason::TooManyErrors);
        }
        FrontAction::Read
    }

    fn plaintext(&mut self, out: &mut Vec<u8>) -> FrontAction {
        say(out, &["-ERR Nothing may follow STLS before TLS has begun."]);
        self.close(CloseReason::PlaintextAfterStarttls)
    }

    fn close(&mut self, reason: CloseReason) -> FrontAction {
        self.state = State::Closing(reason);
        FrontAction::Close(reason)
    }
}

const CANCELLED: &str = "Authentication cancelled.";
const NOT_BASE64: &str = "This is not base64.";
const TLS_FIRST: &str = "Passwords are taken over TLS only: use STLS or the TLS port.";

/// Writes a line.
fn say(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

fn say_challenge(data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"+ ");
    sasl::encode(data, out);
    out.extend_from_slice(b"\r\n");
}

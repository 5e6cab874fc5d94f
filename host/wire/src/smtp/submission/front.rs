use std::sync::Arc;

use waypost_model::Encryption;

use super::{ALWAYS_OFFERED, text};
use crate::line::{self, Taken};
use crate::login::{
    Accepted, Advance, Answer, Bye, CloseReason, Credential, FrontAction, FrontSettings, Mechanism,
};
use crate::sasl::digest::Challenges;
use crate::sasl::{self, Exchange, MAX_LINE, Progress, SaslError, SaslResponse, Terms};
use crate::smtp::command::{self, Command};
use crate::smtp::{EnhancedCode, Reply, xclient};
use crate::ttl::Ttl;

/// Room for the verb, the mechanism and the spaces of an AUTH before its initial response.
const MAX_AUTH_START: usize = 64;

/// Submission before the login, as the mail client sees it.
///
/// Driven as [`crate::login`] describes. A line is one step, so that whatever a client pipelines
/// behind its login stays unconsumed. EHLO is not said again behind a login without a security
/// layer (RFC 4954 section 4), so what is offered here is what the client believes of the back end:
/// [`FrontSettings::submission_extensions`].
#[derive(Debug)]
pub struct Front {
    settings: Arc<FrontSettings>,
    state: State,
    encrypted: bool,
    certificate_name: Option<Arc<str>>,
    ttl: Ttl,
    hello: Hello,
    errors: u8,
    auth_errors: u8,
    challenges: Challenges,
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
    /// The driver's word that the back end knows: the client gave the exchange up. With the reply
    /// that ends it.
    GivenUp(Reply),
    /// TLS.
    StartingTls,
    /// Nothing: the relay has the connection, or Waypost has said goodbye.
    Over,
    /// Nothing: the connection is to be closed, and the client has not been told yet.
    Closing(CloseReason),
    /// Nothing: the connection is to be closed.
    Closed(CloseReason),
}

/// How the client has greeted.
#[derive(Debug)]
enum Hello {
    Unsaid,
    /// HELO, which knows no extensions.
    Helo,
    /// EHLO, with what the client calls itself.
    Ehlo(Arc<str>),
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
            hello: Hello::Unsaid,
            errors: 0,
            auth_errors: 0,
            challenges: Challenges::default(),
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

    /// Writes the greeting.
    pub fn greet(&mut self, out: &mut Vec<u8>) {
        self.say_hostname(220, " ESMTP ready", out);
    }

    /// What the client called itself in EHLO, up to the first space; without ASCII control
    /// characters.
    pub fn hello(&self) -> Option<&Arc<str>> {
        match &self.hello {
            Hello::Ehlo(name) => Some(name),
            Hello::Unsaid | Hello::Helo => None,
        }
    }

    /// Takes at most one line of `input`.
    pub fn advance(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance<FrontAction> {
        let (limit, too_long) = match &self.state {
            State::Command if begins_auth(input) => {
                (MAX_AUTH_START + MAX_LINE, text::MESSAGE_TOO_LONG)
            }
            State::Command => (command::MAX_COMMAND, command::TOO_LONG),
            State::Exchange(_) | State::Challenged => (MAX_LINE, text::MESSAGE_TOO_LONG),
            State::StartingTls if !input.is_empty() => {
                let action = self.close(CloseReason::PlaintextAfterStarttls, out);
                return Advance { consumed: 0, action };
            }
            State::StartingTls | State::Deciding | State::GivenUp(_) | State::Over => {
                return Advance { consumed: 0, action: FrontAction::Read };
            }
            State::Closing(reason) | State::Closed(reason) => {
                let reason = *reason;
                return Advance { consumed: 0, action: self.close(reason, out) };
            }
        };
        match line::take(input, limit) {
            Taken::Incomplete => Advance { consumed: 0, action: FrontAction::Read },
            Taken::TooLong => {
                too_long.write(false, out);
                Advance { consumed: 0, action: self.close(CloseReason::TooLong, out) }
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
        self.hello = Hello::Unsaid;
        self.state = State::Command;
    }

    /// Says no to the login; the session goes on, or closes when there were too many.
    pub fn answer(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        match std::mem::replace(&mut self.state, State::Command) {
            State::GivenUp(reply) => {
                self.error(reply, out);
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
        let text = if accepted.text.is_empty() { text::LOGGED_IN } else { &accepted.text };
        Reply::worded(235, Some(EnhancedCode::new(2, 7, 0)), text).write(false, out);
        self.state = State::Over;
    }

    /// Says goodbye unasked. The driver closes.
    pub fn bye(&mut self, why: Bye, out: &mut Vec<u8>) {
        text::bye(why).write(false, out);
        self.state = State::Over;
    }

    /// Acts on a whole line; `last` says that nothing stands behind it.
    fn take(&mut self, line: &[u8], last: bool, out: &mut Vec<u8>) -> FrontAction {
        match std::mem::replace(&mut self.state, State::Command) {
            State::Exchange(exchange) => self.take_message(exchange, line, out),
            State::Challenged => self.take_response(line),
            _ => {
                let command = match command::parse(line) {
                    Command::Octets => ehlo_of_a_machine(line).unwrap_or(Command::Octets),
                    command => command,
                };
                self.take_command(command, last, out)
            }
        }
    }

    fn take_command(&mut self, command: Command<'_>, last: bool, out: &mut Vec<u8>) -> FrontAction {
        match command {
            Command::Ehlo(name) => self.ehlo(name, out),
            Command::Helo(name) => self.helo(name, out),
            Command::Auth(mechanism, initial_response) => {
                self.auth(mechanism, initial_response, out)
            }
            Command::StartTls => self.starttls(last, out),
            Command::Mail(_) | Command::Rcpt(_) | Command::Data | Command::Bdat(_) => {
                let login = self.may_log_in() || !self.offers_starttls();
                self.error(if login { text::LOG_IN_FIRST } else { text::TLS_FIRST }, out)
            }
            Command::Rset | Command::Noop => say(text::OK, out),
            Command::Vrfy => say(text::VRFY, out),
            Command::Help => say(text::HELP, out),
            Command::Quit => {
                text::GOODBYE.write(false, out);
                self.close(CloseReason::Logout, out)
            }
            Command::Xclient(arguments) => self.xclient(arguments, out),
            Command::Expn | Command::Lhlo(_) | Command::Unimplemented => {
                self.error(command::UNIMPLEMENTED, out)
            }
            Command::Argument => self.error(command::ARGUMENT, out),
            Command::Octets => self.error(command::OCTETS, out),
            Command::Http => self.close(CloseReason::Http, out),
            Command::Unknown => self.error(command::UNKNOWN, out),
        }
    }

    /// A name of any form is taken: mail clients have many (RFC 5321 section 4.1.4).
    fn ehlo(&mut self, name: &[u8], out: &mut Vec<u8>) -> FrontAction {
        let name = name.split(|&octet| octet == b' ').next().unwrap_or_default();
        if name.is_empty() {
            return self.error(command::NO_HELLO, out);
        }
        self.hello = Hello::Ehlo(Arc::from(String::from_utf8_lossy(name)));
        let mut lines = String::from(&*self.settings.hostname);
        let mut offer = |words: &[&str]| {
            lines.push('\n');
            words.iter().for_each(|word| lines.push_str(word));
        };
        ALWAYS_OFFERED.iter().for_each(|extension| offer(&[extension]));
        self.settings.submission_extensions.iter().for_each(|extension| offer(&[extension]));
        offer(&[xclient::TTL_ALONE]);
        if self.offers_starttls() {
            offer(&["STARTTLS"]);
        }
        let mechanisms: Vec<&str> = self.mechanisms().map(Mechanism::as_str).collect();
        if !mechanisms.is_empty() {
            offer(&["AUTH ", &mechanisms.join(" ")]);
        }
        say(Reply::worded(250, None, &lines), out)
    }

    /// A proxy in front says how many further ones the session may pass. Behind it the session begins
    /// anew (XCLIENT_README of Postfix).
    fn xclient(&mut self, arguments: &[u8], out: &mut Vec<u8>) -> FrontAction {
        self.ttl.hear_xclient(arguments);
        self.hello = Hello::Unsaid;
        self.greet(out);
        FrontAction::Read
    }

    fn helo(&mut self, name: &[u8], out: &mut Vec<u8>) -> FrontAction {
        if name.is_empty() {
            return self.error(command::NO_HELLO, out);
        }
        self.hello = Hello::Helo;
        self.say_hostname(250, "", out);
        FrontAction::Read
    }

    fn auth(
        &mut self,
        name: &[u8],
        initial_response: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> FrontAction {
        // Whatever the mechanism, so that a client without TLS is not made to guess.
        if !self.may_log_in() {
            return self.error(text::PRIVACY_REQUIRED, out);
        }
        if self.hello().is_none() {
            return self.error(text::EHLO_FIRST, out);
        }
        if name.is_empty() {
            return self.error(text::AUTH_SYNTAX, out);
        }
        if Mechanism::is_kerberos(name) {
            return self.error(text::NO_KERBEROS, out);
        }
        let mechanism = Mechanism::from_name(name);
        let Some(mechanism) = mechanism.filter(|it| self.mechanisms().any(|known| known == *it))
        else {
            return self.error(text::NO_MECHANISM, out);
        };
        let Ok(message) = initial_response.map(sasl::initial_response).transpose() else {
            return self.error(text::NOT_BASE64, out);
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
            Ok(SaslResponse::Cancel) => self.error(text::CANCELLED, out),
            Err(_) => self.error(text::NOT_BASE64, out),
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
                self.error(text::NOT_A_MESSAGE, out)
            }
            // Refused like a wrong password, and nobody needs to be asked.
            Progress::Refused(_) => {
                self.refuse(&Answer::Rejected, out);
                FrontAction::Read
            }
        }
    }

    /// The client's answer to a challenge of the back end. What is no answer cancels the exchange:
    /// the back end waits for something.
    fn take_response(&mut self, line: &[u8]) -> FrontAction {
        let response = sasl::response(line);
        self.state = match response {
            Ok(SaslResponse::Data(_)) => State::Deciding,
            Ok(SaslResponse::Cancel) => State::GivenUp(text::CANCELLED),
            Err(_) => State::GivenUp(text::NOT_BASE64),
        };
        FrontAction::Response(response.unwrap_or(SaslResponse::Cancel))
    }

    fn starttls(&mut self, last: bool, out: &mut Vec<u8>) -> FrontAction {
        if !self.offers_starttls() {
            return self.error(if self.encrypted { text::TLS_IS_ON } else { text::NO_TLS }, out);
        }
        if !last {
            return self.close(CloseReason::PlaintextAfterStarttls, out);
        }
        text::BEGIN_TLS.write(false, out);
        self.state = State::StartingTls;
        FrontAction::StartTls
    }

    /// Whether a password may come on this leg as it is.
    fn may_log_in(&self) -> bool {
        self.encrypted || self.settings.allow_plaintext
    }

    fn offers_starttls(&self) -> bool {
        self.settings.encryption == Encryption::Starttls && !self.encrypted
    }

    /// What may not be used now is not offered (RFC 4954 section 4).
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
        text::answer(answer).write(false, out);
        if *answer == Answer::Unavailable {
            return;
        }
        self.auth_errors = self.auth_errors.saturating_add(1);
        if self.auth_errors >= self.settings.max_auth_errors {
            self.state = State::Closing(CloseReason::TooManyAuthErrors);
        }
    }

    /// Answers something that came to nothing; too many of them close the session.
    fn error(&mut self, reply: Reply, out: &mut Vec<u8>) -> FrontAction {
        reply.write(false, out);
        self.errors = self.errors.saturating_add(1);
        if self.errors >= self.settings.max_errors {
            self.state = State::Closing(CloseReason::TooManyErrors);
        }
        FrontAction::Read
    }

    /// Closes, with a goodbye (RFC 5321 section 3.8) where the client does not know why.
    fn close(&mut self, reason: CloseReason, out: &mut Vec<u8>) -> FrontAction {
        if !matches!(self.state, State::Closed(_))
            && let Some(goodbye) = text::closing(reason)
        {
            goodbye.write(false, out);
        }
        self.state = State::Closed(reason);
        FrontAction::Close(reason)
    }

    fn say_hostname(&self, code: u16, behind: &str, out: &mut Vec<u8>) {
        let text = format!("{}{behind}", self.settings.hostname);
        Reply::worded(code, None, &text).write(false, out);
    }
}

/// EHLO with what somebody has named their computer, in whatever letters: mail clients say it, and
/// nobody is helped by sending them away.
fn ehlo_of_a_machine(line: &[u8]) -> Option<Command<'_>> {
    let (verb, name) = line.split_at_checked(b"EHLO ".len())?;
    let is_ehlo = verb.eq_ignore_ascii_case(b"EHLO ");
    (is_ehlo && !name.iter().any(u8::is_ascii_control)).then_some(Command::Ehlo(name))
}

/// Whether the line at the start of `input` may hold an initial response. The answer does not
/// change while more of the line arrives, unless the line is still shorter than every limit.
fn begins_auth(input: &[u8]) -> bool {
    input.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"AUTH "))
}

fn say(reply: Reply, out: &mut Vec<u8>) -> FrontAction {
    reply.write(false, out);
    FrontAction::Read
}

fn say_challenge(data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"334 ");
    sasl::encode(data, out);
    out.extend_from_slice(b"\r\n");
}

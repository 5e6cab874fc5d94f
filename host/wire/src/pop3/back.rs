use std::fmt::Write as _;

use waypost_model::{Encryption, Secret};

use super::reply::{self, Reply};
use crate::line::{self, Taken};
use crate::login::{
    Accepted, Advance, BackAction, BackFailure, BackSettings, Credential, Introduction, Mechanism,
    printable,
};
use crate::sasl::{self, MAX_LINE, SaslResponse, plain, token};

/// The longest line of an ordinary reply without its terminator. RFC 1939 section 3 gives a server
/// 512 octets.
const MAX_REPLY: usize = 2048;
/// The longest answer to CAPA, in octets.
const MAX_CAPABILITIES: usize = 8192;
/// The longest command without its CRLF that any server must take (RFC 2449 section 4).
const MAX_COMMAND: usize = 253;
/// The longest session id that Dovecot keeps.
const MAX_SESSION_ID: usize = 64;

/// POP3 up to the login, as a client of a back end.
///
/// Driven as [`crate::login`] describes. Each reply must come by itself: one that nobody has
/// asked for yet fails the target. What follows the accepted login stays unconsumed.
#[derive(Debug)]
pub struct Back {
    settings: BackSettings,
    state: State,
}

/// The reply that is expected next.
#[derive(Debug)]
enum State {
    Greeting,
    Stls,
    /// None: TLS is being started.
    StartingTls,
    /// None: TLS has been started, and the next step is our own.
    TlsStarted,
    /// To CAPA, asked for the sake of XCLIENT.
    Capa,
    /// The rest of the reply to CAPA.
    Capabilities {
        octets: usize,
        xclient: bool,
    },
    Xclient,
    /// None: the credential is waited for.
    Ready,
    /// To USER; with what PASS will say.
    User(Secret),
    Pass,
    /// To AUTH, with the first message of the exchange.
    Auth(Mechanism, Secret),
    /// To a message of the exchange.
    Message {
        mechanism: Mechanism,
        cancelled: bool,
    },
    /// None: the client's answer to a challenge is waited for.
    Challenged(Mechanism),
    /// None: the login has ended one way or the other.
    Over,
}

impl Back {
    /// A dialogue for a new connection.
    pub fn new(settings: BackSettings) -> Self {
        Self { settings, state: State::Greeting }
    }

    /// Takes at most one line of `input`.
    pub fn advance(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance<BackAction> {
        let limit = match self.state {
            State::StartingTls | State::Ready | State::Challenged(_) if !input.is_empty() => {
                return Advance { consumed: 0, action: self.unasked() };
            }
            State::Ready => return Advance { consumed: 0, action: BackAction::Ready },
            State::StartingTls | State::Challenged(_) | State::Over => {
                return Advance { consumed: 0, action: BackAction::Read };
            }
            // Another protocol's greeting, or TLS: no need to wait for the end of its line.
            State::Greeting if !matches!(input.first(), None | Some(b'+' | b'-')) => {
                let failure = BackFailure::Protocol("a greeting");
                return Advance { consumed: 0, action: self.fail(failure) };
            }
            State::TlsStarted => {
                return Advance { consumed: 0, action: self.introduce(Xclient::Untold, out) };
            }
            State::Auth(..) | State::Message { .. } => MAX_LINE,
            _ => MAX_REPLY,
        };
        match line::take(input, limit) {
            Taken::Incomplete => Advance { consumed: 0, action: BackAction::Read },
            Taken::TooLong => Advance { consumed: 0, action: self.fail(BackFailure::TooLong) },
            Taken::Line(line) => {
                let alone = input.len() == line.len;
                Advance { consumed: line.len, action: self.take(line.text, alone, out) }
            }
        }
    }

    /// The back end's leg is encrypted now: what it said before is forgotten.
    pub fn tls_started(&mut self) {
        self.state = State::TlsStarted;
    }

    /// Logs in with the client's credential, in the name of `identity` where the route says one.
    ///
    /// A name and a password go as USER and PASS, which every server takes; with an authorisation
    /// identity, or too long for a command, as AUTH PLAIN. No SASL message goes with its command:
    /// that a server lacks the mechanism shows before the credential, without asking CAPA, and
    /// the length of a command (RFC 5034 section 4) is never in the way of a token.
    pub fn login(
        &mut self,
        credential: &Credential,
        identity: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Result<(), BackFailure> {
        if !matches!(self.state, State::Ready) {
            return Err(BackFailure::EarlyReply);
        }
        if let Some(identity) = identity {
            sasl::name(identity.as_bytes()).map_err(|_| BackFailure::Name)?;
        }
        match credential {
            Credential::Password { authentication_id, authorisation_id, password, .. } => {
                match authorisation_id {
                    Some(name) => {
                        let name = identity.unwrap_or(name);
                        let message = plain::encode(name, authentication_id, password);
                        self.authenticate(Mechanism::Plain, message, out);
                    }
                    None => self.log_in(identity.unwrap_or(authentication_id), password, out),
                }
            }
            // Its challenge was ours.
            Credential::Digest { mechanism, .. } => {
                return Err(BackFailure::MechanismNotOffered(*mechanism));
            }
            // It was shown to us, and shows nobody else anything.
            Credential::Certificate { .. } => {
                return Err(BackFailure::MechanismNotOffered(Some(Mechanism::External)));
            }
            Credential::Token { mechanism, user, initial_response } => {
                let message = match identity.filter(|identity| identity != user) {
                    Some(name) => token::with_user(*mechanism, initial_response, name)
                        .ok_or(BackFailure::Name)?,
                    None => initial_response.clone(),
                };
                self.authenticate(*mechanism, message, out);
            }
        }
        Ok(())
    }

    /// Passes on the client's answer to a challenge.
    pub fn respond(&mut self, response: &SaslResponse, out: &mut Vec<u8>) {
        let State::Challenged(mechanism) = self.state else { return };
        match response {
            SaslResponse::Data(message) => sasl::encode(message.expose(), out),
            SaslResponse::Cancel => out.push(b'*'),
        }
        out.extend_from_slice(b"\r\n");
        self.state = State::Message { mechanism, cancelled: *response == SaslResponse::Cancel };
    }

    /// Acts on a whole line; `alone` says that nothing stands behind it. What an unasked reply
    /// behind it would have answered is not said, least of all a password.
    fn take(&mut self, line: &[u8], alone: bool, out: &mut Vec<u8>) -> BackAction {
        let said = out.len();
        let action = self.take_line(line, out);
        if alone || matches!(self.state, State::Capabilities { .. } | State::Over) {
            return action;
        }
        out.truncate(said);
        self.unasked()
    }

    fn take_line(&mut self, line: &[u8], out: &mut Vec<u8>) -> BackAction {
        let state = std::mem::replace(&mut self.state, State::Over);
        if let State::Capabilities { octets, xclient } = state {
            return self.take_capability(line, octets, xclient, out);
        }
        match (state, reply::parse(line)) {
            (State::Greeting, Reply::Ok(text)) => self.greeted(text, out),
            (State::Greeting, Reply::Err(text)) => self.fail(BackFailure::Bye(printable(text))),

            (State::Stls, Reply::Ok(_)) => {
                self.state = State::StartingTls;
                BackAction::StartTls
            }
            (State::Stls, Reply::Err(text)) => {
                self.fail(BackFailure::StarttlsRefused(printable(text)))
            }

            (State::Capa, Reply::Ok(_)) => {
                self.state = State::Capabilities { octets: 0, xclient: false };
                BackAction::Read
            }
            // No CAPA, or no wish to hear of the client: neither stands in the client's way.
            (State::Capa | State::Xclient, Reply::Err(_)) | (State::Xclient, Reply::Ok(_)) => {
                self.ready()
            }

            (State::User(password), Reply::Ok(_)) => {
                out.extend_from_slice(b"PASS ");
                out.extend_from_slice(password.expose());
                out.extend_from_slice(b"\r\n");
                self.expect(State::Pass)
            }
            (State::Auth(mechanism, message), Reply::Challenge(_)) => {
                sasl::encode(message.expose(), out);
                out.extend_from_slice(b"\r\n");
                self.expect(State::Message { mechanism, cancelled: false })
            }
            (State::Auth(mechanism, _), Reply::Err(text)) => {
                let refusal = self.refused(text);
                match refusal {
                    BackAction::Rejected(_) => {
                        self.fail(BackFailure::MechanismNotOffered(Some(mechanism)))
                    }
                    failed => failed,
                }
            }
            (State::Message { mechanism, cancelled: false }, Reply::Challenge(data))
                if mechanism.is_relayed() =>
            {
                self.challenged(mechanism, data)
            }
            (State::Pass | State::Message { cancelled: false, .. }, Reply::Ok(text)) => {
                BackAction::Accepted(Accepted { text: printable(text), ..Accepted::default() })
            }
            (State::User(_) | State::Pass | State::Message { .. }, Reply::Err(text)) => {
                self.refused(text)
            }

            (State::Greeting, _) => self.fail(BackFailure::Protocol("a greeting")),
            (State::Auth(..), _) => self.fail(BackFailure::Protocol("a challenge")),
            _ => self.fail(BackFailure::Protocol("+OK or -ERR")),
        }
    }

    fn greeted(&mut self, text: &[u8], out: &mut Vec<u8>) -> BackAction {
        if self.settings.encryption == Encryption::Starttls {
            say(out, "STLS");
            return self.expect(State::Stls);
        }
        // Dovecot lists XCLIENT here, to those it trusts, and not in CAPA.
        let offered = text.starts_with(b"[XCLIENT]");
        self.introduce(if offered { Xclient::Offered } else { Xclient::NotInGreeting }, out)
    }

    /// Tells the back end of the client, where there is something to tell and it wants to hear it.
    fn introduce(&mut self, xclient: Xclient, out: &mut Vec<u8>) -> BackAction {
        let Some(introduction) = self.settings.introduction() else { return self.ready() };
        if xclient == Xclient::NotInGreeting {
            say(out, "CAPA");
            return self.expect(State::Capa);
        }
        say(out, &xclient_command(introduction));
        self.expect(State::Xclient)
    }

    /// A line of the answer to CAPA, or its end.
    fn take_capability(
        &mut self,
        line: &[u8],
        octets: usize,
        xclient: bool,
        out: &mut Vec<u8>,
    ) -> BackAction {
        if line == b"." {
            return if xclient { self.introduce(Xclient::Offered, out) } else { self.ready() };
        }
        let octets = octets.saturating_add(line.len()).saturating_add(2);
        if octets > MAX_CAPABILITIES {
            return self.fail(BackFailure::TooLong);
        }
        let name = line.split(|&octet| octet == b' ').next().unwrap_or_default();
        let xclient = xclient || name.eq_ignore_ascii_case(b"XCLIENT");
        self.expect(State::Capabilities { octets, xclient })
    }

    fn log_in(&mut self, name: &str, password: &Secret, out: &mut Vec<u8>) {
        let longest = b"USER ".len() + name.len().max(password.len());
        if longest > MAX_COMMAND {
            let message = plain::encode("", name, password);
            return self.authenticate(Mechanism::Plain, message, out);
        }
        out.extend_from_slice(b"USER ");
        say(out, name);
        self.state = State::User(password.clone());
    }

    fn authenticate(&mut self, mechanism: Mechanism, message: Secret, out: &mut Vec<u8>) {
        out.extend_from_slice(b"AUTH ");
        say(out, mechanism.as_str());
        self.state = State::Auth(mechanism, message);
    }

    fn challenged(&mut self, mechanism: Mechanism, data: &[u8]) -> BackAction {
        match sasl::decode(data) {
            Ok(challenge) => {
                self.state = State::Challenged(mechanism);
                BackAction::Challenge(challenge.expose().to_vec())
            }
            Err(_) => self.fail(BackFailure::Protocol("a challenge in base64")),
        }
    }

    /// The back end's no, which is its own unless it says that it cannot know (RFC 3206 section 4).
    fn refused(&mut self, text: &[u8]) -> BackAction {
        let rejection = reply::rejection(text);
        if rejection.code.as_deref() == Some("SYS/TEMP") {
            return self.fail(BackFailure::Temporary(rejection.text));
        }
        self.state = State::Over;
        BackAction::Rejected(rejection)
    }

    fn expect(&mut self, state: State) -> BackAction {
        self.state = state;
        BackAction::Read
    }

    fn ready(&mut self) -> BackAction {
        self.state = State::Ready;
        BackAction::Ready
    }

    /// Octets that nothing can have asked for.
    fn unasked(&mut self) -> BackAction {
        let starting_tls = matches!(self.state, State::StartingTls);
        self.fail(if starting_tls {
            BackFailure::PlaintextAfterStarttls
        } else {
            BackFailure::EarlyReply
        })
    }

    fn fail(&mut self, failure: BackFailure) -> BackAction {
        self.state = State::Over;
        BackAction::Failed(failure)
    }
}

/// What is known of the back end's wish to hear of the client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Xclient {
    /// It said that it takes XCLIENT.
    Offered,
    /// The greeting does not say so; CAPA may.
    NotInGreeting,
    /// Whatever it said came before TLS and is forgotten, and Dovecot says it nowhere else. To try
    /// is the way to find out: a refusal is harmless.
    Untold,
}

/// Dovecot's XCLIENT for POP3: unlike Postfix's it writes an IPv6 address as it is.
fn xclient_command(introduction: Introduction<'_>) -> String {
    let mut command = "XCLIENT".to_owned();
    if let Some(client) = introduction.client {
        let (address, port) = (client.client.ip().to_canonical(), client.client.port());
        let _ = write!(command, " ADDR={address} PORT={port}");
        let fits = (1..=MAX_SESSION_ID).contains(&client.session.len());
        if fits && client.session.bytes().all(|octet| octet.is_ascii_graphic()) {
            command.push_str(" SESSION=");
            command.push_str(&client.session);
        }
    }
    let _ = write!(command, " TTL={}", introduction.ttl);
    command
}

/// Writes a command.
fn say(out: &mut Vec<u8>, command: &str) {
    out.extend_from_slice(command.as_bytes());
    out.extend_from_slice(b"\r\n");
}

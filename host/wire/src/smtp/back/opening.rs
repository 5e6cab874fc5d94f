use std::sync::Arc;

use waypost_model::Encryption;

use super::{BackFailure, BackSettings, Capabilities, say};
use crate::line::{self, Taken};
use crate::login::Advance;
use crate::smtp::hello;
use crate::smtp::reply::{MAX_REPLY_LINE, Reply, ReplyParser};

/// What comes before mail or a login: the greeting, EHLO, STARTTLS, XCLIENT.
///
/// Nothing is pipelined, so each reply must come by itself.
#[derive(Debug)]
pub(in crate::smtp) struct Opening {
    settings: BackSettings,
    /// What the client called itself.
    client_hello: Option<Arc<str>>,
    purpose: Purpose,
    state: State,
    parser: ReplyParser,
    capabilities: Capabilities,
    /// Whether the leg is as the settings demand.
    encrypted: bool,
    /// Whether the back end has been told of the client, or does not want to hear of it.
    introduced: bool,
    /// Whose name goes with EHLO.
    name: Name,
}

/// What the connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::smtp) enum Purpose {
    /// Mail, which may come from several clients. The back end hears the client's name only where
    /// XCLIENT has said that it is the client's.
    Mail,
    /// One client's login: the back end hears its name. There is no login behind HELO.
    Login,
}

/// What comes of a step.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::smtp) enum Step {
    Read,
    StartTls,
    Ready,
    Failed(BackFailure),
}

/// The reply that is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Greeting,
    /// To EHLO or LHLO.
    Ehlo,
    Helo,
    Starttls,
    /// None: TLS is being started.
    StartingTls,
    /// None: TLS has been started, and the next step is our own.
    TlsStarted,
    Xclient,
    /// None: ready, or failed.
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Own,
    /// What the client called itself.
    Client,
}

impl Opening {
    /// The opening of a new connection. `client_hello` is what the client called itself; one that
    /// is no host name and no address literal is not said.
    pub(in crate::smtp) fn new(
        settings: BackSettings,
        client_hello: Option<Arc<str>>,
        purpose: Purpose,
    ) -> Self {
        let encrypted = settings.encryption != Encryption::Starttls;
        Self {
            settings,
            client_hello: client_hello.filter(|name| hello::may_be_said(name)),
            purpose,
            state: State::Greeting,
            parser: ReplyParser::default(),
            capabilities: Capabilities::default(),
            encrypted,
            introduced: false,
            name: if purpose == Purpose::Login { Name::Client } else { Name::Own },
        }
    }

    pub(in crate::smtp) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// Takes at most one line of `input`.
    pub(in crate::smtp) fn advance(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance<Step> {
        let action = match (self.state, input.first()) {
            (State::TlsStarted, None) => self.hello(out),
            (State::TlsStarted | State::StartingTls, Some(_)) => self.unasked(),
            (State::StartingTls | State::Over, _) | (_, None) => Step::Read,
            // Another protocol, or TLS: no need to wait for the end of the line.
            (_, Some(b'2'..=b'5')) => return self.take(input, out),
            (State::Greeting, _) => self.fail(BackFailure::Protocol("a greeting")),
            _ => self.fail(BackFailure::Protocol("a reply")),
        };
        Advance { consumed: 0, action }
    }

    pub(in crate::smtp) fn tls_started(&mut self) {
        self.encrypted = true;
        self.capabilities = Capabilities::default();
        self.state = State::TlsStarted;
    }

    fn take(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance<Step> {
        let line = match line::take(input, MAX_REPLY_LINE) {
            Taken::Incomplete => return Advance { consumed: 0, action: Step::Read },
            Taken::TooLong => {
                return Advance { consumed: 0, action: self.fail(BackFailure::TooLong) };
            }
            Taken::Line(line) => line,
        };
        let action = match self.parser.take(line.text) {
            Ok(None) => Step::Read,
            Ok(Some(reply)) => self.heard_alone(reply, input.len() == line.len, out),
            Err(error) => self.fail(error.into()),
        };
        Advance { consumed: line.len, action }
    }

    /// Acts on a whole reply; `alone` says that nothing stands behind it. What an unasked reply
    /// behind it would have answered is not said.
    fn heard_alone(&mut self, reply: Reply, alone: bool, out: &mut Vec<u8>) -> Step {
        let said = out.len();
        let step = self.heard(reply, out);
        if alone || matches!(step, Step::Failed(_)) {
            return step;
        }
        out.truncate(said);
        self.unasked()
    }

    fn heard(&mut self, reply: Reply, out: &mut Vec<u8>) -> Step {
        let state = std::mem::replace(&mut self.state, State::Over);
        let refused = reply.is_transient() || reply.is_permanent();
        match state {
            State::Greeting if reply.code() == 220 => self.hello(out),
            State::Greeting if refused => self.fail(BackFailure::Greeting(reply)),
            _ if reply.is_goodbye() => self.fail(BackFailure::Goodbye(reply)),

            State::Ehlo if reply.code() == 250 => {
                self.capabilities = Capabilities::parse(&reply);
                self.go_on(out)
            }
            State::Ehlo if refused => self.hello_refused(reply, out),
            State::Helo if reply.code() == 250 => self.ready(),
            State::Helo if refused => self.fail(BackFailure::Hello(reply)),

            State::Starttls if reply.code() == 220 => {
                self.state = State::StartingTls;
                Step::StartTls
            }
            State::Starttls if refused => self.fail(BackFailure::StarttlsRefused(reply)),

            // The back end begins anew, as if the client had connected.
            State::Xclient if reply.is_positive() => {
                self.capabilities = Capabilities::default();
                self.name = Name::Client;
                self.hello(out)
            }
            // That it will not hear of the client does not stand in the client's way.
            State::Xclient if refused => self.ready(),

            state => self.fail(BackFailure::Unexpected(state.as_str(), reply)),
        }
    }

    /// Behind the answer to EHLO: TLS first, then the client, then mail.
    fn go_on(&mut self, out: &mut Vec<u8>) -> Step {
        if !self.encrypted {
            if !self.capabilities.starttls {
                return self.fail(BackFailure::StarttlsNotOffered);
            }
            say(out, &["STARTTLS"]);
            return self.expect(State::Starttls);
        }
        let offered = self.capabilities.xclient;
        let client = self.settings.client.as_ref().filter(|_| !self.introduced);
        self.introduced = true;
        match client.and_then(|client| offered.command(client, self.settings.lmtp)) {
            Some(command) => {
                say(out, &[&command]);
                self.expect(State::Xclient)
            }
            None => self.ready(),
        }
    }

    fn hello(&mut self, out: &mut Vec<u8>) -> Step {
        let verb = if self.settings.lmtp { "LHLO " } else { "EHLO " };
        let name = self.client_name().unwrap_or(&self.settings.name);
        say(out, &[verb, name]);
        self.expect(State::Ehlo)
    }

    fn hello_refused(&mut self, reply: Reply, out: &mut Vec<u8>) -> Step {
        // It may be the name: what a client calls itself is no reason to do without its back end.
        if self.client_name().is_some() {
            self.name = Name::Own;
            return self.hello(out);
        }
        let unknown = matches!(reply.code(), 500 | 502);
        let may_do_without = self.purpose == Purpose::Mail
            && !self.settings.lmtp
            && self.settings.encryption != Encryption::Starttls;
        if !unknown || !may_do_without {
            return self.fail(BackFailure::Hello(reply));
        }
        say(out, &["HELO ", &self.settings.name]);
        self.expect(State::Helo)
    }

    /// The client's name, where it is to be said. Before TLS nothing of the client is.
    fn client_name(&self) -> Option<&str> {
        let due = self.name == Name::Client && self.encrypted;
        self.client_hello.as_deref().filter(|_| due)
    }

    fn expect(&mut self, state: State) -> Step {
        self.state = state;
        Step::Read
    }

    fn ready(&mut self) -> Step {
        self.state = State::Over;
        Step::Ready
    }

    /// Octets that nothing can have asked for.
    fn unasked(&mut self) -> Step {
        let starting_tls = self.state == State::StartingTls;
        self.fail(if starting_tls {
            BackFailure::PlaintextAfterStarttls
        } else {
            BackFailure::Unasked
        })
    }

    fn fail(&mut self, failure: BackFailure) -> Step {
        self.state = State::Over;
        Step::Failed(failure)
    }
}

impl State {
    /// What the reply would have answered.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Greeting => "a connection",
            Self::Ehlo => "EHLO",
            Self::Helo => "HELO",
            Self::Starttls => "STARTTLS",
            Self::Xclient => "XCLIENT",
            Self::StartingTls | Self::TlsStarted | Self::Over => "nothing",
        }
    }
}

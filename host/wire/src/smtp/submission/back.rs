use waypost_model::Secret;

use crate::line::{self, Taken};
use crate::login::{
    self, Accepted, Advance, BackAction, BackFailure, Credential, Mechanism, Rejection, printable,
};
use crate::sasl::{self, MAX_LINE, SaslResponse, plain, token};
use crate::smtp::back::{self, Opening, Purpose, Step};
use crate::smtp::{ClientIdentity, ClientProtocol, MAX_REPLY_LINE, Reply, ReplyParser};

/// The longest command, without its CRLF, that every server takes (RFC 5321 section 4.5.3.1.4). An
/// initial response that makes AUTH longer waits for the go-ahead (RFC 4954 section 4).
const MAX_COMMAND: usize = 510;

/// Submission up to the login, as a client of a back end.
///
/// Driven as [`crate::login`] describes. Each reply must come by itself: one that nobody has
/// asked for yet fails the target. What follows the accepted login stays unconsumed.
#[derive(Debug)]
pub struct Back {
    opening: Opening,
    parser: ReplyParser,
    state: State,
}

/// The reply that is expected next.
#[derive(Debug)]
enum State {
    /// To what comes before the login.
    Opening,
    /// None: the credential is waited for.
    Ready,
    /// To AUTH; with the messages that are still to be sent, the last of them first.
    Auth(Mechanism, Vec<Secret>),
    /// To the last message of ours, or to one of the client's.
    Message { mechanism: Mechanism, cancelled: bool },
    /// None: the client's answer to a challenge is waited for.
    Challenged(Mechanism),
    /// None: the login has ended one way or the other.
    Over,
}

impl Back {
    /// A dialogue for a new connection.
    pub fn new(settings: login::BackSettings) -> Self {
        // Here `ttl` goes with the client, who is told of wherever XCLIENT is offered.
        let login::BackSettings { encryption, client, ttl: _, hostname, hello } = settings;
        let client = client.map(|client| ClientIdentity {
            client: client.client,
            local: client.local,
            hello: hello.clone(),
            protocol: ClientProtocol::Esmtp,
            session: Some(client.session),
            ttl: Some(client.ttl),
        });
        let settings = back::BackSettings { encryption, lmtp: false, name: hostname, client };
        Self {
            opening: Opening::new(settings, hello, Purpose::Login),
            parser: ReplyParser::default(),
            state: State::Opening,
        }
    }

    /// What the back end offers. Complete with [`BackAction::Ready`].
    pub fn capabilities(&self) -> &back::Capabilities {
        self.opening.capabilities()
    }

    /// Takes at most one line of `input`.
    pub fn advance(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance<BackAction> {
        let limit = match self.state {
            State::Opening => return self.open(input, out),
            State::Ready | State::Challenged(_) if !input.is_empty() => {
                return Advance { consumed: 0, action: self.fail(BackFailure::EarlyReply) };
            }
            State::Ready => return Advance { consumed: 0, action: BackAction::Ready },
            State::Challenged(_) | State::Over => {
                return Advance { consumed: 0, action: BackAction::Read };
            }
            State::Auth(..) | State::Message { .. } if input.starts_with(b"334") => {
                "334 ".len() + MAX_LINE
            }
            State::Auth(..) | State::Message { .. } => MAX_REPLY_LINE,
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
        self.opening.tls_started();
    }

    /// Logs in with the client's credential, in the name of `identity` where the route says one.
    ///
    /// A name and a password go as PLAIN, or as LOGIN where the back end has nothing else, which
    /// knows no authorisation identity. A mechanism that the back end does not offer is not tried.
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
                let (by, name) = match authorisation_id {
                    Some(name) => (identity.unwrap_or(name), authentication_id.as_str()),
                    None => ("", identity.unwrap_or(authentication_id)),
                };
                if self.offers(Mechanism::Plain) {
                    self.authenticate(Mechanism::Plain, plain::encode(by, name, password), out);
                } else if self.offers(Mechanism::Login) && by.is_empty() {
                    let messages = vec![password.clone(), Secret::from(name)];
                    self.begin(Mechanism::Login, messages, out);
                } else {
                    return Err(BackFailure::MechanismNotOffered(Some(Mechanism::Plain)));
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
                if !self.offers(*mechanism) {
                    return Err(BackFailure::MechanismNotOffered(Some(*mechanism)));
                }
                if mechanism.is_scram() && self.capabilities().binds_channels {
                    return Err(BackFailure::ChannelBinding);
                }
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
            SaslResponse::Data(message) => say_message(message, out),
            SaslResponse::Cancel => out.extend_from_slice(b"*\r\n"),
        }
        self.state = State::Message { mechanism, cancelled: *response == SaslResponse::Cancel };
    }

    fn open(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance<BackAction> {
        let Advance { consumed, action } = self.opening.advance(input, out);
        let action = match action {
            Step::Read => BackAction::Read,
            Step::StartTls => BackAction::StartTls,
            Step::Ready => {
                self.state = State::Ready;
                BackAction::Ready
            }
            Step::Failed(failure) => self.fail(failure.into()),
        };
        Advance { consumed, action }
    }

    fn offers(&self, mechanism: Mechanism) -> bool {
        self.capabilities().mechanisms.contains(&mechanism)
    }

    /// AUTH with its one message, or first without where it would be too long.
    fn authenticate(&mut self, mechanism: Mechanism, message: Secret, out: &mut Vec<u8>) {
        let start = b"AUTH ".len() + mechanism.as_str().len() + b" ".len();
        if start + sasl::encoded_len(message.len()) > MAX_COMMAND {
            return self.begin(mechanism, vec![message], out);
        }
        out.extend_from_slice(b"AUTH ");
        out.extend_from_slice(mechanism.as_str().as_bytes());
        out.push(b' ');
        sasl::encode_initial(message.expose(), out);
        out.extend_from_slice(b"\r\n");
        self.state = State::Message { mechanism, cancelled: false };
    }

    /// AUTH without an initial response; the `messages` follow, the last of them first.
    fn begin(&mut self, mechanism: Mechanism, messages: Vec<Secret>, out: &mut Vec<u8>) {
        back::say(out, &["AUTH ", mechanism.as_str()]);
        self.state = State::Auth(mechanism, messages);
    }

    /// Acts on a whole line; `alone` says that nothing stands behind it. What an unasked reply
    /// behind it would have answered is not said, least of all a password.
    fn take(&mut self, line: &[u8], alone: bool, out: &mut Vec<u8>) -> BackAction {
        let said = out.len();
        let challenge = line.strip_prefix(b"334").filter(|_| !self.parser.is_inside());
        let action = match challenge {
            Some([]) => self.challenged(b"", out),
            // A challenge may be as long as a message, so it is no text of a reply.
            Some([b' ', data @ ..]) => self.challenged(data, out),
            _ => match self.parser.take(line) {
                // Further lines of a reply: nothing has been acted on yet.
                Ok(None) => return BackAction::Read,
                Ok(Some(reply)) => self.heard(reply),
                Err(error) => self.fail(back::BackFailure::from(error).into()),
            },
        };
        if alone || matches!(self.state, State::Over) {
            return action;
        }
        out.truncate(said);
        self.fail(BackFailure::EarlyReply)
    }

    /// 334: the back end wants the next message.
    fn challenged(&mut self, data: &[u8], out: &mut Vec<u8>) -> BackAction {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Auth(mechanism, mut messages) => {
                if let Some(message) = messages.pop() {
                    say_message(&message, out);
                }
                self.state = match messages.is_empty() {
                    true => State::Message { mechanism, cancelled: false },
                    false => State::Auth(mechanism, messages),
                };
                BackAction::Read
            }
            State::Message { mechanism, cancelled: false } if mechanism.is_relayed() => {
                let Ok(challenge) = sasl::decode(data) else {
                    return self.fail(BackFailure::Protocol("a challenge in base64"));
                };
                self.state = State::Challenged(mechanism);
                BackAction::Challenge(challenge.expose().to_vec())
            }
            _ => self.fail(BackFailure::Protocol("the answer to a login")),
        }
    }

    /// What ends an exchange (RFC 4954 sections 4 and 6).
    fn heard(&mut self, reply: Reply) -> BackAction {
        let state = std::mem::replace(&mut self.state, State::Over);
        let (mechanism, said_all) = match state {
            State::Auth(mechanism, _) => (mechanism, false),
            State::Message { mechanism, cancelled } => (mechanism, !cancelled),
            _ => return self.fail(BackFailure::EarlyReply),
        };
        let words = words(&reply);
        match reply.code() {
            235 if said_all => {
                BackAction::Accepted(Accepted { text: words, ..Accepted::default() })
            }
            421 => self.fail(BackFailure::Bye(words)),
            500 | 502 | 504 => self.fail(BackFailure::MechanismNotOffered(Some(mechanism))),
            // What it did not understand says nothing of the credential.
            501 | 503 => self.fail(BackFailure::Refused(words)),
            530 | 538 => self.fail(BackFailure::PrivacyRequired(words)),
            535 => BackAction::Rejected(Rejection { code: None, text: words }),
            _ if reply.is_transient() => self.fail(BackFailure::Temporary(words)),
            code if reply.is_permanent() => {
                let enhanced = reply.enhanced().map(|it| format!(" {it}")).unwrap_or_default();
                let code = Some(format!("{code}{enhanced}"));
                BackAction::Rejected(Rejection { code, text: words })
            }
            _ => self.fail(BackFailure::Protocol("the answer to a login")),
        }
    }

    fn fail(&mut self, failure: BackFailure) -> BackAction {
        self.state = State::Over;
        BackAction::Failed(failure)
    }
}

/// A failure of what comes before the login, in the words of all protocols.
impl From<back::BackFailure> for BackFailure {
    fn from(failure: back::BackFailure) -> Self {
        use back::BackFailure as Mail;

        let line = |reply: &Reply| printable(reply.to_string().as_bytes());
        match &failure {
            Mail::Greeting(reply) | Mail::Goodbye(reply) => Self::Bye(line(reply)),
            Mail::Hello(reply) => Self::Hello(line(reply)),
            Mail::StarttlsNotOffered => Self::StarttlsNotOffered,
            Mail::StarttlsRefused(reply) => Self::StarttlsRefused(line(reply)),
            Mail::PlaintextAfterStarttls => Self::PlaintextAfterStarttls,
            Mail::Unasked => Self::EarlyReply,
            Mail::Unexpected(..) => Self::Protocol("another reply"),
            Mail::Protocol(expected) => Self::Protocol(expected),
            Mail::Rubbish(_) => Self::Protocol("a reply"),
            Mail::TooLong => Self::TooLong,
        }
    }
}

/// The words of a reply on one line, without its codes.
fn words(reply: &Reply) -> String {
    let text: Vec<&str> = reply.lines().filter(|line| !line.is_empty()).collect();
    printable(text.join(" ").as_bytes())
}

fn say_message(message: &Secret, out: &mut Vec<u8>) {
    sasl::encode(message.expose(), out);
    out.extend_from_slice(b"\r\n");
}

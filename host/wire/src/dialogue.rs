//! One type for the fronts and one for the back ends of all protocols that log in.

use std::sync::Arc;

use waypost_model::Protocol;

use crate::login::{
    Accepted, Advance, Answer, BackAction, BackFailure, BackSettings, Bye, Credential, FrontAction,
    FrontSettings, SaslResponse,
};
use crate::smtp::submission;
use crate::ttl::Ttl;
use crate::{imap, pop3};

/// The dialogue with a mail client, from the greeting to the login. [`login`](crate::login) says
/// how it is driven.
#[derive(Debug)]
pub enum Front {
    /// IMAP.
    Imap(imap::Front),
    /// POP3.
    Pop3(pop3::Front),
    /// Submission.
    Submission(submission::Front),
}

/// Calls the same method of whichever dialogue it is.
macro_rules! each {
    ($self:ident, $dialogue:ident => $call:expr) => {
        match $self {
            Self::Imap($dialogue) => $call,
            Self::Pop3($dialogue) => $call,
            Self::Submission($dialogue) => $call,
        }
    };
}

impl Front {
    /// A dialogue with a client that has just connected; `None` where nobody logs in over
    /// `protocol` with a dialogue of this crate.
    pub fn new(protocol: Protocol, settings: Arc<FrontSettings>) -> Option<Self> {
        match protocol {
            Protocol::Imap => Some(Self::Imap(imap::Front::new(settings))),
            Protocol::Pop3 => Some(Self::Pop3(pop3::Front::new(settings))),
            Protocol::Submission => Some(Self::Submission(submission::Front::new(settings))),
            Protocol::Smtp | Protocol::Lmtp | Protocol::Webmail => None,
        }
    }

    /// Gives the session what its challenges are made of: a number that was never used before. To be
    /// called before [`greet`](Self::greet).
    pub fn seed(&mut self, unique: u128) {
        each!(self, front => front.seed(unique));
    }

    /// Appends the greeting.
    pub fn greet(&mut self, out: &mut Vec<u8>) {
        each!(self, front => front.greet(out));
    }

    /// Looks at what the client has sent and is not consumed yet, and appends the answers.
    pub fn advance(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance<FrontAction> {
        each!(self, front => front.advance(input, out))
    }

    /// What the client called itself, where the protocol has it say so: what goes to the back end as
    /// [`BackSettings::hello`].
    pub fn hello(&self) -> Option<&Arc<str>> {
        match self {
            Self::Submission(front) => front.hello(),
            Self::Imap(_) | Self::Pop3(_) => None,
        }
    }

    /// TLS has begun: what the client said before is forgotten.
    pub fn tls_started(&mut self) {
        each!(self, front => front.tls_started());
    }

    /// The client's certificate, which TLS has verified, says that it is `name`: EXTERNAL is offered.
    /// To be called before [`greet`](Self::greet), or behind [`tls_started`](Self::tls_started).
    pub fn set_certificate_name(&mut self, name: Arc<str>) {
        each!(self, front => front.set_certificate_name(name));
    }

    /// What was set by [`set_certificate_name`](Self::set_certificate_name).
    pub fn certificate_name(&self) -> Option<&Arc<str>> {
        each!(self, front => front.certificate_name())
    }

    /// What proxies in front have said of how many further ones the session may pass.
    pub fn ttl(&self) -> Ttl {
        each!(self, front => front.ttl())
    }

    /// Answers a login that is not accepted. Call `advance` then: this may have been one too many.
    pub fn answer(&mut self, answer: &Answer, out: &mut Vec<u8>) {
        each!(self, front => front.answer(answer, out));
    }

    /// Passes on a back end's challenge, decoded.
    pub fn challenge(&mut self, data: &[u8], out: &mut Vec<u8>) {
        each!(self, front => front.challenge(data, out));
    }

    /// Lets the client in. What it sent behind the login belongs to the relay.
    pub fn accept(&mut self, accepted: &Accepted, out: &mut Vec<u8>) {
        each!(self, front => front.accept(accepted, out));
    }

    /// Appends a goodbye, in whatever state. The session is over with it.
    pub fn bye(&mut self, why: Bye, out: &mut Vec<u8>) {
        each!(self, front => front.bye(why, out));
    }
}

/// The dialogue with a back end, from its greeting to the end of the login.
/// [`login`](crate::login) says how it is driven.
#[derive(Debug)]
pub enum Back {
    /// IMAP.
    Imap(imap::Back),
    /// POP3.
    Pop3(pop3::Back),
    /// Submission.
    Submission(submission::Back),
}

impl Back {
    /// A dialogue with a back end to which a connection has just been made; `None` as for
    /// [`Front::new`].
    pub fn new(protocol: Protocol, settings: BackSettings) -> Option<Self> {
        match protocol {
            Protocol::Imap => Some(Self::Imap(imap::Back::new(settings))),
            Protocol::Pop3 => Some(Self::Pop3(pop3::Back::new(settings))),
            Protocol::Submission => Some(Self::Submission(submission::Back::new(settings))),
            Protocol::Smtp | Protocol::Lmtp | Protocol::Webmail => None,
        }
    }

    /// Looks at what the back end has sent and is not consumed yet, and appends what it is to be
    /// sent.
    pub fn advance(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance<BackAction> {
        each!(self, back => back.advance(input, out))
    }

    /// TLS has begun: what the back end said before is forgotten.
    pub fn tls_started(&mut self) {
        each!(self, back => back.tls_started());
    }

    /// Sends the login, once [`BackAction::Ready`] was said: `credential`, under the name
    /// `identity` where a route gives one. `Err`: there is no way, and nothing has been sent.
    pub fn login(
        &mut self,
        credential: &Credential,
        identity: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Result<(), BackFailure> {
        each!(self, back => back.login(credential, identity, out))
    }

    /// Sends the client's answer to a challenge.
    pub fn respond(&mut self, response: &SaslResponse, out: &mut Vec<u8>) {
        each!(self, back => back.respond(response, out));
    }
}

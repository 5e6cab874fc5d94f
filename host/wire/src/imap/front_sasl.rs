//! AUTHENTICATE (RFC 3501 section 6.2.2, RFC 4959) in the front.

use waypost_model::Secret;

use super::argument::Arguments;
use super::command::Tag;
use super::front::{Front, State, Step};
use super::text;
use crate::line::{self, Taken};
use crate::login::{CloseReason, FrontAction};
use crate::sasl::{self, Exchange, Mechanism, Progress, SaslError, SaslResponse};

impl Front {
    /// `AUTHENTICATE mechanism [initial-response]`.
    pub(super) fn authenticate(
        &mut self,
        tag: Tag,
        mut arguments: Arguments<'_>,
        len: usize,
        out: &mut Vec<u8>,
    ) -> Step {
        // Whatever the mechanism, so that a client without TLS is not made to guess.
        if !self.may_log_in() {
            return self.error(Some(tag), text::PRIVACY_REQUIRED, len, out);
        }
        let words = (|| {
            arguments.take(b" ")?;
            let mechanism = arguments.atom()?;
            let initial_response = match arguments.take(b" ") {
                Some(()) => Some(arguments.atom()?),
                None => None,
            };
            arguments.end().map(|()| (mechanism, initial_response))
        })();
        let Some((mechanism, initial_response)) = words else {
            return self.error(Some(tag), text::SYNTAX, len, out);
        };
        if Mechanism::is_kerberos(mechanism) {
            return self.error(Some(tag), text::NO_KERBEROS, len, out);
        }
        let mechanism = Mechanism::from_name(mechanism);
        let Some(mechanism) = mechanism.filter(|it| self.mechanisms().any(|known| known == *it))
        else {
            return self.error(Some(tag), text::NO_MECHANISM, len, out);
        };
        if initial_response.is_some_and(|base64| base64.len() > sasl::MAX_LINE) {
            return self.close(CloseReason::TooLong, text::BYE_TOO_LONG, out);
        }
        let Ok(initial_response) = initial_response.map(sasl::initial_response).transpose() else {
            return self.error(Some(tag), text::NOT_BASE64, len, out);
        };
        let (exchange, progress) = Exchange::start(mechanism, initial_response, self.terms());
        self.proceed(tag, exchange, progress, len, out)
    }

    /// A line of the client's half of an exchange.
    pub(super) fn sasl_line(&mut self, input: &[u8], out: &mut Vec<u8>) -> Step {
        let line = match line::take(input, sasl::MAX_LINE) {
            Taken::Incomplete => return Step::Wait,
            Taken::TooLong => return self.close(CloseReason::TooLong, text::BYE_TOO_LONG, out),
            Taken::Line(line) => line,
        };
        let response = sasl::response(line.text);
        // The driver takes over with every message from here on but the next challenge.
        match std::mem::replace(&mut self.state, State::Command) {
            State::Exchange { tag, exchange } => match response {
                Ok(SaslResponse::Data(message)) => {
                    self.resume(tag, exchange, message, line.len, out)
                }
                Ok(SaslResponse::Cancel) => self.error(Some(tag), text::CANCELLED, line.len, out),
                Err(_) => self.error(Some(tag), text::NOT_BASE64, line.len, out),
            },
            State::Challenged { tag } => match response {
                Ok(SaslResponse::Data(message)) => {
                    self.state = State::Deciding { tag };
                    Step::Act(line.len, FrontAction::Response(SaslResponse::Data(message)))
                }
                Ok(SaslResponse::Cancel) => self.give_up(tag, text::CANCELLED, line.len),
                Err(_) => self.give_up(tag, text::NOT_BASE64, line.len),
            },
            state => {
                self.state = state;
                Step::Wait
            }
        }
    }

    /// Appends a challenge.
    pub(super) fn push_challenge(&self, message: &[u8], out: &mut Vec<u8>) {
        // With the space even where nothing follows: clients stumble over its absence.
        out.extend_from_slice(b"+ ");
        sasl::encode(message, out);
        out.extend_from_slice(b"\r\n");
    }

    fn resume(
        &mut self,
        tag: Tag,
        mut exchange: Exchange,
        message: Secret,
        len: usize,
        out: &mut Vec<u8>,
    ) -> Step {
        let progress = exchange.respond(message);
        self.proceed(tag, exchange, progress, len, out)
    }

    fn proceed(
        &mut self,
        tag: Tag,
        exchange: Exchange,
        progress: Progress,
        len: usize,
        out: &mut Vec<u8>,
    ) -> Step {
        match progress {
            Progress::Challenge(message) => {
                self.push_challenge(&message, out);
                self.state = State::Exchange { tag, exchange };
                Step::Next(len)
            }
            Progress::Login(credential) => {
                self.state = State::Deciding { tag };
                Step::Act(len, FrontAction::Login(credential))
            }
            // RFC 5530: it is known who the client is, and nobody may act for somebody else.
            Progress::Refused(SaslError::AnotherName) => {
                self.reject_as(tag, text::NOT_AUTHORISED, len, out)
            }
            Progress::Refused(_) => self.reject(tag, len, out),
        }
    }
}

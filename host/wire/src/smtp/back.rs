//! The dialogue with a back end that takes mail, SMTP or LMTP, from its greeting to QUIT.

mod capabilities;
mod failure;
mod opening;
mod settings;
mod transaction;

pub use capabilities::{Capabilities, Lacks};
pub use failure::BackFailure;
pub(super) use opening::{Opening, Purpose, Step};
pub use settings::BackSettings;
pub use transaction::Asked;

use transaction::Transaction;

use super::reply::{MAX_REPLY_LINE, Reply, ReplyParser};
use super::{ForwardPath, MailParameters, RecipientParameters, ReversePath};
use crate::line::{self, Taken};
use crate::login::Advance;

/// SMTP or LMTP as a client of a back end.
///
/// Driven as [`crate::login`] describes. After [`BackAction::Ready`] the methods append commands,
/// and a reply comes out of [`Back::advance`] for each, in their order. So commands can be
/// pipelined where [`Capabilities::pipelining`] says so, DATA last in its group (RFC 2920
/// section 3.1); elsewhere each waits for its reply.
///
/// Between an accepted [`Back::data`] and [`Back::end_of_data`] the connection carries the message,
/// dot-stuffed and ended with CRLF, which the driver sends by itself. Call [`Back::advance`] before the
/// dot: whatever the back end says until then fails it.
#[derive(Debug)]
pub struct Back {
    opening: Opening,
    /// The reply whose lines are coming.
    parser: ReplyParser,
    transaction: Transaction,
    state: State,
}

/// What the driver is to do for a back end.
#[derive(Debug, PartialEq, Eq)]
pub enum BackAction {
    /// Send the output and read more.
    Read,
    /// The server agreed: start TLS, then call `tls_started`. Octets that the driver has read
    /// beyond the agreement fail the target; where they are in the same input, the dialogue says
    /// so itself with [`BackFailure::PlaintextAfterStarttls`].
    StartTls,
    /// Mail may come. Said once.
    Ready,
    /// What the back end says to a command. 421 is the last of them.
    Reply(Asked, Reply),
    /// Nothing more comes of this connection: close it. Said again at each further call.
    Failed(BackFailure),
}

#[derive(Debug)]
enum State {
    /// What comes before mail.
    Opening,
    /// Commands and their replies.
    Open,
    /// None: the back end has answered QUIT.
    Over,
    /// None.
    Failed(BackFailure),
}

impl Back {
    /// A dialogue for a new connection.
    pub fn new(settings: BackSettings) -> Self {
        let lmtp = settings.lmtp;
        let client_hello = settings.client.as_ref().and_then(|client| client.hello.clone());
        Self {
            opening: Opening::new(settings, client_hello, Purpose::Mail),
            parser: ReplyParser::default(),
            transaction: Transaction::new(lmtp),
            state: State::Opening,
        }
    }

    /// Takes at most one line of `input`.
    pub fn advance(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance<BackAction> {
        match &self.state {
            State::Opening => self.open(input, out),
            State::Open => self.hear(input),
            State::Over => Advance { consumed: 0, action: BackAction::Read },
            State::Failed(failure) => {
                Advance { consumed: 0, action: BackAction::Failed(failure.clone()) }
            }
        }
    }

    /// The back end's leg is encrypted now: what it said before is forgotten.
    pub fn tls_started(&mut self) {
        self.opening.tls_started();
    }

    /// What the back end offers. Complete with [`BackAction::Ready`].
    pub fn capabilities(&self) -> &Capabilities {
        self.opening.capabilities()
    }

    /// What the back end lacks to take such a message: for the caller to decide on.
    pub fn lacks(&self, parameters: &MailParameters) -> Lacks {
        self.capabilities().lacks(parameters)
    }

    /// How many replies are due; none on a connection of which nothing more comes.
    pub fn pending(&self) -> usize {
        if matches!(self.state, State::Failed(_)) { 0 } else { self.transaction.pending() }
    }

    /// Appends MAIL, with those of the `parameters` that the back end knows.
    pub fn mail(&mut self, sender: &ReversePath, parameters: &MailParameters, out: &mut Vec<u8>) {
        let parameters = self.capabilities().of_mail(parameters);
        say(out, &["MAIL FROM:", &sender.to_string(), &parameters]);
        self.transaction.mail();
    }

    /// Appends RCPT, with those of the `parameters` that the back end knows. Comes back with the
    /// number by which [`Asked`] tells the recipient from the others: from 0 at each MAIL.
    pub fn recipient(
        &mut self,
        recipient: &ForwardPath,
        parameters: &RecipientParameters,
        out: &mut Vec<u8>,
    ) -> usize {
        let parameters = self.capabilities().of_recipient(parameters);
        say(out, &["RCPT TO:", &recipient.to_string(), &parameters]);
        self.transaction.recipient()
    }

    /// Appends DATA. No command may follow before its reply; if that is 3yz, the message may.
    pub fn data(&mut self, out: &mut Vec<u8>) {
        say(out, &["DATA"]);
        self.transaction.ask(Asked::Data);
    }

    /// Appends the dot that ends the message, of which all has been sent, its last CRLF included.
    /// Does nothing unless the back end has said 3yz to DATA.
    pub fn end_of_data(&mut self, out: &mut Vec<u8>) {
        if self.transaction.end_of_data() {
            say(out, &["."]);
        }
    }

    /// Appends RSET, which ends a transaction before its message has begun.
    pub fn reset(&mut self, out: &mut Vec<u8>) {
        say(out, &["RSET"]);
        self.transaction.ask(Asked::Reset);
    }

    /// Appends QUIT.
    pub fn quit(&mut self, out: &mut Vec<u8>) {
        say(out, &["QUIT"]);
        self.transaction.ask(Asked::Quit);
    }

    fn open(&mut self, input: &[u8], out: &mut Vec<u8>) -> Advance<BackAction> {
        let Advance { consumed, action } = self.opening.advance(input, out);
        let action = match action {
            Step::Read => BackAction::Read,
            Step::StartTls => BackAction::StartTls,
            Step::Ready => {
                self.state = State::Open;
                BackAction::Ready
            }
            Step::Failed(failure) => self.fail(failure),
        };
        Advance { consumed, action }
    }

    fn hear(&mut self, input: &[u8]) -> Advance<BackAction> {
        let expected = self.transaction.next();
        let Some(first) = input.first() else {
            return Advance { consumed: 0, action: BackAction::Read };
        };
        // A goodbye may come unasked (RFC 5321 section 3.8), and nothing else.
        let may_come = expected.is_some() || self.parser.is_inside() || goodbye_begins(input);
        if !may_come || !first.is_ascii_digit() {
            let failure =
                if may_come { BackFailure::Protocol("a reply") } else { BackFailure::Unasked };
            return Advance { consumed: 0, action: self.fail(failure) };
        }
        match line::take(input, MAX_REPLY_LINE) {
            Taken::Incomplete => Advance { consumed: 0, action: BackAction::Read },
            Taken::TooLong => Advance { consumed: 0, action: self.fail(BackFailure::TooLong) },
            Taken::Line(line) => {
                let action = match self.parser.take(line.text) {
                    Ok(None) => BackAction::Read,
                    Ok(Some(reply)) => self.heard(expected, reply),
                    Err(error) => self.fail(error.into()),
                };
                Advance { consumed: line.len, action }
            }
        }
    }

    /// Acts on a whole reply.
    fn heard(&mut self, expected: Option<Asked>, reply: Reply) -> BackAction {
        let Some(asked) = expected else { return self.fail(BackFailure::Goodbye(reply)) };
        if reply.is_goodbye() {
            self.state = State::Failed(BackFailure::Goodbye(reply.clone()));
            return BackAction::Reply(asked, reply);
        }
        if !asked.fits(&reply) {
            return self.fail(BackFailure::Unexpected(asked.as_str(), reply));
        }
        self.transaction.heard(&reply);
        if asked == Asked::Quit {
            self.state = State::Over;
        }
        BackAction::Reply(asked, reply)
    }

    fn fail(&mut self, failure: BackFailure) -> BackAction {
        self.state = State::Failed(failure.clone());
        BackAction::Failed(failure)
    }
}

/// Whether the input is, or may become, a 421.
fn goodbye_begins(input: &[u8]) -> bool {
    let code = input.get(..3).unwrap_or(input);
    b"421".starts_with(code)
}

/// Writes a command.
pub(super) fn say(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

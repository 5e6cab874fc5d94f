//! The server's half of SMTP and LMTP, for mail that comes in.

mod action;
mod commands;
mod settings;
mod text;
mod transaction;

use std::sync::Arc;

use waypost_model::Encryption;

pub use action::{FrontAction, Hello};
pub use settings::FrontSettings;

use super::command::{self, MAX_COMMAND};
use super::content::{Decoded, Decoder};
use super::parameters::Offers;
use super::{Chunk, Reply};
use crate::line::{self, Taken};
use crate::login::{Advance, Bye, CloseReason};
use transaction::Transaction;

/// SMTP or LMTP as the mail client sees it.
///
/// Driven as [`crate::login`] describes. What concerns nobody but the two is answered here: who may
/// say what when, syntax, the extensions. Every sender, recipient and message is the driver's to
/// answer, and content passes through unread.
///
/// It holds no input, and wants to see no more than a command's line of it at once. Only commands
/// that are none, or that cannot be read, count as errors: those that come at the wrong time follow
/// a refusal where a client pipelines, and an address that is none is one bad recipient of a list.
#[derive(Debug)]
pub struct Front {
    settings: Arc<FrontSettings>,
    encrypted: bool,
    hello: Option<Hello>,
    transaction: Option<Transaction>,
    errors: usize,
    state: State,
}

/// Whose turn it is, and for what.
#[derive(Debug)]
enum State {
    /// The client's: a command.
    Command,
    /// The client's: the rest of a line that is too long.
    Discarding,
    /// The client's: the message, behind DATA.
    Data(Decoder),
    /// The client's: so many octets more of a chunk.
    Chunk { left: u64, last: bool },
    /// The client's: so many octets more of a chunk that is refused; whether the transaction ends
    /// with them, and what the client is told then.
    Swallowing { left: u64, ends: bool, replies: usize, reply: Reply },
    /// The driver's: a reply.
    Deciding(Question),
    /// The driver's: to start TLS.
    StartingTls,
    /// Nobody's: the driver has said goodbye.
    Done,
    /// Nobody's: the session is over.
    Closed(CloseReason),
}

/// What the driver has been asked.
#[derive(Clone, Copy, Debug)]
enum Question {
    Mail { smtputf8: bool },
    Recipient,
    Data,
    Chunk(Chunk),
    ChunkEnd,
    ContentEnd,
}

/// What a look at the input came to.
enum Step<'a> {
    /// More input is needed, or it is the driver's turn.
    Wait,
    /// So many octets are done with.
    Next(usize),
    /// So many octets are done with, and this is to be done.
    Act(usize, FrontAction<'a>),
}

impl Front {
    /// A dialogue with a client that has just connected.
    pub fn new(settings: Arc<FrontSettings>) -> Self {
        let encrypted = settings.encryption == Encryption::Implicit;
        Self {
            settings,
            encrypted,
            hello: None,
            transaction: None,
            errors: 0,
            state: State::Command,
        }
    }

    /// Appends the greeting.
    pub fn greet(&mut self, out: &mut Vec<u8>) {
        let protocol = if self.settings.lmtp { " LMTP ready\r\n" } else { " ESMTP ready\r\n" };
        for part in ["220 ", &self.settings.hostname, protocol] {
            out.extend_from_slice(part.as_bytes());
        }
    }

    /// Looks at what the client has sent and is not consumed yet, and appends the answers to
    /// `out`. [`login`](crate::login) says how to call this.
    pub fn advance<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Advance<FrontAction<'a>> {
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

    /// TLS has begun. What the client said before is forgotten (RFC 3207 section 4.2); its errors
    /// are not.
    pub fn tls_started(&mut self) {
        self.encrypted = true;
        self.hello = None;
        self.transaction = None;
        self.state = State::Command;
    }

    /// How the client has introduced itself, since TLS has begun. It has before there is a
    /// transaction.
    pub fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// Lets the message, or its next part, come.
    pub fn go_ahead(&mut self, out: &mut Vec<u8>) {
        match self.state {
            State::Deciding(Question::Data) => {
                text::GO_AHEAD.write(false, out);
                self.state = State::Data(Decoder::new());
            }
            State::Deciding(Question::Chunk(Chunk { size, last })) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.chunk();
                }
                self.state = State::Chunk { left: size, last };
            }
            _ => {}
        }
    }

    /// Answers what was asked. 421 is not for here but for [`Front::bye`]. An LMTP client hears the
    /// answer to a message once for each recipient.
    pub fn reply(&mut self, reply: &Reply, out: &mut Vec<u8>) {
        let State::Deciding(question) = self.state else { return };
        self.state = State::Command;
        let accepted = reply.is_positive();
        match question {
            Question::Mail { smtputf8 } => {
                reply.write(smtputf8, out);
                self.transaction = accepted.then(|| Transaction::new(smtputf8));
            }
            Question::Recipient => {
                self.write(reply, out);
                if let Some(transaction) = &mut self.transaction {
                    transaction.answered(accepted);
                }
            }
            Question::Data => {
                self.write(reply, out);
                self.transaction = None;
            }
            Question::Chunk(Chunk { size, last }) => {
                self.refuse_chunk();
                let (replies, reply) = (self.due_for(last), reply.clone());
                self.state = State::Swallowing { left: size, ends: last, replies, reply };
            }
            Question::ChunkEnd => {
                self.write(reply, out);
                if !accepted {
                    self.refuse_chunk();
                }
            }
            Question::ContentEnd => {
                for _ in 0..self.due() {
                    self.write(reply, out);
                }
                self.transaction = None;
            }
        }
    }

    /// Answers an LMTP client's message: one reply for each recipient that was added, in their
    /// order (RFC 2033 section 4.2). Should there be too few, the others are told to come again.
    pub fn replies<'r>(&mut self, replies: impl IntoIterator<Item = &'r Reply>, out: &mut Vec<u8>) {
        let State::Deciding(Question::ContentEnd) = self.state else { return };
        let others = std::iter::repeat(&text::NOT_ANSWERED);
        for reply in replies.into_iter().chain(others).take(self.due()) {
            self.write(reply, out);
        }
        self.transaction = None;
        self.state = State::Command;
    }

    /// Appends a goodbye, in whatever state. The session is over with it.
    pub fn bye(&mut self, why: Bye, out: &mut Vec<u8>) {
        text::bye(why).write(false, out);
        self.state = State::Done;
    }

    fn step<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Step<'a> {
        match &mut self.state {
            State::Command => self.line(input, out),
            State::Discarding => self.discard(input),
            State::Data(decoder) => match decoder.take(input) {
                Decoded::Incomplete => Step::Wait,
                Decoded::Content { octets, consumed } => {
                    Step::Act(consumed, FrontAction::Content(octets))
                }
                Decoded::End { consumed } => {
                    self.ask(Question::ContentEnd, consumed, FrontAction::ContentEnd)
                }
            },
            State::Chunk { left: 0, last: true } => {
                self.ask(Question::ContentEnd, 0, FrontAction::ContentEnd)
            }
            State::Chunk { left: 0, last: false } => {
                self.ask(Question::ChunkEnd, 0, FrontAction::ChunkEnd)
            }
            State::Chunk { left, .. } => match take(left, input) {
                [] => Step::Wait,
                octets => Step::Act(octets.len(), FrontAction::Content(octets)),
            },
            State::Swallowing { left: 0, .. } => self.swallowed(out),
            State::Swallowing { left, .. } => match take(left, input) {
                [] => Step::Wait,
                octets => Step::Next(octets.len()),
            },
            State::StartingTls if !input.is_empty() => {
                text::BEHIND_STARTTLS.write(false, out);
                self.close(0, CloseReason::PlaintextAfterStarttls)
            }
            State::Closed(reason) => Step::Act(0, FrontAction::Close(*reason)),
            State::StartingTls | State::Deciding(_) | State::Done => Step::Wait,
        }
    }

    fn line<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> Step<'a> {
        match line::take(input, MAX_COMMAND) {
            Taken::Incomplete => Step::Wait,
            Taken::TooLong => {
                self.state = State::Discarding;
                self.error(&command::TOO_LONG, 0, out)
            }
            Taken::Line(line) => {
                let pipelined = line.len < input.len();
                self.command(line.text, line.len, pipelined, out)
            }
        }
    }

    fn discard<'a>(&mut self, input: &'a [u8]) -> Step<'a> {
        match memchr::memchr(b'\n', input) {
            Some(newline) => {
                self.state = State::Command;
                Step::Next(newline.saturating_add(1))
            }
            None if input.is_empty() => Step::Wait,
            None => Step::Next(input.len()),
        }
    }

    /// How many replies the message's end has.
    fn due(&self) -> usize {
        match &self.transaction {
            Some(transaction) if self.settings.lmtp => transaction.accepted(),
            _ => 1,
        }
    }

    /// How many replies a refused part of it has: in LMTP the last one has as many as the message,
    /// and so none where no recipient was accepted (RFC 2033 section 4.3).
    fn due_for(&self, last: bool) -> usize {
        if last { self.due() } else { 1 }
    }

    /// A part of the message is refused, and with it the message.
    fn refuse_chunk(&mut self) {
        if let Some(transaction) = &mut self.transaction {
            transaction.refuse_chunk();
        }
    }

    /// All of a refused chunk has come.
    fn swallowed<'a>(&mut self, out: &mut Vec<u8>) -> Step<'a> {
        if let State::Swallowing { ends, replies, reply, .. } =
            std::mem::replace(&mut self.state, State::Command)
        {
            for _ in 0..replies {
                self.write(&reply, out);
            }
            self.transaction = self.transaction.filter(|_| !ends);
        }
        Step::Next(0)
    }

    fn offers(&self) -> Offers {
        Offers { smtputf8: self.settings.smtputf8, dsn: self.settings.dsn }
    }

    fn offers_starttls(&self) -> bool {
        self.settings.encryption == Encryption::Starttls && !self.encrypted
    }

    fn ask<'a>(
        &mut self,
        question: Question,
        consumed: usize,
        action: FrontAction<'a>,
    ) -> Step<'a> {
        self.state = State::Deciding(question);
        Step::Act(consumed, action)
    }

    /// Answers something that came to nothing; too many of them close the session.
    fn error<'a>(&mut self, reply: &Reply, consumed: usize, out: &mut Vec<u8>) -> Step<'a> {
        self.write(reply, out);
        self.errors = self.errors.saturating_add(1);
        if self.errors < self.settings.max_errors.get() {
            return Step::Next(consumed);
        }
        self.write(&text::TOO_MANY_ERRORS, out);
        self.close(consumed, CloseReason::TooManyErrors)
    }

    fn say<'a>(&self, reply: &Reply, consumed: usize, out: &mut Vec<u8>) -> Step<'a> {
        self.write(reply, out);
        Step::Next(consumed)
    }

    fn write(&self, reply: &Reply, out: &mut Vec<u8>) {
        reply.write(self.transaction.is_some_and(|transaction| transaction.smtputf8), out);
    }

    fn close<'a>(&mut self, consumed: usize, reason: CloseReason) -> Step<'a> {
        self.state = State::Closed(reason);
        Step::Act(consumed, FrontAction::Close(reason))
    }
}

/// Takes up to `left` octets off the start of `input` and counts them.
fn take<'a>(left: &mut u64, input: &'a [u8]) -> &'a [u8] {
    let len = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left = left.saturating_sub(u64::try_from(len).unwrap_or(u64::MAX));
    input.get(..len).unwrap_or_default()
}

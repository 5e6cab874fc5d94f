use std::fmt::Write as _;

use super::{Front, FrontAction, Hello, Question, State, Step, text};
use crate::login::CloseReason;
use crate::smtp::command::{self, Command, hello};
use crate::smtp::{Chunk, ClientProtocol, CommandError, Mail, PathError, Recipient};

/// A chunk of more than so many times the largest message is no mistake, and closes the session
/// instead of being swallowed.
const ABSURD: u64 = 16;

impl Front {
    /// Acts on a line of `len` octets with its terminator; `pipelined` says that more input stands
    /// behind it.
    pub(super) fn command<'a>(
        &mut self,
        line: &[u8],
        len: usize,
        pipelined: bool,
        out: &mut Vec<u8>,
    ) -> Step<'a> {
        match command::parse(line) {
            Command::Ehlo(name) => self.hello_command(name, ClientProtocol::Esmtp, len, out),
            Command::Helo(name) => self.hello_command(name, ClientProtocol::Smtp, len, out),
            Command::Lhlo(name) => self.hello_command(name, ClientProtocol::Lmtp, len, out),
            Command::Mail(argument) => self.mail(argument, len, out),
            Command::Rcpt(argument) => self.recipient(argument, len, out),
            Command::Data => self.data(len, out),
            Command::Bdat(argument) => self.chunk(argument, len, out),
            Command::Rset => {
                self.write(&text::OK, out);
                self.reset().map_or(Step::Next(len), |action| Step::Act(len, action))
            }
            Command::Noop => self.say(&text::OK, len, out),
            Command::Vrfy => self.say(&text::NOT_VERIFIED, len, out),
            Command::Help => self.say(&text::HELP, len, out),
            Command::Quit => {
                self.write(&text::GOODBYE, out);
                self.close(len, CloseReason::Logout)
            }
            Command::StartTls => self.start_tls(len, pipelined, out),
            Command::Expn | Command::Auth(..) | Command::Xclient(_) | Command::Unimplemented => {
                self.error(&command::UNIMPLEMENTED, len, out)
            }
            Command::Argument => self.error(&command::ARGUMENT, len, out),
            Command::Octets => self.error(&command::OCTETS, len, out),
            Command::Http => self.close(len, CloseReason::Http),
            Command::Unknown => self.error(&command::UNKNOWN, len, out),
        }
    }

    fn hello_command<'a>(
        &mut self,
        name: &[u8],
        protocol: ClientProtocol,
        len: usize,
        out: &mut Vec<u8>,
    ) -> Step<'a> {
        match (self.settings.lmtp, protocol == ClientProtocol::Lmtp) {
            (true, false) => return self.error(&text::WANTS_LHLO, len, out),
            (false, true) => return self.error(&command::UNKNOWN, len, out),
            _ => {}
        }
        let Some(name) = hello(name) else { return self.error(&command::NO_HELLO, len, out) };
        self.hello = Some(Hello { name: name.into(), protocol });
        let reset = self.reset();
        if protocol == ClientProtocol::Smtp {
            self.capability(" ", &self.settings.hostname, out);
        } else {
            self.capabilities(out);
        }
        reset.map_or(Step::Next(len), |action| Step::Act(len, action))
    }

    /// RFC 5321 section 4.1.1.1. What may not be used now is not listed.
    fn capabilities(&self, out: &mut Vec<u8>) {
        self.capability("-", &self.settings.hostname, out);
        self.capability("-", "PIPELINING", out);
        let mut size = String::with_capacity(24);
        let _ = write!(size, "SIZE {}", self.settings.max_size);
        self.capability("-", &size, out);
        for (offered, keyword) in [
            (self.offers_starttls(), "STARTTLS"),
            (true, "ENHANCEDSTATUSCODES"),
            (true, "8BITMIME"),
            (self.settings.dsn, "DSN"),
            (self.settings.smtputf8, "SMTPUTF8"),
        ] {
            if offered {
                self.capability("-", keyword, out);
            }
        }
        self.capability(" ", "CHUNKING", out);
    }

    fn capability(&self, separator: &str, line: &str, out: &mut Vec<u8>) {
        for part in ["250", separator, line, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }

    fn mail<'a>(&mut self, argument: &[u8], len: usize, out: &mut Vec<u8>) -> Step<'a> {
        if self.hello.is_none() {
            let first = if self.settings.lmtp { text::LHLO_FIRST } else { text::HELLO_FIRST };
            return self.say(&first, len, out);
        }
        if self.transaction.is_some() {
            return self.say(&text::IN_TRANSACTION, len, out);
        }
        let mail = match Mail::parse(argument, self.offers()) {
            Ok(mail) => mail,
            Err(error) => return self.refuse(error, len, out),
        };
        if mail.parameters.size.is_some_and(|size| size > self.settings.max_size) {
            return self.say(&text::TOO_LARGE, len, out);
        }
        let question = Question::Mail { smtputf8: mail.parameters.smtputf8 };
        self.ask(question, len, FrontAction::Mail(mail))
    }

    fn recipient<'a>(&mut self, argument: &[u8], len: usize, out: &mut Vec<u8>) -> Step<'a> {
        let Some(transaction) = self.transaction else {
            return self.say(&text::MAIL_FIRST, len, out);
        };
        if let Some(reply) = transaction.bars_recipient() {
            return self.say(&reply, len, out);
        }
        match Recipient::parse(argument, self.offers(), transaction.smtputf8) {
            Ok(recipient) => self.ask(Question::Recipient, len, FrontAction::Recipient(recipient)),
            Err(error) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.answered(false);
                }
                self.refuse(error, len, out)
            }
        }
    }

    fn data<'a>(&mut self, len: usize, out: &mut Vec<u8>) -> Step<'a> {
        let barred = match &self.transaction {
            None => Some(text::MAIL_FIRST),
            Some(transaction) => transaction.bars_data(self.settings.lmtp),
        };
        match barred {
            Some(reply) => self.say(&reply, len, out),
            None => self.ask(Question::Data, len, FrontAction::Data),
        }
    }

    /// RFC 3030 section 2. Whatever becomes of the command, its octets are none: they are swallowed
    /// before it is answered.
    fn chunk<'a>(&mut self, argument: &[u8], len: usize, out: &mut Vec<u8>) -> Step<'a> {
        let Some(chunk) = Chunk::parse(argument) else {
            // Nobody knows where the next command begins.
            self.write(&command::NO_CHUNK, out);
            return self.close(len, CloseReason::LostCount);
        };
        if chunk.size / ABSURD > self.settings.max_size {
            self.write(&text::TOO_LARGE, out);
            return self.close(len, CloseReason::TooLong);
        }
        let barred = match &self.transaction {
            None => Some(text::MAIL_FIRST),
            Some(transaction) => transaction.bars_chunk(self.settings.lmtp),
        };
        let Some(reply) = barred else {
            return self.ask(Question::Chunk(chunk), len, FrontAction::Chunk(chunk));
        };
        self.refuse_chunk();
        let replies = self.due_for(chunk.last);
        self.state = State::Swallowing { left: chunk.size, ends: false, replies, reply };
        Step::Next(len)
    }

    fn start_tls<'a>(&mut self, len: usize, pipelined: bool, out: &mut Vec<u8>) -> Step<'a> {
        if self.encrypted {
            return self.say(&text::TLS_ALREADY, len, out);
        }
        if !self.offers_starttls() {
            return self.error(&command::UNIMPLEMENTED, len, out);
        }
        if self.transaction.is_some() {
            return self.say(&text::IN_TRANSACTION, len, out);
        }
        if pipelined {
            self.write(&text::BEHIND_STARTTLS, out);
            return self.close(len, CloseReason::PlaintextAfterStarttls);
        }
        self.write(&text::START_TLS, out);
        self.state = State::StartingTls;
        Step::Act(len, FrontAction::StartTls)
    }

    /// Answers what cannot be read. An address that is none counts as no error: it may be one of
    /// many in a list.
    fn refuse<'a>(&mut self, error: CommandError, len: usize, out: &mut Vec<u8>) -> Step<'a> {
        let reply = error.reply();
        match error {
            CommandError::Sender(PathError::Brackets)
            | CommandError::Recipient(PathError::Brackets)
            | CommandError::Parameter(_) => self.error(&reply, len, out),
            CommandError::Sender(_) | CommandError::Recipient(_) => self.say(&reply, len, out),
        }
    }

    /// Ends a transaction, if there is one.
    fn reset(&mut self) -> Option<FrontAction<'static>> {
        self.transaction.take().map(|_| FrontAction::Reset)
    }
}

use std::collections::VecDeque;

use crate::smtp::Reply;

/// What a reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asked {
    /// MAIL.
    Mail,
    /// RCPT of that recipient, counted from 0 at each MAIL.
    Recipient(usize),
    /// DATA.
    Data,
    /// SMTP: the end of the message.
    EndOfData,
    /// LMTP: the end of the message, for that recipient, one of those that were accepted.
    Delivered(usize),
    /// RSET.
    Reset,
    /// QUIT.
    Quit,
}

impl Asked {
    /// The name in errors and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "MAIL",
            Self::Recipient(_) => "RCPT",
            Self::Data => "DATA",
            Self::EndOfData | Self::Delivered(_) => "the end of the message",
            Self::Reset => "RSET",
            Self::Quit => "QUIT",
        }
    }

    /// Whether a reply can be one to this at all. Refusals always can. Of others the first digit is
    /// what counts (RFC 5321 section 4.2.1): 3yz is for DATA, 2yz for all else. Only 22y concerns the
    /// connection, never mail: a server that says it answers another question.
    pub(super) fn fits(self, reply: &Reply) -> bool {
        if reply.is_transient() || reply.is_permanent() {
            return true;
        }
        match self {
            Self::Data => reply.is_intermediate(),
            Self::Quit => reply.is_positive(),
            Self::Mail
            | Self::Recipient(_)
            | Self::EndOfData
            | Self::Delivered(_)
            | Self::Reset => reply.is_positive() && reply.code() / 10 != 22,
        }
    }
}

/// Which replies are due, and to what.
#[derive(Debug)]
pub(super) struct Transaction {
    lmtp: bool,
    due: VecDeque<Asked>,
    /// How many recipients were named since MAIL was said.
    recipients: usize,
    /// Those that were accepted since MAIL was answered.
    accepted: Vec<usize>,
    /// The back end waits for the message or takes it.
    content: bool,
}

impl Transaction {
    pub(super) fn new(lmtp: bool) -> Self {
        Self { lmtp, due: VecDeque::new(), recipients: 0, accepted: Vec::new(), content: false }
    }

    pub(super) fn pending(&self) -> usize {
        self.due.len()
    }

    /// What the next reply answers.
    pub(super) fn next(&self) -> Option<Asked> {
        self.due.front().copied()
    }

    pub(super) fn ask(&mut self, asked: Asked) {
        debug_assert!(!self.content, "a command inside a message");
        self.due.push_back(asked);
    }

    pub(super) fn mail(&mut self) {
        self.recipients = 0;
        self.ask(Asked::Mail);
    }

    pub(super) fn recipient(&mut self) -> usize {
        let number = self.recipients;
        self.recipients = number.saturating_add(1);
        self.ask(Asked::Recipient(number));
        number
    }

    /// The message ends; `false` where none has begun.
    pub(super) fn end_of_data(&mut self) -> bool {
        if !std::mem::replace(&mut self.content, false) {
            return false;
        }
        if self.lmtp {
            self.due.extend(self.accepted.drain(..).map(Asked::Delivered));
        } else {
            self.due.push_back(Asked::EndOfData);
        }
        true
    }

    /// Takes the reply to what was next.
    pub(super) fn heard(&mut self, reply: &Reply) {
        match self.due.pop_front() {
            // Recipients of an earlier transaction count no more, even if MAIL follows unasked for
            // their replies.
            Some(Asked::Mail) => self.accepted.clear(),
            Some(Asked::Recipient(number)) if reply.is_positive() => self.accepted.push(number),
            Some(Asked::Data) => self.content = reply.is_intermediate(),
            _ => {}
        }
    }
}

//! What becomes of a back end's reply when it is passed on.
//!
//! A back end's refusal is the sender's refusal, in the back end's words. But what a back end says
//! to *us*, since we are set up wrongly or do not understand each other, is not the sender's to
//! hear as a refusal of the mail: that is a temporary error, and one for our own log.

mod codes;
mod lack;

use waypost_wire::smtp::{EnhancedCode, Reply};

pub use lack::{Lack, Needs, Offers};

/// Which command a back end has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Situation {
    /// MAIL. Its refusal is told at RCPT.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA, or a BDAT that is not the last: a refusal, since going on is not passed on.
    Data,
    /// The end of the data: the leg's final reply.
    Final,
}

/// Why a reply is worth an error in the log: the operator has to look at the back end, or at how it
/// is configured here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplyFault {
    /// The back end takes our commands for wrong, or wants TLS or a login first: 500 to 504, 521,
    /// 530, 535, 538.
    Configuration,
    /// A reply that is none to this command.
    Nonsense,
}

impl ReplyFault {
    /// The name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Nonsense => "nonsense",
        }
    }
}

/// A back end's reply as the client hears it: 2yz, 4yz or 5yz, never 421, with an enhanced code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Translated {
    reply: Reply,
    fault: Option<ReplyFault>,
}

/// What the client hears instead of a reply that only makes sense between the back end and us
/// (RFC 3463 X.3.5: system incorrectly configured).
pub(crate) const MISUNDERSTOOD: Reply = Reply::new(
    451,
    EnhancedCode::new(4, 3, 5),
    "The mailbox server cannot be talked to, try again later",
);

impl Translated {
    /// Translates `reply`, which a back end gave in `situation`.
    pub fn new(situation: Situation, reply: &Reply) -> Self {
        match reply.code() {
            // Its own words say more than ours could: shutting down, too many connections …
            421 => Self::passed(reply.clone().recoded(451, Some(EnhancedCode::new(4, 4, 2)))),
            500..=504 | 521 | 530 | 535 | 538 => Self::faulty(ReplyFault::Configuration),
            // These open and close a connection: the back end is out of step.
            220 | 221 => Self::faulty(ReplyFault::Nonsense),
            // The first digit is what counts (RFC 5321 section 4.2.1).
            200..=299 if situation != Situation::Data => Self::passed(complete(situation, reply)),
            400..=599 => Self::passed(complete(situation, reply)),
            _ => Self::faulty(ReplyFault::Nonsense),
        }
    }

    /// What the client hears.
    pub fn reply(&self) -> &Reply {
        &self.reply
    }

    /// What the client hears.
    pub fn into_reply(self) -> Reply {
        self.reply
    }

    /// Whether the original reply is worth an error in the log, and why.
    pub const fn fault(&self) -> Option<ReplyFault> {
        self.fault
    }

    const fn passed(reply: Reply) -> Self {
        Self { reply, fault: None }
    }

    const fn faulty(fault: ReplyFault) -> Self {
        Self { reply: MISUNDERSTOOD, fault: Some(fault) }
    }
}

/// The reply with an enhanced code: its own, its own with the class corrected, or the usual one.
fn complete(situation: Situation, reply: &Reply) -> Reply {
    if reply.enhanced().is_some() {
        return reply.clone();
    }
    let code = reply.code();
    let Some((misplaced, text)) = misplaced_code(reply.text()) else {
        return reply.clone().recoded(code, codes::usual(situation, code));
    };
    let class = if code < 300 { 2 } else { if code < 500 { 4 } else { 5 } };
    let corrected = EnhancedCode::new(class, misplaced.subject(), misplaced.detail());
    Reply::worded(code, Some(corrected), &text)
}

/// An enhanced code with which the text begins, and the text without it. A code of the reply's
/// class has been taken off already, so this one contradicts it (RFC 2034 section 4).
fn misplaced_code(text: &str) -> Option<(EnhancedCode, String)> {
    let word = first_word(text.split('\n').next()?);
    let code = word.parse().ok()?;
    let without = |line: &str| match line.strip_prefix(word) {
        Some(rest) if first_word(line) == word => rest.trim_start_matches(' ').to_owned(),
        _ => line.to_owned(),
    };
    let lines: Vec<String> = text.split('\n').map(without).collect();
    Some((code, lines.join("\n")))
}

fn first_word(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

#[cfg(test)]
mod tests;

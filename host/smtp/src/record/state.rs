use serde::{Deserialize, Serialize};
use waypost_wire::smtp::EnhancedCode;

use super::{UnixTime, stored};
use crate::outcome::{Loss, Outcome};

/// Where a recipient of a kept message stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum State {
    /// Its back end has the message.
    Accepted,
    /// It is tried again.
    Waiting {
        /// How often it has been tried.
        attempts: u32,
        /// When it is tried again.
        next: UnixTime,
        /// Until when the connection on which it was tried may still be heard.
        #[serde(skip_serializing_if = "Option::is_none")]
        heard_until: Option<UnixTime>,
        /// What came of it.
        last: LastWord,
    },
    /// It will not get the message, and the sender is to hear of it.
    Reporting {
        /// Why.
        last: LastWord,
        /// Whether it was given up for the message's age.
        expired: bool,
        /// The report that says so, once there is one.
        report: Option<usize>,
    },
    /// It will not get the message, and that is all that can be done.
    Done(End),
}

/// How it ended with a recipient that has not got the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The sender's back end has the report.
    Reported,
    /// The sender does not want to hear of it, or is nobody.
    NotReported,
    /// The sender's back end does not want the report.
    ReportRefused,
    /// The report could not be delivered either.
    ReportExpired,
}

/// The last that was heard of a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LastWord {
    /// When.
    pub at: UnixTime,
    /// What it means (RFC 3463).
    #[serde(with = "stored::text")]
    pub status: EnhancedCode,
    /// A reply, in one line and cut where it is very long; or how none came.
    pub text: String,
    /// Whether it is a reply.
    pub is_reply: bool,
}

/// A report that is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct PendingReport {
    /// The first of the recipients that it is about.
    pub(super) number: usize,
    /// How often it has been tried.
    pub(super) attempts: u32,
    pub(super) next: UnixTime,
    /// When an attempt that fails is the last.
    pub(super) expires: UnixTime,
}

/// The most that is kept of a reply's text, in octets.
pub(super) const MAX_TEXT: usize = 512;

impl State {
    /// The outcome of a recipient that nothing was said of.
    pub(super) const UNHEARD_OF: Outcome = Outcome::Unknown(Loss::Silent);

    /// Whether it failed and is in no report yet.
    pub(super) const fn is_unreported(&self) -> bool {
        matches!(self, Self::Reporting { report: None, .. })
    }
}

impl LastWord {
    pub(super) fn new(outcome: &Outcome, at: UnixTime) -> Self {
        match outcome {
            Outcome::Accepted(reply) | Outcome::Temporary(reply) | Outcome::Permanent(reply) => {
                let status = reply.enhanced().or_else(|| EnhancedCode::of(reply.code()));
                let mut text = reply.to_string();
                text.truncate(text.floor_char_boundary(MAX_TEXT));
                Self { at, status: status.unwrap_or(UNDEFINED), text, is_reply: true }
            }
            Outcome::Unknown(loss) | Outcome::Late(loss) => {
                let status = loss.reply().enhanced().unwrap_or(UNDEFINED);
                Self { at, status, text: describe(*loss).to_owned(), is_reply: false }
            }
        }
    }
}

/// RFC 3463 section 3.1.
const UNDEFINED: EnhancedCode = EnhancedCode::new(4, 0, 0);

/// For the sender, who knows nothing of legs.
const fn describe(loss: Loss) -> &'static str {
    match loss {
        Loss::Closed => "The mailbox server broke off the connection",
        Loss::Stalled => "The mailbox server did not take the message in time",
        Loss::Silent => "The mailbox server did not answer",
        Loss::Nonsense => "The mailbox server gave an answer that makes no sense",
        Loss::Dropped => "The transfer was broken off",
    }
}

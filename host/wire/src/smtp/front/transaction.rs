use super::text;
use crate::smtp::Reply;

/// What is known of a transaction between MAIL's acceptance and the message's end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Transaction {
    /// MAIL said SMTPUTF8.
    pub(super) smtputf8: bool,
    accepted: usize,
    refused: bool,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// Recipients are being named.
    Envelope,
    /// A part of the message has come by BDAT.
    Chunks,
    /// One was refused.
    Refused,
}

impl Transaction {
    pub(super) fn new(smtputf8: bool) -> Self {
        Self { smtputf8, accepted: 0, refused: false, progress: Progress::Envelope }
    }

    /// How many recipients it has.
    pub(super) fn accepted(&self) -> usize {
        self.accepted
    }

    /// A recipient has been answered.
    pub(super) fn answered(&mut self, accepted: bool) {
        if accepted {
            self.accepted = self.accepted.saturating_add(1);
        } else {
            self.refused = true;
        }
    }

    /// A part of the message is coming.
    pub(super) fn chunk(&mut self) {
        self.progress = Progress::Chunks;
    }

    /// A part of the message was refused.
    pub(super) fn refuse_chunk(&mut self) {
        self.progress = Progress::Refused;
    }

    /// Why no RCPT may come.
    pub(super) fn bars_recipient(&self) -> Option<Reply> {
        match self.progress {
            Progress::Envelope => None,
            Progress::Chunks => Some(text::BEHIND_CHUNK),
            Progress::Refused => Some(text::BEHIND_REFUSAL),
        }
    }

    /// Why no DATA may come. DATA and BDAT do not mix (RFC 3030 section 2).
    pub(super) fn bars_data(&self, lmtp: bool) -> Option<Reply> {
        self.bars_recipient().or_else(|| self.bars_message(lmtp))
    }

    /// Why no BDAT may come.
    pub(super) fn bars_chunk(&self, lmtp: bool) -> Option<Reply> {
        match self.progress {
            Progress::Envelope => self.bars_message(lmtp),
            Progress::Chunks => None,
            Progress::Refused => Some(text::BEHIND_REFUSAL),
        }
    }

    /// RFC 5321 section 3.3; RFC 2033 section 4.2 wants 503 whoever there was.
    fn bars_message(&self, lmtp: bool) -> Option<Reply> {
        match self.accepted {
            0 if self.refused && !lmtp => Some(text::NO_RECIPIENTS),
            0 => Some(text::RCPT_FIRST),
            _ => None,
        }
    }
}

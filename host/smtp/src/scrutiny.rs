//! What is asked of a message's content while it comes.

use std::sync::Arc;

use waypost_wire::smtp::content::{Found, Normalizer, Scan};
use waypost_wire::smtp::{EnhancedCode, Reply};

use crate::Settings;

/// How often our own name may stand in a message's trace.
const MAX_RECEIVED_HERE: usize = 5;

/// A bare CR or LF (RFC 5321 section 2.3.8, RFC 3463 X.6.11 as registered by RFC 5248).
const BARE_NEWLINE: Reply = Reply::new(
    550,
    EnhancedCode::new(5, 6, 11),
    "The message holds a CR or LF that is not part of a CRLF.",
);
const TOO_LARGE: Reply = Reply::new(552, EnhancedCode::new(5, 3, 4), "The message is too large.");
/// RFC 3463 X.4.6: routing loop detected.
const LOOP: Reply =
    Reply::new(554, EnhancedCode::new(5, 4, 6), "The message has passed too many hosts.");
const CHUNK_TAKEN: Reply = Reply::new(250, EnhancedCode::new(2, 0, 0), "Go on.");

/// Looks at a message while it passes.
pub(crate) struct Scrutiny {
    scan: Scan,
    /// For clients whose bare newlines are taken for CRLF.
    normalizer: Option<Normalizer>,
    normalized: Vec<u8>,
    max_size: u64,
    max_received: usize,
    spoilt: bool,
}

impl Scrutiny {
    /// Of a message that begins now.
    pub(crate) fn new(settings: &Settings, normalizes: bool) -> Self {
        Self {
            scan: Scan::new(Arc::clone(&settings.hostname)),
            normalizer: normalizes.then(Normalizer::new),
            normalized: Vec::new(),
            max_size: settings.max_message_size,
            max_received: settings.max_received,
            spoilt: false,
        }
    }

    /// Takes the next piece. What may be passed on goes to `sink`; `Some` is why the message may
    /// not, which is said once.
    pub(crate) fn push(&mut self, piece: &[u8], sink: &mut Vec<u8>) -> Option<Reply> {
        if self.spoilt {
            return None;
        }
        let Some(normalizer) = &mut self.normalizer else {
            let found = self.scan.push(piece);
            return self.judge(found, piece, sink);
        };
        let mut normalized = std::mem::take(&mut self.normalized);
        normalized.clear();
        normalizer.push(piece, &mut normalized);
        let found = self.scan.push(&normalized);
        let verdict = self.judge(found, &normalized, sink);
        self.normalized = normalized;
        verdict
    }

    /// Nothing more follows.
    pub(crate) fn end(&mut self, sink: &mut Vec<u8>) -> Option<Reply> {
        if self.spoilt {
            return None;
        }
        let mut rest = Vec::new();
        if let Some(normalizer) = &mut self.normalizer {
            normalizer.end(&mut rest);
            self.scan.push(&rest);
        }
        let found = self.scan.end();
        self.judge(found, &rest, sink)
    }

    /// What a client hears of a chunk that is not the last.
    pub(crate) const fn chunk_taken(&self) -> Reply {
        CHUNK_TAKEN
    }

    fn judge(&mut self, found: Found, piece: &[u8], sink: &mut Vec<u8>) -> Option<Reply> {
        let verdict = if found.has_bare_newline() {
            Some(BARE_NEWLINE)
        } else if found.size > self.max_size {
            Some(TOO_LARGE)
        } else if found.received > self.max_received || found.received_here > MAX_RECEIVED_HERE {
            Some(LOOP)
        } else {
            None
        };
        match &verdict {
            Some(_) => self.spoilt = true,
            None => sink.extend_from_slice(piece),
        }
        verdict
    }
}

//! What a front says of itself.

use crate::login::Bye;
use crate::smtp::{EnhancedCode, Reply};

const SEQUENCE: EnhancedCode = EnhancedCode::new(5, 5, 1);
const DONE: EnhancedCode = EnhancedCode::new(2, 0, 0);
const LIMIT: EnhancedCode = EnhancedCode::new(4, 7, 0);

pub(super) const OK: Reply = Reply::new(250, DONE, "Ok.");
pub(super) const GOODBYE: Reply = Reply::new(221, DONE, "Goodbye.");
pub(super) const NOT_VERIFIED: Reply =
    Reply::new(252, DONE, "Nobody is looked up by VRFY. Send mail, and its recipients are.");
pub(super) const HELP: Reply =
    Reply::new(214, DONE, "See RFC 5321, for LMTP with RFC 2033. Ask the postmaster.");
pub(super) const START_TLS: Reply = Reply::new(220, DONE, "Begin TLS.");
pub(super) const GO_AHEAD: Reply = Reply::plain(354, "End the message with CRLF . CRLF.");

pub(super) const WANTS_LHLO: Reply = Reply::new(500, SEQUENCE, "This is LMTP: say LHLO.");
pub(super) const HELLO_FIRST: Reply = Reply::new(503, SEQUENCE, "Say EHLO first.");
pub(super) const LHLO_FIRST: Reply = Reply::new(503, SEQUENCE, "Say LHLO first.");
pub(super) const MAIL_FIRST: Reply = Reply::new(503, SEQUENCE, "Say MAIL first.");
pub(super) const RCPT_FIRST: Reply = Reply::new(503, SEQUENCE, "Say RCPT first.");
pub(super) const NO_RECIPIENTS: Reply = Reply::new(554, SEQUENCE, "No valid recipients.");
pub(super) const IN_TRANSACTION: Reply =
    Reply::new(503, SEQUENCE, "A transaction is open: end it or say RSET.");
pub(super) const BEHIND_CHUNK: Reply =
    Reply::new(503, SEQUENCE, "Behind BDAT only BDAT goes on with the message.");
pub(super) const BEHIND_REFUSAL: Reply =
    Reply::new(503, SEQUENCE, "A part of the message was refused: say RSET.");
pub(super) const TLS_ALREADY: Reply = Reply::new(503, SEQUENCE, "TLS has begun already.");

pub(super) const TOO_LARGE: Reply =
    Reply::new(552, EnhancedCode::new(5, 3, 4), "The message is too large.");
pub(super) static NOT_ANSWERED: Reply =
    Reply::new(451, EnhancedCode::new(4, 3, 0), "Temporarily unavailable, try again later.");

pub(super) const TOO_MANY_ERRORS: Reply = Reply::new(421, LIMIT, "Too many errors.");
pub(super) const BEHIND_STARTTLS: Reply =
    Reply::new(421, LIMIT, "Nothing may follow STARTTLS before TLS has begun.");

/// A goodbye that nobody asked for (RFC 5321 section 3.8).
pub(super) const fn bye(why: Bye) -> Reply {
    match why {
        Bye::Timeout => Reply::new(421, EnhancedCode::new(4, 4, 2), "You took too long."),
        Bye::Limit(text) => Reply::new(421, LIMIT, text),
        Bye::Shutdown => {
            Reply::new(421, EnhancedCode::new(4, 3, 2), "The server is shutting down.")
        }
    }
}

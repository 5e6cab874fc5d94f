//! What is said in Waypost's own name about recipients and messages. Never which back end did what.

use waypost_model::{Refusal, Trouble};
use waypost_wire::smtp::{EnhancedCode, Reply};

/// There is no such user, in all that policies can say of it.
pub(crate) const UNKNOWN_USER: Reply =
    Reply::new(550, EnhancedCode::new(5, 1, 1), "There is no such mailbox here.");
/// RFC 3463 X.2.1: mailbox disabled, not accepting messages.
pub(crate) const DISABLED_USER: Reply =
    Reply::new(550, EnhancedCode::new(5, 2, 1), "This mailbox takes no mail.");
/// RFC 3463 X.7.1: delivery not authorised.
pub(crate) const DENIED: Reply =
    Reply::new(550, EnhancedCode::new(5, 7, 1), "Mail to this address is not taken from you.");
/// No policy serves the domain.
pub(crate) const NOT_SERVED: Reply =
    Reply::new(550, EnhancedCode::new(5, 7, 1), "Relaying denied.");
/// A policy cannot answer (RFC 3463 X.4.3: directory server failure).
pub(crate) const FAILURE: Reply = Reply::new(
    451,
    EnhancedCode::new(4, 4, 3),
    "The address cannot be looked up now, try again later.",
);
/// A policy puts off who wants the mailbox (RFC 3463 X.2.1: mailbox disabled, not accepting
/// messages; for the time being).
pub(crate) const DEFERRED: Reply =
    Reply::new(451, EnhancedCode::new(4, 2, 1), "This mailbox takes no mail now, try again later.");
/// A policy misbehaves (RFC 3463 X.3.0).
pub(crate) const FAULT: Reply = Reply::new(
    451,
    EnhancedCode::new(4, 3, 0),
    "The address cannot be looked up properly, try again later.",
);
/// Every target is down (RFC 3463 X.4.1: no answer from host).
pub(crate) const UNREACHABLE: Reply = Reply::new(
    451,
    EnhancedCode::new(4, 4, 1),
    "The mailbox server cannot be reached, try again later.",
);
/// A back end that had accepted recipients is gone (RFC 3463 X.4.2).
pub(crate) const BROKEN_OFF: Reply =
    Reply::new(451, EnhancedCode::new(4, 4, 2), "The mailbox server broke off, try again later.");
/// The recipient is on another back end than those before it (RFC 3463 X.5.3: too many recipients).
pub(crate) const SEPARATELY: Reply = Reply::new(
    452,
    EnhancedCode::new(4, 5, 3),
    "This recipient takes a message of its own, send it again.",
);
/// No room for the copy (RFC 3463 X.3.1: mail system full).
pub(crate) const FULL: Reply =
    Reply::new(452, EnhancedCode::new(4, 3, 1), "There is no room for the message now.");
/// The spool does not work.
pub(crate) const STORAGE: Reply = Reply::new(
    451,
    EnhancedCode::new(4, 3, 0),
    "The message cannot be stored now, try again later.",
);

/// A kept message's domain has no policy any more: a mistake in a configuration, which will be
/// mended (RFC 3463 X.3.5).
const NOT_SERVED_NOW: Reply =
    Reply::new(451, EnhancedCode::new(4, 3, 5), "The domain is not served at present.");

/// What is no for good to a client that can be told, and not to a message that has been kept.
pub(crate) fn later(reply: Reply) -> Reply {
    if reply.is_permanent() { NOT_SERVED_NOW } else { reply }
}

/// A policy's no.
pub(crate) const fn refusal(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::UnknownUser => UNKNOWN_USER,
        Refusal::DisabledUser => DISABLED_USER,
        // Its own words are for the log.
        Refusal::Denied | Refusal::Other(_) => DENIED,
    }
}

/// No decision.
pub(crate) const fn trouble(trouble: &Trouble) -> Reply {
    match trouble {
        Trouble::Failure(_) => FAILURE,
        Trouble::Deferred(_) => DEFERRED,
        Trouble::Fault(_) | Trouble::TargetDenied(_) | Trouble::VerificationDenied(_) => FAULT,
    }
}

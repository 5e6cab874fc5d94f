//! What the front says, in one place. Clients show these words to people.

use crate::login::{Answer, Bye, CloseReason, Rejection};
use crate::smtp::{EnhancedCode, Reply, ReplyParser};

const fn code(class: u8, subject: u16, detail: u16) -> EnhancedCode {
    EnhancedCode::new(class, subject, detail)
}

pub(super) const OK: Reply = Reply::new(250, code(2, 0, 0), "Ok");
pub(super) const HELP: Reply = Reply::new(
    214,
    code(2, 0, 0),
    "EHLO HELO STARTTLS AUTH NOOP RSET VRFY HELP QUIT\nFurther commands come with the login.",
);
/// RFC 5321 section 3.5.3.
pub(super) const VRFY: Reply =
    Reply::new(252, code(2, 0, 0), "Cannot verify the user, but will take messages after a login.");
pub(super) const GOODBYE: Reply = Reply::new(221, code(2, 0, 0), "Goodbye.");
pub(super) const BEGIN_TLS: Reply = Reply::new(220, code(2, 0, 0), "Begin TLS negotiation now.");
/// RFC 4954 section 6, as all that concerns AUTH.
pub(super) const LOGGED_IN: &str = "Logged in.";

pub(super) const REJECTED: Reply = Reply::new(535, code(5, 7, 8), "Authentication failed.");
pub(super) const DENIED: Reply =
    Reply::new(535, code(5, 7, 8), "You may not log in here; please ask your administrator.");
pub(super) const UNAVAILABLE: Reply = Reply::new(
    454,
    code(4, 7, 0),
    "The service is temporarily unavailable; please try again later.",
);
const LOGIN_REFUSED: &str = "The login was refused.";

pub(super) const LOG_IN_FIRST: Reply = Reply::new(530, code(5, 7, 0), "Please log in first.");
/// RFC 3207 section 4.
pub(super) const TLS_FIRST: Reply =
    Reply::new(530, code(5, 7, 0), "Begin TLS with STARTTLS first.");
pub(super) const PRIVACY_REQUIRED: Reply =
    Reply::new(538, code(5, 7, 11), "Passwords are taken over TLS only.");
/// AUTH is an extension, so it has to have been offered.
pub(super) const EHLO_FIRST: Reply = Reply::new(503, code(5, 5, 1), "Say EHLO first.");
pub(super) const AUTH_SYNTAX: Reply =
    Reply::new(501, code(5, 5, 4), "Syntax: AUTH mechanism [initial-response]");
pub(super) const NO_MECHANISM: Reply =
    Reply::new(504, code(5, 5, 4), "There is no such mechanism here.");
pub(super) const NO_KERBEROS: Reply = Reply::new(
    504,
    code(5, 5, 4),
    "A Kerberos ticket is for one server and cannot be passed on; please use a password or a token.",
);
pub(super) const NOT_BASE64: Reply = Reply::new(501, code(5, 5, 2), "This is not base64.");
pub(super) const NOT_A_MESSAGE: Reply =
    Reply::new(501, code(5, 5, 2), "This is not a message of that mechanism.");
pub(super) const CANCELLED: Reply = Reply::new(501, code(5, 7, 0), "Authentication cancelled.");
pub(super) const TLS_IS_ON: Reply = Reply::new(503, code(5, 5, 1), "TLS is already active.");
pub(super) const NO_TLS: Reply = Reply::new(502, code(5, 5, 1), "STARTTLS is not available.");
/// RFC 4954 section 4.
pub(super) const MESSAGE_TOO_LONG: Reply =
    Reply::new(500, code(5, 5, 6), "This line of an authentication is too long.");

/// What goes with the end of the session, behind the answer to what caused it.
pub(super) const fn closing(reason: CloseReason) -> Option<Reply> {
    let text = match reason {
        CloseReason::TooManyErrors => "Too many errors.",
        CloseReason::TooManyAuthErrors => "Too many failed logins.",
        CloseReason::PlaintextAfterStarttls => "Nothing may follow STARTTLS before TLS has begun.",
        CloseReason::Logout | CloseReason::TooLong | CloseReason::LostCount | CloseReason::Http => {
            return None;
        }
    };
    Some(Reply::new(421, code(4, 7, 0), text))
}

/// A goodbye that the client did not ask for.
pub(super) const fn bye(why: Bye) -> Reply {
    match why {
        Bye::Timeout => Reply::new(421, code(4, 4, 2), "You took too long."),
        Bye::Limit(text) => Reply::new(421, code(4, 7, 0), text),
        Bye::Shutdown => Reply::new(421, code(4, 3, 2), "The server is shutting down."),
    }
}

/// The answer to a login that is not accepted.
pub(super) fn answer(answer: &Answer) -> Reply {
    match answer {
        Answer::Rejected => REJECTED,
        Answer::RejectedByBackend(rejection) => in_its_words(rejection),
        Answer::Denied => DENIED,
        Answer::Unavailable => UNAVAILABLE,
    }
}

/// A back end's no, whose code is a reply's first words. One that is not, or does not say no for
/// good, becomes the code of a failed login.
fn in_its_words(rejection: &Rejection) -> Reply {
    let code = rejection.code.as_deref().unwrap_or_default();
    let text = if rejection.text.is_empty() { LOGIN_REFUSED } else { &rejection.text };
    let said = ReplyParser::default().take(format!("{code} {text}").as_bytes());
    match said {
        Ok(Some(reply)) if reply.is_permanent() => reply,
        _ => Reply::worded(535, REJECTED.enhanced(), text),
    }
}

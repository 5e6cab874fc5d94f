//! What the front says, in one place. Clients show these words to people.

use crate::login::{Answer, Bye, printable};

use super::command::Tag;

pub(super) const READY: &str = "ready";
pub(super) const BEGIN_TLS: &str = "OK Begin TLS negotiation now.";
pub(super) const LOGGED_IN: &str = "Logged in.";
pub(super) const REJECTED: &str = "NO [AUTHENTICATIONFAILED] Authentication failed.";
pub(super) const NOT_AUTHORISED: &str =
    "NO [AUTHORIZATIONFAILED] Your certificate is for another name.";
pub(super) const LOGIN_REFUSED: &str = "The login was refused.";
pub(super) const DENIED: &str =
    "NO [CONTACTADMIN] You may not log in here; please ask your administrator.";
pub(super) const UNAVAILABLE: &str =
    "NO [UNAVAILABLE] The service is temporarily unavailable; please try again later.";
pub(super) const PRIVACY_REQUIRED: &str = "NO [PRIVACYREQUIRED] Passwords are taken over TLS only.";
pub(super) const NO_MECHANISM: &str = "NO There is no such mechanism here.";
pub(super) const NO_KERBEROS: &str = "NO A Kerberos ticket is for one server and cannot be passed on to \
                                      your mailbox's; please use a password or a token.";
pub(super) const CANCELLED: &str = "BAD Authentication cancelled.";
pub(super) const NOT_BASE64: &str = "BAD This is not base64.";
pub(super) const SYNTAX: &str = "BAD This command is malformed.";
pub(super) const TOO_BIG: &str = "BAD This literal is too long.";
pub(super) const UNKNOWN: &str = "BAD There is no such command here.";
pub(super) const NEEDS_LOGIN: &str = "BAD Please log in first.";
pub(super) const TLS_IS_ON: &str = "BAD TLS is already active.";
pub(super) const NO_TAG: &str = "BAD A tag and a command are expected.";
pub(super) const BYE_LOGOUT: &str = "BYE Goodbye.";
pub(super) const BYE_ERRORS: &str = "BYE Too many errors.";
pub(super) const BYE_AUTH_ERRORS: &str = "BYE Too many failed logins.";
pub(super) const BYE_TOO_LONG: &str = "BYE This command is too long.";
pub(super) const BYE_PLAINTEXT: &str = "BYE Nothing may follow STARTTLS before TLS has begun.";

/// Appends a tagged response.
pub(super) fn tagged(tag: &Tag, words: &str, out: &mut Vec<u8>) {
    line(&[tag.as_bytes(), b" ", words.as_bytes()], out);
}

/// Appends an untagged response.
pub(super) fn untagged(words: &str, out: &mut Vec<u8>) {
    line(&[b"* ", words.as_bytes()], out);
}

/// Appends a line made of `parts`.
pub(super) fn line(parts: &[&[u8]], out: &mut Vec<u8>) {
    for part in parts {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the answer to a login.
pub(super) fn answer(tag: &Tag, answer: &Answer, out: &mut Vec<u8>) {
    match answer {
        Answer::Rejected => tagged(tag, REJECTED, out),
        Answer::Denied => tagged(tag, DENIED, out),
        Answer::Unavailable => tagged(tag, UNAVAILABLE, out),
        Answer::RejectedByBackend(rejection) => {
            let code = rejection.code.as_deref().map_or(String::new(), |code| format!("[{code}] "));
            let text = if rejection.text.is_empty() { LOGIN_REFUSED } else { &rejection.text };
            let words = printable(format!("{code}{text}").as_bytes());
            line(&[tag.as_bytes(), b" NO ", words.as_bytes()], out);
        }
    }
}

/// Appends a goodbye that the client did not ask for.
pub(super) fn bye(why: Bye, out: &mut Vec<u8>) {
    match why {
        Bye::Timeout => untagged("BYE You took too long.", out),
        Bye::Limit(limit) => line(&[b"* BYE ", limit.as_bytes()], out),
        Bye::Shutdown => untagged("BYE [UNAVAILABLE] The server is shutting down.", out),
    }
}

//! A server's reply: its status, its response code, its words.

use crate::login::{Rejection, printable};

/// The longest response code that is understood, in octets; RFC 2449's are far shorter.
const MAX_CODE: usize = 64;

/// The first line of a reply, without its terminator.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply<'a> {
    /// `+OK` and what stands behind it and one space.
    Ok(&'a [u8]),
    /// `-ERR` and what stands behind it and one space.
    Err(&'a [u8]),
    /// `+` and a challenge, still in base64 (RFC 5034 section 4). Some servers leave out the space
    /// before an empty one.
    Challenge(&'a [u8]),
    /// Anything else: this is not POP3.
    Nonsense,
}

/// Reads the status.
pub(super) fn parse(line: &[u8]) -> Reply<'_> {
    if let Some(text) = behind(line, b"+OK") {
        Reply::Ok(text)
    } else if let Some(text) = behind(line, b"-ERR") {
        Reply::Err(text)
    } else if let Some(challenge) = behind(line, b"+") {
        Reply::Challenge(challenge)
    } else {
        Reply::Nonsense
    }
}

fn behind<'a>(line: &'a [u8], status: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(status)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b" ") }
}

/// The text of an `-ERR`, its response code (RFC 2449 section 8) taken off.
pub(super) fn rejection(text: &[u8]) -> Rejection {
    match split_code(text) {
        Some((code, words)) => {
            Rejection { code: Some(code), text: printable(words.trim_ascii_start()) }
        }
        None => Rejection { code: None, text: printable(text) },
    }
}

/// A code is upper-cased here; the codes that matter take no arguments, and none is
/// case-sensitive. What cannot be a code is left to the text.
fn split_code(text: &[u8]) -> Option<(String, &[u8])> {
    let inside = text.strip_prefix(b"[")?;
    let (code, words) = inside.split_at_checked(memchr::memchr(b']', inside)?)?;
    let fits = (1..=MAX_CODE).contains(&code.len());
    let clean = code.iter().all(|octet| octet.is_ascii_graphic() || *octet == b' ');
    let code = str::from_utf8(code).ok().filter(|_| fits && clean)?;
    Some((code.to_ascii_uppercase(), words.strip_prefix(b"]").unwrap_or(words)))
}

#[cfg(test)]
mod tests {
    use super::{Reply, parse, rejection};

    #[test]
    fn the_status_stands_by_itself() {
        assert_eq!(parse(b"+OK"), Reply::Ok(b""));
        assert_eq!(parse(b"+OK  two"), Reply::Ok(b" two"));
        assert_eq!(parse(b"-ERR [AUTH] no"), Reply::Err(b"[AUTH] no"));
        assert_eq!(parse(b"+"), Reply::Challenge(b""));
        assert_eq!(parse(b"+ AQ=="), Reply::Challenge(b"AQ=="));
        for line in [&b""[..], b"+OKAY", b"-ERROR", b"+AQ==", b"* OK", b"OK"] {
            assert_eq!(parse(line), Reply::Nonsense, "{line:?}");
        }
    }

    #[test]
    fn the_code_is_taken_off() {
        let parts = |text: &str| {
            let rejection = rejection(text.as_bytes());
            (rejection.code.unwrap_or_default(), rejection.text)
        };
        assert_eq!(parts("[in-use] locked"), ("IN-USE".into(), "locked".into()));
        assert_eq!(parts("[SYS/TEMP]"), ("SYS/TEMP".into(), String::new()));
        assert_eq!(parts("no [AUTH]"), (String::new(), "no [AUTH]".into()));
        assert_eq!(parts("[AUTH no"), (String::new(), "[AUTH no".into()));
        assert_eq!(parts("[] no"), (String::new(), "[] no".into()));
        assert_eq!(parts("[A\tB] n\u{e9}in"), (String::new(), "[A?B] n??in".into()));
    }
}

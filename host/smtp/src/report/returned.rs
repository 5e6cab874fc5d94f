//! The part that shows which message it was (RFC 6522 section 3, RFC 3461 section 4.3).

use waypost_wire::smtp::Ret;

use super::part::{Part, sendable};
use super::{Abilities, COPY_PREFIX, Original};
use crate::record::Envelope;

/// What is returned of the message.
pub(super) struct Returned {
    pub(super) what: What,
    pub(super) part: Part,
}

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Whole,
    /// Its header and the beginning of its body.
    Beginning,
    Header,
}

/// The longest `Message-ID` that is repeated, in octets.
const MAX_MESSAGE_ID: usize = 250;

/// Decides what is returned. The whole message only where the sender asks for it: a report on a
/// message with a forged sender carries none of its contents to somebody who never wrote it, and
/// the header is enough for whoever did. RFC 3461 section 4.3 leaves that to us.
pub(super) fn choose(
    envelope: &Envelope,
    original: &Original<'_>,
    abilities: Abilities,
) -> Returned {
    let octets = original.octets.get(..COPY_PREFIX).unwrap_or(original.octets);
    let header = header(octets);
    let is_international =
        envelope.mail.parameters.smtputf8 && !header.is_ascii() && str::from_utf8(header).is_ok();
    if envelope.mail.parameters.ret == Some(Ret::Full) {
        let body = octets.get(..sendable(octets)).unwrap_or_default();
        // A message within a message is not encoded (RFC 2046 section 5.2.1), unless it is an
        // international one (RFC 6532 section 3.7).
        let is_sendable = abilities.eight_bit || is_international || body.is_ascii();
        if is_sendable && body.len() >= header.len() {
            let is_whole = original.whole && body.len() == original.octets.len();
            return content(body, is_whole, is_international);
        }
    }
    headers(header, is_international)
}

/// The header, with the CRLF of its last line and without the empty one.
fn header(octets: &[u8]) -> &[u8] {
    if octets.starts_with(b"\r\n") {
        return &[];
    }
    let end = octets.windows(4).position(|window| window == b"\r\n\r\n");
    end.and_then(|end| octets.get(..end.saturating_add(2))).unwrap_or(octets)
}

fn content(body: &[u8], is_whole: bool, is_international: bool) -> Returned {
    let (what, description) = if is_whole {
        (What::Whole, "Undelivered message".to_owned())
    } else {
        (What::Beginning, format!("Undelivered message, the first {} octets", body.len()))
    };
    let part = Part {
        content_type: if is_international { "message/global" } else { "message/rfc822" },
        description,
        body: body.to_vec(),
        as_eight_bit: true,
        as_quoted: is_international,
    };
    Returned { what, part }
}

fn headers(header: &[u8], is_international: bool) -> Returned {
    let part = Part {
        content_type: if is_international {
            "message/global-headers"
        } else {
            "text/rfc822-headers"
        },
        description: "Header of the undelivered message".to_owned(),
        body: header.to_vec(),
        as_eight_bit: is_international,
        as_quoted: true,
    };
    Returned { what: What::Header, part }
}

/// The `Message-ID` of the message, if it has one that may be repeated in another header.
pub(super) fn message_id<'a>(original: &Original<'a>) -> Option<&'a str> {
    let header = str::from_utf8(header(original.octets)).ok()?;
    let mut lines = header.split("\r\n");
    let value = lines.by_ref().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim_end().eq_ignore_ascii_case("Message-ID").then_some(value)
    })?;
    // Some fold it before its value.
    let value = match value.trim() {
        "" => lines.next().filter(|line| line.starts_with([' ', '\t']))?.trim(),
        value => value,
    };
    let inside = value.strip_prefix('<')?.strip_suffix('>')?;
    let is_plain = |octet: u8| octet.is_ascii_graphic() && !b"<>".contains(&octet);
    let fits = value.len() <= MAX_MESSAGE_ID && inside.contains('@');
    (fits && inside.bytes().all(is_plain)).then_some(value)
}

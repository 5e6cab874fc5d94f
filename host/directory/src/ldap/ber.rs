//! As much of BER as it takes to log in and to look at each message before the LDAP client does
//! (RFC 4511 section 5.1: definite lengths only, and no tag above 30).

use thiserror::Error;
use zeroize::Zeroizing;

/// How deep elements may be nested. A value in an entry is at depth 6.
const MAX_DEPTH: usize = 12;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
const CONSTRUCTED: u8 = 0x20;
/// A tag number of 31 says that the number follows.
const LONG_TAG: u8 = 0x1f;

/// What makes octets no message.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum Malformed {
    #[error("an element of the message is not as RFC 4511 has it")]
    Structure,
    #[error("the length of an element is not as RFC 4511 has it")]
    Length,
    #[error("a message is larger than {0} octets")]
    TooLarge(usize),
    #[error("elements are nested too deep")]
    TooDeep,
}

/// One element: its tag octet and what is in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
}

struct Header {
    tag: u8,
    /// Octets of tag and length.
    length: usize,
    content_length: usize,
}

/// Reads tag and length; `None` if there are not enough octets.
fn header(input: &[u8]) -> Result<Option<Header>, Malformed> {
    let [tag, first, rest @ ..] = input else {
        return match input {
            [tag, ..] if tag & LONG_TAG == LONG_TAG => Err(Malformed::Structure),
            _ => Ok(None),
        };
    };
    if tag & LONG_TAG == LONG_TAG {
        return Err(Malformed::Structure);
    }
    let (octets, content_length) = match first {
        0..=0x7f => (0, usize::from(*first)),
        // 0x80 is the indefinite form, and four octets count 4 GiB.
        0x81..=0x84 => {
            let octets = usize::from(first & 0x7f);
            let Some(digits) = rest.get(..octets) else { return Ok(None) };
            (octets, digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)))
        }
        _ => return Err(Malformed::Length),
    };
    Ok(Some(Header { tag: *tag, length: 2 + octets, content_length }))
}

/// How long the message is with which `input` starts; `None` if that cannot be seen yet.
pub(super) fn message_length(input: &[u8], limit: usize) -> Result<Option<usize>, Malformed> {
    let Some(header) = header(input)? else { return Ok(None) };
    if header.tag != SEQUENCE {
        return Err(Malformed::Structure);
    }
    match header.length.checked_add(header.content_length) {
        Some(length) if length <= limit => Ok(Some(length)),
        _ => Err(Malformed::TooLarge(limit)),
    }
}

/// Reads elements one behind the other.
#[derive(Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn next(&mut self) -> Result<Option<Element<'a>>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let Header { tag, length, content_length } = header(self.0)?.ok_or(Malformed::Length)?;
        let inside = self.0.get(length..).ok_or(Malformed::Length)?;
        let (content, rest) = inside.split_at_checked(content_length).ok_or(Malformed::Length)?;
        self.0 = rest;
        Ok(Some(Element { tag, content }))
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        match self.next()? {
            Some(element) if element.tag == tag => Ok(element.content),
            _ => Err(Malformed::Structure),
        }
    }

    /// The next element's number, which must have this tag and fit.
    pub(super) fn number(&mut self, tag: u8) -> Result<u32, Malformed> {
        let content = self.expect(tag)?;
        let [0..=0x7f, ..] = content else { return Err(Malformed::Structure) };
        if content.len() > 4 {
            return Err(Malformed::Structure);
        }
        Ok(content.iter().fold(0, |number, digit| number << 8 | u32::from(*digit)))
    }

    /// The next element's text.
    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.expect(OCTET_STRING)?).map_err(|_| Malformed::Structure)
    }
}

/// Checks that elements fill `content` to the last octet, at every depth: the LDAP client parses
/// by recursion, and a stack that overflows cannot be caught.
pub(super) fn check_nesting(content: &[u8]) -> Result<(), Malformed> {
    check_nesting_at(content, 1)
}

fn check_nesting_at(content: &[u8], depth: usize) -> Result<(), Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed::TooDeep);
    }
    let mut reader = Reader(content);
    while let Some(element) = reader.next()? {
        if element.tag & CONSTRUCTED != 0 {
            check_nesting_at(element.content, depth + 1)?;
        }
    }
    Ok(())
}

/// Appends an element. The buffer is overwritten when it is dropped; what it held before it grew
/// is not, so give it the room first.
pub(super) fn append(buffer: &mut Zeroizing<Vec<u8>>, tag: u8, content: &[u8]) {
    buffer.push(tag);
    let length = content.len().to_be_bytes();
    match content.len() {
        short @ 0..=0x7f => buffer.push(u8::try_from(short).unwrap_or_default()),
        _ => {
            let zeros = length.iter().take_while(|b| **b == 0).count();
            let digits = length.get(zeros..).unwrap_or_default();
            buffer.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
            buffer.extend_from_slice(digits);
        }
    }
    buffer.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zeroize::Zeroizing;

    use super::{Malformed, OCTET_STRING, Reader, SEQUENCE, append, check_nesting, message_length};

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut buffer = Zeroizing::new(Vec::new());
        append(&mut buffer, tag, content);
        buffer.to_vec()
    }

    #[test]
    fn lengths() {
        for size in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let octets = element(SEQUENCE, &vec![5; size]);
            assert_eq!(message_length(&octets, 100_000), Ok(Some(octets.len())));
            assert_eq!(Reader(&octets).expect(SEQUENCE).unwrap().len(), size);
        }
        assert_eq!(message_length(b"\x30", 9), Ok(None));
        assert_eq!(message_length(b"\x30\x82\x01", 9), Ok(None));
        assert_eq!(message_length(b"\x30\x08", 9), Err(Malformed::TooLarge(9)));
        assert_eq!(message_length(b"\x30\x84\xff\xff\xff\xff", 9), Err(Malformed::TooLarge(9)));
        assert_eq!(message_length(b"\x30\x80", 9), Err(Malformed::Length));
        assert_eq!(message_length(b"\x30\x85\0\0\0\0\x01", 9), Err(Malformed::Length));
        assert_eq!(message_length(b"HTTP/1.1 400", 9), Err(Malformed::Structure));
        assert_eq!(message_length(b"\x3f", 9), Err(Malformed::Structure));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested =
            |depth: usize| (0..depth).fold(Vec::new(), |inner, _| element(SEQUENCE, &inner));
        assert_eq!(check_nesting(&nested(11)), Ok(()));
        assert_eq!(check_nesting(&nested(12)), Err(Malformed::TooDeep));
        assert_eq!(check_nesting(&nested(2000)), Err(Malformed::TooDeep));
        let mut cut = element(SEQUENCE, &element(OCTET_STRING, b"abc"));
        cut[1] -= 1;
        assert_eq!(check_nesting(&cut), Err(Malformed::Length));
    }

    proptest! {
        #[test]
        fn nothing_panics(octets in any::<Vec<u8>>()) {
            let _ = message_length(&octets, 1000);
            let _ = check_nesting(&octets);
        }
    }
}

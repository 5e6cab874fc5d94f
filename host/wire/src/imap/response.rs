//! The server's responses: where one ends, and as much of what it says as a login needs.

use super::MAX_COMMAND;
use super::argument::Literal;
use crate::line::{self, Taken};

/// What the start of the input is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framed<'a> {
    /// Not all of a response.
    Incomplete,
    /// All of a response.
    Response {
        /// Without the last terminator; with literals.
        octets: &'a [u8],
        /// How many octets of the input it takes.
        len: usize,
    },
    /// Beyond the limit.
    TooLong,
}

/// Finds the end of the first response in `input`.
pub(super) fn frame(input: &[u8]) -> Framed<'_> {
    let mut start = 0_usize;
    loop {
        let rest = input.get(start..).unwrap_or_default();
        let line = match line::take(rest, MAX_COMMAND.saturating_sub(start)) {
            Taken::Incomplete => return Framed::Incomplete,
            Taken::TooLong => return Framed::TooLong,
            Taken::Line(line) => line,
        };
        let octets = input.get(..start.saturating_add(line.text.len())).unwrap_or_default();
        let len = start.saturating_add(line.len);
        let literal = Literal::announced_by(line.text).filter(|_| holds_data(octets));
        let Some(literal) = literal else {
            return Framed::Response { octets, len };
        };
        start = len.saturating_add(literal.size);
        if start > MAX_COMMAND {
            return Framed::TooLong;
        }
        if input.len() < start {
            return Framed::Incomplete;
        }
    }
}

/// Whether a response can hold literals: untagged data can, a status is text for people, which may
/// end with anything.
fn holds_data(octets: &[u8]) -> bool {
    matches!(Response::parse(octets), Response::Data { .. })
}

/// What a status response says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ok,
    No,
    Bad,
    Bye,
    Preauth,
}

impl Kind {
    fn parse(word: &[u8]) -> Option<Self> {
        const KINDS: [(&[u8], Kind); 5] = [
            (b"OK", Kind::Ok),
            (b"NO", Kind::No),
            (b"BAD", Kind::Bad),
            (b"BYE", Kind::Bye),
            (b"PREAUTH", Kind::Preauth),
        ];
        KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|&(_, kind)| kind)
    }
}

/// The words of a status response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words<'a> {
    /// What stands in brackets, without them.
    pub(super) code: Option<&'a [u8]>,
    /// What is for people; may be empty.
    pub(super) text: &'a [u8],
}

impl<'a> Words<'a> {
    fn parse(words: &'a [u8]) -> Self {
        let code = words.strip_prefix(b"[").and_then(|inside| {
            let (code, behind) = inside.split_at_checked(memchr::memchr(b']', inside)?)?;
            let behind = behind.get(1..)?;
            Some((code, behind.strip_prefix(b" ").unwrap_or(behind)))
        });
        match code {
            Some((code, text)) => Self { code: Some(code), text },
            None => Self { code: None, text: words },
        }
    }

    /// The list in a CAPABILITY code.
    pub(super) fn capabilities(&self) -> Option<&'a [u8]> {
        let (name, list) = split_word(self.code?);
        name.eq_ignore_ascii_case(b"CAPABILITY").then_some(list)
    }
}

/// A response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Response<'a> {
    /// `+`, with what stands behind it.
    Continue(&'a [u8]),
    /// `* OK` and the like.
    Untagged { kind: Kind, words: Words<'a> },
    /// `* ` and anything else.
    Data {
        /// The first word.
        name: &'a [u8],
        /// What follows it.
        rest: &'a [u8],
    },
    /// The reply to a command: OK, NO or BAD.
    Tagged { tag: &'a [u8], kind: Kind, words: Words<'a> },
    /// Not IMAP.
    Rubbish,
}

impl<'a> Response<'a> {
    /// Reads a response of which all has come.
    pub(super) fn parse(octets: &'a [u8]) -> Self {
        if let Some(rest) = octets.strip_prefix(b"+") {
            return Self::Continue(rest.strip_prefix(b" ").unwrap_or(rest));
        }
        let (tag, rest) = split_word(octets);
        let (name, behind) = split_word(rest);
        match (tag, Kind::parse(name)) {
            (b"", _) => Self::Rubbish,
            (b"*", Some(kind)) => Self::Untagged { kind, words: Words::parse(behind) },
            (b"*", None) if name.is_empty() => Self::Rubbish,
            (b"*", None) => Self::Data { name, rest: behind },
            (tag, Some(kind @ (Kind::Ok | Kind::No | Kind::Bad))) => {
                Self::Tagged { tag, kind, words: Words::parse(behind) }
            }
            (_, _) => Self::Rubbish,
        }
    }

    /// The list in a CAPABILITY response or in a CAPABILITY code.
    pub(super) fn capabilities(&self) -> Option<&'a [u8]> {
        match self {
            Self::Data { name, rest } if name.eq_ignore_ascii_case(b"CAPABILITY") => Some(rest),
            Self::Untagged { words, .. } | Self::Tagged { words, .. } => words.capabilities(),
            _ => None,
        }
    }
}

/// The word before the first space, and what stands behind that.
pub(super) fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let space = memchr::memchr(b' ', text).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(space).unwrap_or_default();
    (word, rest.get(1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{Framed, Kind, Response, Words, frame};
    use crate::imap::MAX_COMMAND;

    #[track_caller]
    fn len(input: &str) -> usize {
        match frame(input.as_bytes()) {
            Framed::Response { len, .. } => len,
            other => panic!("{input:?}: {other:?}"),
        }
    }

    #[test]
    fn data_ends_behind_its_literals_and_text_with_its_line() {
        assert_eq!(len("* LIST () {3}\r\na\nb x\r\n"), 22);
        assert_eq!(len("* OK look {3}\r\nabc"), 15);
        assert_eq!(len("W1 NO look {3}\r\nabc"), 16);
        assert_eq!(len("+ {3}\r\nabc"), 7);
        assert_eq!(frame(b"* LIST () {3}\r\nab"), Framed::Incomplete);
        assert_eq!(frame(b"* LIST () {3}\r\nabc"), Framed::Incomplete);
    }

    #[test]
    fn everything_has_a_limit() {
        assert_eq!(frame(&vec![b'x'; MAX_COMMAND + 2]), Framed::TooLong);
        assert_eq!(frame(b"* LIST {99999999999999999999}\r\n"), Framed::TooLong);
    }

    #[test]
    fn every_kind_of_response() {
        let words = |code, text| Words { code, text };
        for (line, response) in [
            (&b"+"[..], Response::Continue(b"")),
            (b"+ ", Response::Continue(b"")),
            (b"+abc", Response::Continue(b"abc")),
            (b"+ a b", Response::Continue(b"a b")),
            (b"* OK", Response::Untagged { kind: Kind::Ok, words: words(None, b"") }),
            (b"* ok hi", Response::Untagged { kind: Kind::Ok, words: words(None, b"hi") }),
            (
                b"* BYE [X y] z",
                Response::Untagged { kind: Kind::Bye, words: words(Some(b"X y"), b"z") },
            ),
            (b"* OK [X]z", Response::Untagged { kind: Kind::Ok, words: words(Some(b"X"), b"z") }),
            (b"* OK [X z", Response::Untagged { kind: Kind::Ok, words: words(None, b"[X z") }),
            (b"* 3 EXISTS", Response::Data { name: b"3", rest: b"EXISTS" }),
            (b"a NO", Response::Tagged { tag: b"a", kind: Kind::No, words: words(None, b"") }),
            (b"", Response::Rubbish),
            (b"*", Response::Rubbish),
            (b"* ", Response::Rubbish),
            (b" OK hi", Response::Rubbish),
            (b"a BYE hi", Response::Rubbish),
            (b"HTTP/1.1 400 Bad Request", Response::Rubbish),
            (b"220 mx ESMTP", Response::Rubbish),
        ] {
            assert_eq!(Response::parse(line), response, "{:?}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn capabilities_are_found_wherever_they_stand() {
        for line in ["* CAPABILITY A B", "* OK [capability A B] hi", "a OK [CAPABILITY A B]"] {
            assert_eq!(
                Response::parse(line.as_bytes()).capabilities(),
                Some(&b"A B"[..]),
                "{line}"
            );
        }
        assert_eq!(Response::parse(b"* OK hi [CAPABILITY A]").capabilities(), None);
    }
}

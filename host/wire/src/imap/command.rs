//! The client's commands: where one ends, its tag, its verb.

use std::fmt;

use super::argument::{Arguments, Literal};
use super::{MAX_COMMAND, MAX_LITERAL};
use crate::line::{self, Taken};

/// The longest tag, in octets. Clients use a handful.
const MAX_TAG: usize = 64;

/// What the start of the input is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framed<'a> {
    /// Not all of a command.
    Incomplete,
    /// All of a command.
    Command {
        /// Without the last terminator.
        octets: &'a [u8],
        /// How many octets of the input it takes.
        len: usize,
    },
    /// A command up to a literal for which the client waits.
    Waiting {
        /// Up to the literal's marker, which is included.
        octets: &'a [u8],
        /// Octets of the input up to where the literal would begin.
        len: usize,
        /// How long the literal would be.
        size: usize,
    },
    /// Beyond [`MAX_COMMAND`], or a literal that comes unasked beyond [`MAX_LITERAL`].
    TooLong,
}

/// Finds the end of the first command in `input`. Literals that begin within the first `granted`
/// octets have been asked for.
///
/// Whatever the verb, a line that ends with a literal's marker is followed by the literal: so
/// nobody can pass octets off as a command that the sender meant as a string.
pub(super) fn frame(input: &[u8], granted: usize) -> Framed<'_> {
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
        let Some(literal) = Literal::announced_by(line.text) else {
            return Framed::Command { octets, len };
        };
        if literal.synchronising && len > granted {
            return Framed::Waiting { octets, len, size: literal.size };
        }
        start = len.saturating_add(literal.size);
        if literal.size > MAX_LITERAL || start > MAX_COMMAND {
            return Framed::TooLong;
        }
        if input.len() < start {
            return Framed::Incomplete;
        }
    }
}

/// Whether a literal may be asked for that would begin after `len` octets of a command.
pub(super) fn has_room(len: usize, size: usize) -> bool {
    size <= MAX_LITERAL && len.saturating_add(size) <= MAX_COMMAND
}

/// A client's tag, known to be fit for repeating.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag {
    // Held in place: the ordinary login shall allocate no more than the credential.
    octets: [u8; MAX_TAG],
    len: u8,
}

impl Tag {
    /// RFC 3501: `tag = 1*<any ASTRING-CHAR except "+">`.
    fn parse(text: &[u8]) -> Option<Self> {
        let allowed = |octet: &u8| octet.is_ascii_graphic() && !b"(){%*\"\\+".contains(octet);
        if text.is_empty() || !text.iter().all(allowed) {
            return None;
        }
        let mut octets = [0; MAX_TAG];
        octets.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { octets, len: u8::try_from(text.len()).ok()? })
    }

    /// The tag as it came.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tag({:?})", String::from_utf8_lossy(self.as_bytes()))
    }
}

/// What a client can want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Capability,
    Noop,
    Logout,
    Id,
    Starttls,
    Login,
    Authenticate,
    /// A command of RFC 3501 or RFC 9051 that needs a login first.
    NeedsLogin,
    Unknown,
}

impl Verb {
    const KNOWN: [(&'static [u8], Self); 31] = [
        (b"CAPABILITY", Self::Capability),
        (b"NOOP", Self::Noop),
        (b"LOGOUT", Self::Logout),
        (b"ID", Self::Id),
        (b"STARTTLS", Self::Starttls),
        (b"LOGIN", Self::Login),
        (b"AUTHENTICATE", Self::Authenticate),
        (b"APPEND", Self::NeedsLogin),
        (b"CHECK", Self::NeedsLogin),
        (b"CLOSE", Self::NeedsLogin),
        (b"COPY", Self::NeedsLogin),
        (b"CREATE", Self::NeedsLogin),
        (b"DELETE", Self::NeedsLogin),
        (b"ENABLE", Self::NeedsLogin),
        (b"EXAMINE", Self::NeedsLogin),
        (b"EXPUNGE", Self::NeedsLogin),
        (b"FETCH", Self::NeedsLogin),
        (b"IDLE", Self::NeedsLogin),
        (b"LIST", Self::NeedsLogin),
        (b"LSUB", Self::NeedsLogin),
        (b"MOVE", Self::NeedsLogin),
        (b"NAMESPACE", Self::NeedsLogin),
        (b"RENAME", Self::NeedsLogin),
        (b"SEARCH", Self::NeedsLogin),
        (b"SELECT", Self::NeedsLogin),
        (b"STATUS", Self::NeedsLogin),
        (b"STORE", Self::NeedsLogin),
        (b"SUBSCRIBE", Self::NeedsLogin),
        (b"UID", Self::NeedsLogin),
        (b"UNSELECT", Self::NeedsLogin),
        (b"UNSUBSCRIBE", Self::NeedsLogin),
    ];

    fn parse(word: &[u8]) -> Self {
        let known = Self::KNOWN.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        known.map_or(Self::Unknown, |&(_, verb)| verb)
    }
}

/// Splits a command into tag, verb and arguments, which begin with the space before the first.
/// `None` where it does not begin with a tag and a word.
pub(super) fn split(octets: &[u8]) -> Option<(Tag, Verb, Arguments<'_>)> {
    let space = memchr::memchr(b' ', octets)?;
    let (tag, rest) = octets.split_at_checked(space)?;
    let rest = rest.get(1..)?;
    let end = memchr::memchr3(b' ', b'\r', b'\n', rest).unwrap_or(rest.len());
    let (verb, arguments) = rest.split_at_checked(end)?;
    Some((Tag::parse(tag)?, Verb::parse(verb), Arguments::new(arguments)))
}

#[cfg(test)]
mod tests {
    use super::{Framed, Tag, Verb, frame, split};
    use crate::imap::{MAX_COMMAND, MAX_LITERAL};

    #[track_caller]
    fn command(input: &str, granted: usize) -> (usize, usize) {
        match frame(input.as_bytes(), granted) {
            Framed::Command { octets, len } => (octets.len(), len),
            other => panic!("{input:?}: {other:?}"),
        }
    }

    #[test]
    fn a_command_ends_behind_its_literals() {
        assert_eq!(command("a NOOP\r\nb", 0), (6, 8));
        assert_eq!(command("a X {2+}\r\n\r\n {1+}\r\n{\r\nb", 0), (20, 22));
        assert_eq!(command("a X {2}\r\nyz \r\nb", 9), (12, 14));
    }

    #[test]
    fn a_client_waits_for_each_synchronising_literal() {
        let waiting = |octets, len, size| Framed::Waiting { octets, len, size };
        assert_eq!(frame(b"a X {2}\r\nyz {1}\r\nx\r\n", 0), waiting(b"a X {2}", 9, 2));
        assert_eq!(frame(b"a X {2}\r\nyz {1}\r\nx\r\n", 9), waiting(b"a X {2}\r\nyz {1}", 17, 1));
    }

    #[test]
    fn everything_has_a_limit() {
        let line = |len: usize, end: &str| format!("{}{end}", "x".repeat(len));
        assert_eq!(command(&line(MAX_COMMAND, "\r\n"), 0).0, MAX_COMMAND);
        assert_eq!(frame(line(MAX_COMMAND + 1, "\r\n").as_bytes(), 0), Framed::TooLong);
        assert_eq!(frame(line(MAX_COMMAND + 2, "").as_bytes(), 0), Framed::TooLong);

        let literal = format!("a X {{{}+}}\r\n", MAX_LITERAL + 1);
        assert_eq!(frame(literal.as_bytes(), 0), Framed::TooLong);
        let literals = format!("a X {{{MAX_LITERAL}+}}\r\n{}", line(MAX_LITERAL, "")).repeat(4);
        assert_eq!(frame(literals.as_bytes(), 0), Framed::TooLong);
    }

    #[test]
    fn tags_are_checked_before_they_are_repeated() {
        for tag in ["a", "A.0001", "]", "~`!@#$^&-_=[}|;:',<.>/?"] {
            assert!(Tag::parse(tag.as_bytes()).is_some(), "{tag:?}");
        }
        let long = "x".repeat(65);
        for tag in
            ["", "+", "*", "a+b", "a(b", "{1}", "a\"", "\\", "a%n", "a\rb", "\u{e4}", "a\0", &long]
        {
            assert!(Tag::parse(tag.as_bytes()).is_none(), "{tag:?}");
        }
    }

    #[test]
    fn verbs_are_found_in_any_case() {
        let verb = |text: &str| split(text.as_bytes()).map(|(_, verb, _)| verb);
        assert_eq!(verb("a login b c"), Some(Verb::Login));
        assert_eq!(verb("a SELECT INBOX"), Some(Verb::NeedsLogin));
        assert_eq!(verb("a XYZZY"), Some(Verb::Unknown));
        assert_eq!(verb("a "), Some(Verb::Unknown));
        assert_eq!(verb("a  NOOP"), Some(Verb::Unknown));
        for text in ["", "a", " NOOP", "* NOOP"] {
            assert_eq!(verb(text), None, "{text:?}");
        }
    }
}

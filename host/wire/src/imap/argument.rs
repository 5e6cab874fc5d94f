//! Strings in commands: atoms, quoted strings, literals (RFC 3501 section 4, RFC 7888).

use std::borrow::Cow;

/// The marker that ends a line and announces a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// Octets that follow the line; `usize::MAX` where the number is beyond any limit.
    pub(super) size: usize,
    /// Whether the sender waits for `+` before it sends them.
    pub(super) synchronising: bool,
}

impl Literal {
    /// The marker at the end of `line`, which comes without its terminator.
    pub(super) fn announced_by(line: &[u8]) -> Option<Self> {
        let open = line.iter().rposition(|&octet| octet == b'{')?;
        Self::parse(line.get(open..)?)
    }

    /// `{n}` or `{n+}`, and nothing else.
    fn parse(marker: &[u8]) -> Option<Self> {
        let inside = marker.strip_prefix(b"{")?.strip_suffix(b"}")?;
        let (digits, synchronising) = match inside.strip_suffix(b"+") {
            Some(digits) => (digits, false),
            None => (inside, true),
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let size = str::from_utf8(digits).ok()?.parse().unwrap_or(usize::MAX);
        Some(Self { size, synchronising })
    }
}

/// The arguments of a command of which all has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arguments<'a> {
    rest: &'a [u8],
}

impl<'a> Arguments<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// Takes `word` if it comes next, in any case.
    pub(super) fn take(&mut self, word: &[u8]) -> Option<()> {
        let (head, rest) = self.rest.split_at_checked(word.len())?;
        head.eq_ignore_ascii_case(word).then(|| self.rest = rest)
    }

    /// Nothing if nothing is left.
    pub(super) fn end(&self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }

    /// An atom, or what many clients send where one is expected: any octets without spaces and
    /// control characters that begin no other kind of string.
    pub(super) fn atom(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|octet| *octet == b' ' || octet.is_ascii_control());
        let (atom, rest) = self.rest.split_at_checked(end.unwrap_or(self.rest.len()))?;
        if matches!(atom.first(), None | Some(b'"' | b'{')) {
            return None;
        }
        self.rest = rest;
        Some(atom)
    }

    /// An atom, a quoted string or a literal.
    pub(super) fn astring(&mut self) -> Option<Cow<'a, [u8]>> {
        match self.rest.first()? {
            b'"' | b'{' => self.string(),
            _ => self.atom().map(Cow::Borrowed),
        }
    }

    /// A quoted string or a literal.
    pub(super) fn string(&mut self) -> Option<Cow<'a, [u8]>> {
        match self.rest.split_first()? {
            (b'"', inside) => self.quoted(inside),
            (b'{', _) => self.literal().map(Cow::Borrowed),
            _ => None,
        }
    }

    fn literal(&mut self) -> Option<&'a [u8]> {
        let newline = memchr::memchr(b'\n', self.rest)?;
        let (line, behind) = self.rest.split_at_checked(newline)?;
        let marker = Literal::parse(line.strip_suffix(b"\r").unwrap_or(line))?;
        let (octets, rest) = behind.get(1..)?.split_at_checked(marker.size)?;
        self.rest = rest;
        Some(octets)
    }

    fn quoted(&mut self, inside: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let mut escaped = false;
        let mut escapes = false;
        for (at, &octet) in inside.iter().enumerate() {
            match octet {
                b'"' | b'\\' if escaped => escaped = false,
                _ if escaped => return None,
                b'\\' => (escaped, escapes) = (true, true),
                b'"' => {
                    let (quoted, behind) = inside.split_at_checked(at)?;
                    self.rest = behind.get(1..)?;
                    return Some(if escapes {
                        Cow::Owned(unescape(quoted))
                    } else {
                        Cow::Borrowed(quoted)
                    });
                }
                b'\r' | b'\n' | 0 => return None,
                _ => {}
            }
        }
        None
    }
}

/// Drops the backslashes. The result is sized beforehand, since it may be a password and a buffer
/// that grew would leave copies behind.
fn unescape(quoted: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(quoted.len());
    let mut escaped = false;
    for &octet in quoted {
        escaped = octet == b'\\' && !escaped;
        if !escaped {
            plain.push(octet);
        }
    }
    plain
}

/// Whether `octets` may stand in a quoted string of any IMAP version: printable ASCII.
pub(super) fn is_quotable(octets: &[u8]) -> bool {
    octets.iter().all(|octet| *octet == b' ' || octet.is_ascii_graphic())
}

/// Appends a quoted string. `octets` [are quotable](is_quotable).
pub(super) fn push_quoted(octets: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &octet in octets {
        if matches!(octet, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(octet);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Arguments, Literal, is_quotable, push_quoted};

    #[track_caller]
    fn astring(text: &str) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut arguments = Arguments::new(text.as_bytes());
        let string = arguments.astring()?.into_owned();
        Some((string, arguments.rest.to_vec()))
    }

    #[test]
    fn every_form_of_string() {
        for (text, string, rest) in [
            ("ann x", "ann", " x"),
            ("a]%*\\(\"{b x", "a]%*\\(\"{b", " x"),
            (r#""ann"x"#, "ann", "x"),
            (r#""" x"#, "", " x"),
            (r#""a\"\\n" x"#, r#"a"\n"#, " x"),
            ("{3}\r\nann x", "ann", " x"),
            ("{3+}\r\nann", "ann", ""),
            ("{03}\na\r\n x", "a\r\n", " x"),
            ("{0}\r\n x", "", " x"),
        ] {
            assert_eq!(astring(text), Some((string.into(), rest.into())), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_string() {
        for text in [
            "",
            " ",
            "\r",
            r#"""#,
            r#""ann"#,
            r#""a\nn""#,
            r#""ann\""#,
            "\"a\0\"",
            "\"a\rb\"",
            "{ann",
            "{3}",
            "{3}\r\nan",
            "{}\r\n",
            "{+}\r\n",
            "{-1}\r\nx",
            "{+1}\r\nx",
            "{3 }\r\nann",
            "{18446744073709551616}\r\nx",
        ] {
            assert_eq!(astring(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_literal_is_announced_at_the_end_of_a_line() {
        let literal = |size, synchronising| Some(Literal { size, synchronising });
        assert_eq!(Literal::announced_by(b"a LOGIN {5}"), literal(5, true));
        assert_eq!(Literal::announced_by(b"a LOGIN {5+}"), literal(5, false));
        assert_eq!(Literal::announced_by(b"* X (~{5}"), literal(5, true));
        assert_eq!(Literal::announced_by(b"a {99999999999999999999}"), literal(usize::MAX, true));
        for line in ["a LOGIN {5} ", "a LOGIN \"{5}\"", "a {5-}", "a {5++}", "a }", "{"] {
            assert_eq!(Literal::announced_by(line.as_bytes()), None, "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_back(text in "[ -~]{0,40}") {
            prop_assert!(is_quotable(text.as_bytes()));
            let mut out = Vec::new();
            push_quoted(text.as_bytes(), &mut out);
            let out = String::from_utf8(out).unwrap();
            prop_assert_eq!(astring(&out), Some((text.into_bytes(), Vec::new())));
        }
    }
}

//! Splitting input into lines, within a limit.

/// A whole line at the start of some input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The line without its terminator. It may hold any octet but LF.
    pub text: &'a [u8],
    /// How many octets of the input it takes, its terminator included.
    pub len: usize,
}

/// What the start of some input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken<'a> {
    /// No terminator yet: come again with the same octets and more behind them.
    Incomplete,
    /// A line.
    Line(Line<'a>),
    /// Longer than the limit, whether its terminator has come or not.
    TooLong,
}

/// Takes the first line of `input`, which may be `limit` octets long without its terminator.
///
/// A line ends with CRLF, or with LF alone: people type into `nc`, and nothing that is parsed
/// here is passed on as it came. A CR anywhere else stays in the text, for the caller to refuse.
pub fn take(input: &[u8], limit: usize) -> Taken<'_> {
    // No terminator is looked for beyond the place where the longest line would have it.
    let within = input.get(..limit.saturating_add(2)).unwrap_or(input);
    let Some(newline) = memchr::memchr(b'\n', within) else {
        // `limit` octets and a CR may still become a line.
        return if input.len() > limit.saturating_add(1) {
            Taken::TooLong
        } else {
            Taken::Incomplete
        };
    };
    let ended = input.get(..newline).unwrap_or_default();
    let text = ended.strip_suffix(b"\r").unwrap_or(ended);
    if text.len() > limit {
        return Taken::TooLong;
    }
    Taken::Line(Line { text, len: newline.saturating_add(1) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Line, Taken, take};

    #[test]
    fn both_terminators_end_a_line() {
        assert_eq!(take(b"a b\r\nrest", 9), Taken::Line(Line { text: b"a b", len: 5 }));
        assert_eq!(take(b"a b\nrest", 9), Taken::Line(Line { text: b"a b", len: 4 }));
        assert_eq!(take(b"\r\n", 9), Taken::Line(Line { text: b"", len: 2 }));
    }

    #[test]
    fn a_carriage_return_elsewhere_is_text() {
        assert_eq!(take(b"a\rb\r\r\n", 9), Taken::Line(Line { text: b"a\rb\r", len: 6 }));
    }

    #[test]
    fn the_limit_counts_without_the_terminator() {
        assert_eq!(take(b"abcd\r\n", 4), Taken::Line(Line { text: b"abcd", len: 6 }));
        assert_eq!(take(b"abcd\r", 4), Taken::Incomplete);
        assert_eq!(take(b"abcde", 4), Taken::Incomplete);
        assert_eq!(take(b"abcdef", 4), Taken::TooLong);
        assert_eq!(take(b"abcde\n", 4), Taken::TooLong);
        assert_eq!(take(b"abcde\r\n", 4), Taken::TooLong);
    }

    proptest! {
        #[test]
        fn the_same_line_comes_out_however_much_follows(
            text in "[^\n\r]{0,20}", behind in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let mut input = text.clone().into_bytes();
            input.extend_from_slice(b"\r\n");
            input.extend_from_slice(&behind);
            let expected = Line { text: text.as_bytes(), len: text.len() + 2 };
            prop_assert_eq!(take(&input, 100), Taken::Line(expected));
            for cut in 0..text.len() + 2 {
                prop_assert_eq!(take(&input[..cut], 100), Taken::Incomplete);
            }
        }
    }
}

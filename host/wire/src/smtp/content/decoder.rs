use super::Place;

/// Takes a message out of the octets that follow DATA (RFC 5321 section 4.5.2).
///
/// It ends with CRLF . CRLF and with nothing that looks like it: the first CRLF may be DATA's own,
/// but neither may lack its CR or its LF. A dot that starts a line otherwise is taken off. All else,
/// NUL and 8-bit octets, bare CR and LF, long lines, passes as it is.
///
/// It holds two words and no octets, and a dot that may or may not be the end is left unread until
/// what follows has come.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    place: Place,
}

/// What the start of some input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// Nothing that can be told yet: come again with the same octets, of which there are at most
    /// two, and more behind them.
    Incomplete,
    /// Content.
    Content {
        /// It, never empty.
        octets: &'a [u8],
        /// How many octets of the input it takes.
        consumed: usize,
    },
    /// The end of the message.
    End {
        /// How many octets of the input it takes.
        consumed: usize,
    },
}

impl Decoder {
    /// At the start of a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes content or the end off the start of `input`. Do not call it again after the end.
    pub fn take<'a>(&mut self, input: &'a [u8]) -> Decoded<'a> {
        let dots = match (self.place, input) {
            (Place::Start, [b'.', b'\r', b'\n', ..]) => return Decoded::End { consumed: 3 },
            (Place::Start, [b'.'] | [b'.', b'\r']) => return Decoded::Incomplete,
            (Place::Start, [b'.', ..]) => 1,
            _ => 0,
        };
        let stripped = input.get(dots..).unwrap_or_default();
        // Behind a dot that is taken off, a further one starts no line.
        let place = if dots > 0 { Place::Inside } else { self.place };
        let len = place.before_dot(stripped).unwrap_or(stripped.len());
        let octets = stripped.get(..len).unwrap_or_default();
        if octets.is_empty() {
            return Decoded::Incomplete;
        }
        self.place = place.behind(octets);
        Decoded::Content { octets, consumed: len.saturating_add(dots) }
    }
}

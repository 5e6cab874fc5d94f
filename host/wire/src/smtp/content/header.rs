use std::sync::Arc;

const RECEIVED: &[u8] = b"received";
/// The longest name of a field (RFC 5322 section 2.1.1).
const MAX_NAME: usize = 998;
/// The longest word of a `Received` field that is looked at; no host name is longer.
const MAX_WORD: usize = 256;

/// Counts the `Received` fields of a message's header (RFC 5321 section 4.4).
///
/// The header ends at the first line that is neither a field nor a continuation of one. What a
/// server puts in front of a message stays in front, so a message that runs in a circle cannot hide
/// its fields.
#[derive(Clone, Debug)]
pub(super) struct Header {
    hostname: Arc<str>,
    received: usize,
    received_here: usize,
    state: State,
    /// Whether a line that begins with a space goes on with a `Received` field.
    in_received: bool,
    value: Value,
}

#[derive(Clone, Copy, Debug)]
enum State {
    LineStart,
    /// In a field's name, of which so many octets have come; and whether they are [`RECEIVED`]'s.
    Name {
        len: usize,
        received: bool,
    },
    /// Behind a field's name and a space.
    NameEnd {
        received: bool,
    },
    /// In the value of a `Received` field.
    Received,
    /// In the value of any other.
    Other,
    /// Behind the header.
    Over,
}

/// What has been read of a `Received` field's value.
#[derive(Clone, Debug, Default)]
struct Value {
    /// The word that is coming.
    word: Vec<u8>,
    /// The word before it was `by`.
    behind_by: bool,
    /// How many comments are open.
    comments: usize,
    quoted: bool,
    escaped: bool,
    /// It has said that it is of this host.
    here: bool,
}

impl Header {
    pub(super) fn new(hostname: Arc<str>) -> Self {
        Self {
            hostname,
            received: 0,
            received_here: 0,
            state: State::LineStart,
            in_received: false,
            value: Value::default(),
        }
    }

    pub(super) fn received(&self) -> usize {
        self.received
    }

    pub(super) fn received_here(&self) -> usize {
        self.received_here
    }

    pub(super) fn push(&mut self, piece: &[u8]) {
        let mut rest = piece;
        loop {
            if matches!(self.state, State::Other) {
                let Some(newline) = memchr::memchr(b'\n', rest) else { return };
                rest = rest.get(newline..).unwrap_or_default();
            }
            match (&self.state, rest) {
                (State::Over, _) | (_, []) => return,
                (_, [octet, behind @ ..]) => {
                    self.state = self.step(*octet);
                    rest = behind;
                }
            }
        }
    }

    fn step(&mut self, octet: u8) -> State {
        match self.state {
            State::LineStart => match octet {
                b' ' | b'\t' if self.in_received => State::Received,
                b' ' | b'\t' => State::Other,
                _ => self.name(0, true, octet),
            },
            State::Name { len, received } => self.name(len, received, octet),
            State::NameEnd { received } => match octet {
                b' ' | b'\t' => State::NameEnd { received },
                b':' => self.field(received),
                _ => State::Over,
            },
            State::Received => self.value(octet),
            State::Other if octet == b'\n' => State::LineStart,
            State::Other => State::Other,
            State::Over => State::Over,
        }
    }

    /// RFC 5322 section 3.6.8, and the space before the colon of section 4.5.
    fn name(&mut self, len: usize, received: bool, octet: u8) -> State {
        let is_received = received && len == RECEIVED.len();
        match octet {
            b':' if len > 0 => self.field(is_received),
            b' ' | b'\t' if len > 0 => State::NameEnd { received: is_received },
            b':' => State::Over,
            _ if octet.is_ascii_graphic() && len < MAX_NAME => State::Name {
                len: len.saturating_add(1),
                received: received && RECEIVED.get(len) == Some(&octet.to_ascii_lowercase()),
            },
            _ => State::Over,
        }
    }

    fn field(&mut self, received: bool) -> State {
        self.in_received = received;
        if !received {
            return State::Other;
        }
        self.received = self.received.saturating_add(1);
        self.value = Value { word: std::mem::take(&mut self.value.word), ..Value::default() };
        self.value.word.clear();
        State::Received
    }

    /// RFC 5322 section 3.6.7: words, comments, quoted strings.
    fn value(&mut self, octet: u8) -> State {
        if octet == b'\n' {
            self.end_word();
            return State::LineStart;
        }
        let value = &mut self.value;
        if value.escaped {
            value.escaped = false;
            return State::Received;
        }
        match octet {
            b'\\' => value.escaped = true,
            b'"' if value.comments == 0 => value.quoted = !value.quoted,
            _ if value.quoted => {}
            b'(' => {
                value.comments = value.comments.saturating_add(1);
                self.end_word();
            }
            b')' => value.comments = value.comments.saturating_sub(1),
            _ if value.comments > 0 => {}
            b' ' | b'\t' | b'\r' | b';' => self.end_word(),
            _ if value.word.len() < MAX_WORD => value.word.push(octet),
            _ => {}
        }
        State::Received
    }

    fn end_word(&mut self) {
        let Value { word, behind_by, here, .. } = &mut self.value;
        if word.is_empty() {
            return;
        }
        let name = word.strip_suffix(b".").unwrap_or(word);
        if *behind_by && !*here && name.eq_ignore_ascii_case(self.hostname.as_bytes()) {
            *here = true;
            self.received_here = self.received_here.saturating_add(1);
        }
        *behind_by = word.eq_ignore_ascii_case(b"by");
        word.clear();
    }
}

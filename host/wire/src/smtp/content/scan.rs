use std::sync::Arc;

use super::Place;
use super::header::Header;

/// Looks at content, piece by piece, and keeps none of it.
#[derive(Clone, Debug)]
pub struct Scan {
    found: Found,
    place: Place,
    /// How many octets the line has so far, its CR included.
    line: u64,
    header: Header,
}

/// What has been seen of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// How large it is, in octets.
    pub size: u64,
    /// A CR that no LF follows.
    pub bare_cr: bool,
    /// An LF before which no CR stands.
    pub bare_lf: bool,
    /// An octet beyond ASCII.
    pub eight_bit: bool,
    /// The longest line without its CRLF, in octets.
    pub longest_line: u64,
    /// How many `Received` fields its header has.
    pub received: usize,
    /// How many of them are of this host: `by` and its name.
    pub received_here: usize,
    /// Octets behind the last CRLF: a line without an end.
    pub open_line: bool,
}

impl Found {
    /// Whether it may not be passed on as it is.
    pub fn has_bare_newline(&self) -> bool {
        self.bare_cr || self.bare_lf
    }
}

impl Scan {
    /// At the start of a message; `hostname` is what this host's `Received` fields say behind `by`.
    pub fn new(hostname: Arc<str>) -> Self {
        Self {
            found: Found::default(),
            place: Place::Start,
            line: 0,
            header: Header::new(hostname),
        }
    }

    /// Looks at the next piece. Comes back with what has been seen up to its end, where a CR is not
    /// yet bare.
    pub fn push(&mut self, piece: &[u8]) -> Found {
        self.header.push(piece);
        self.found.size = self.found.size.saturating_add(length(piece));
        self.found.eight_bit = self.found.eight_bit || !piece.is_ascii();
        self.newlines(piece);
        self.found.open_line = self.place != Place::Start;
        self.found.received = self.header.received();
        self.found.received_here = self.header.received_here();
        self.found
    }

    /// Comes back with all that has been seen, no more following.
    pub fn end(&mut self) -> Found {
        if self.place == Place::BehindCr {
            self.found.bare_cr = true;
        }
        self.found
    }

    fn newlines(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Some(place) = memchr::memchr2(b'\r', b'\n', rest) {
            let (plain, newline) = rest.split_at(place);
            self.inside(plain);
            rest = match newline {
                [b'\r', b'\n', behind @ ..] => {
                    self.found.bare_cr |= self.place == Place::BehindCr;
                    self.line_end();
                    behind
                }
                [b'\r', behind @ ..] => {
                    self.carriage_return();
                    behind
                }
                [_, behind @ ..] => {
                    self.line_feed();
                    behind
                }
                [] => newline,
            };
        }
        self.inside(rest);
    }

    fn inside(&mut self, plain: &[u8]) {
        if plain.is_empty() {
            return;
        }
        self.found.bare_cr |= self.place == Place::BehindCr;
        self.place = Place::Inside;
        self.grow(length(plain));
    }

    fn carriage_return(&mut self) {
        self.found.bare_cr |= self.place == Place::BehindCr;
        self.place = Place::BehindCr;
        self.line = self.line.saturating_add(1);
    }

    fn line_feed(&mut self) {
        if self.place == Place::BehindCr {
            self.line_end();
        } else {
            self.found.bare_lf = true;
            self.place = Place::Inside;
            self.grow(1);
        }
    }

    fn line_end(&mut self) {
        self.place = Place::Start;
        self.line = 0;
    }

    fn grow(&mut self, octets: u64) {
        self.line = self.line.saturating_add(octets);
        self.found.longest_line = self.found.longest_line.max(self.line);
    }
}

fn length(octets: &[u8]) -> u64 {
    u64::try_from(octets.len()).unwrap_or(u64::MAX)
}

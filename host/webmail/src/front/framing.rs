//! Requests that could be read in two ways are told before hyper reads them in one.
//!
//! Where a head has both `Content-Length` and `Transfer-Encoding`, or two lengths, a server in front
//! of us may believe one and hyper the other, and what the first takes for a body the second takes
//! for the next request (RFC 9112 section 11.2). hyper decides such cases in silence, so they are
//! looked for here, octet by octet, and hyper is shown a head that nobody can read in their place:
//! it answers 400 and closes. In the middle of a body it is told that the body has broken off.
//!
//! So are lines that end without CR. RFC 9112 section 2.2 lets a server take a bare LF for the end of
//! a line, and hyper does; a server in front of us may take it for a part of the line.
//!
//! After an upgrade the octets are no requests any more, and nobody may look through them. Everything
//! else that may be wrong is left to hyper: this follows no more of the syntax than is needed to know
//! where the next head begins.

/// The longest line of which more than its length matters: the two fields, and a chunk's size.
const LINE: usize = 256;
/// What nobody can read.
pub(crate) const UNREADABLE: &[u8] = b"\0\r\n\r\n";

/// Follows the requests of a connection.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    place: Place,
    line: Vec<u8>,
    /// The last octet of a line that has not ended.
    last: Option<u8>,
    length: Length,
    /// How many heads have ended.
    heads: u64,
    /// Something that could be read in two ways has come.
    refused: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Place {
    /// In a request's line, or in the empty lines before it.
    #[default]
    RequestLine,
    /// In its fields.
    Fields,
    /// In a body of which so much is to come.
    Body(u64),
    ChunkSize,
    /// In a chunk of which so much is to come, its end of line included.
    Chunk(u64),
    Trailers,
}

/// What the fields say of the body.
#[derive(Clone, Copy, Debug, Default)]
struct Length {
    length: Option<u64>,
    chunked: bool,
}

impl Framing {
    /// Looks through octets on their way to hyper. `Some(place)`: what stands before that place may
    /// pass, and [`UNREADABLE`] behind it, from now on whatever comes.
    pub(crate) fn look_through(&mut self, octets: &[u8]) -> Option<usize> {
        if self.refused {
            return Some(0);
        }
        let mut at = 0;
        while at < octets.len() {
            let input = octets.get(at..).unwrap_or_default();
            let passed = match self.place {
                Place::Body(left) => self.skip(left, input, Place::Body, Place::RequestLine),
                Place::Chunk(left) => self.skip(left, input, Place::Chunk, Place::ChunkSize),
                _ => match self.line(input) {
                    Ok(passed) => passed,
                    Err(Ambiguous) => {
                        self.refused = true;
                        return Some(at);
                    }
                },
            };
            at += passed;
        }
        None
    }

    /// Whether what was refused is the body of a request whose head has passed.
    pub(crate) const fn has_refused_body(&self) -> bool {
        self.refused && matches!(self.place, Place::ChunkSize | Place::Trailers)
    }

    /// The number of the head that has begun and not ended, from zero.
    pub(crate) const fn within_head(&self) -> Option<u64> {
        match self.place {
            Place::RequestLine if self.line.is_empty() => None,
            Place::RequestLine | Place::Fields => Some(self.heads),
            _ => None,
        }
    }

    /// Whether no head has begun yet.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.heads == 0 && matches!(self.place, Place::RequestLine) && self.line.is_empty()
    }

    fn skip(&mut self, left: u64, input: &[u8], within: fn(u64) -> Place, behind: Place) -> usize {
        let passed = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let left = left - passed as u64;
        self.place = if left == 0 { behind } else { within(left) };
        passed
    }

    /// Up to the end of a line, or of what there is of it.
    fn line(&mut self, input: &[u8]) -> Result<usize, Ambiguous> {
        let end = memchr::memchr(b'\n', input);
        let part = input.get(..end.unwrap_or(input.len())).unwrap_or_default();
        let room = LINE.saturating_sub(self.line.len());
        self.line.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        let before = part.last().copied().or(self.last);
        let Some(end) = end else {
            self.last = before;
            return Ok(input.len());
        };
        if before != Some(b'\r') {
            return Err(Ambiguous);
        }
        self.last = None;
        let line = std::mem::take(&mut self.line);
        // Of one that was cut the CR is gone already.
        self.take(line.strip_suffix(b"\r").unwrap_or(&line))?;
        self.line = line;
        self.line.clear();
        Ok(end + 1)
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        match self.place {
            Place::RequestLine if line.is_empty() => {}
            Place::RequestLine => {
                self.length = Length::default();
                self.place = Place::Fields;
            }
            Place::Fields if line.is_empty() => {
                self.heads = self.heads.saturating_add(1);
                self.place = self.length.body();
            }
            Place::Fields => self.length.field(line)?,
            Place::ChunkSize => {
                let size = chunk_size(line).filter(|_| line.len() < LINE).ok_or(Ambiguous)?;
                self.place = match size {
                    0 => Place::Trailers,
                    size => Place::Chunk(size.saturating_add(2)),
                };
            }
            Place::Trailers if line.is_empty() => self.place = Place::RequestLine,
            Place::Trailers | Place::Body(_) | Place::Chunk(_) => {}
        }
        Ok(())
    }
}

/// It could be read in two ways.
struct Ambiguous;

impl Length {
    fn field(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        let Some(colon) = memchr::memchr(b':', line) else { return Ok(()) };
        let (name, value) = line.split_at(colon);
        // Of a line that was cut the value is not known.
        let value = value.get(1..).filter(|_| line.len() < LINE).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            // A second one, be it the same, is a list that some add up and some do not.
            if self.length.is_some() || self.chunked {
                return Err(Ambiguous);
            }
            self.length = Some(number(value, 10).ok_or(Ambiguous)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.length.is_some() || self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Ambiguous);
            }
            self.chunked = true;
        }
        Ok(())
    }

    const fn body(self) -> Place {
        match self {
            Self { chunked: true, .. } => Place::ChunkSize,
            Self { length: Some(length @ 1..), .. } => Place::Body(length),
            _ => Place::RequestLine,
        }
    }
}

/// RFC 9112 section 7.1; extensions say nothing.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let size = line.split(|octet| *octet == b';').next()?;
    number(size.trim_ascii_end(), 16)
}

/// Digits and nothing else: no sign, no space between.
fn number(text: &[u8], radix: u32) -> Option<u64> {
    let text = str::from_utf8(text).ok()?;
    let digits = text.bytes().all(|octet| char::from(octet).is_digit(radix));
    u64::from_str_radix(text, radix).ok().filter(|_| digits)
}

#[cfg(test)]
mod tests;

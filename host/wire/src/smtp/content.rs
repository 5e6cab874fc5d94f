//! The octets of a message: out of DATA and into it, and what is to be known of them.
//!
//! Between [`Decoder`] and [`Encoder`] a message is *content*: what is meant, without the dots that
//! DATA adds and without its end. Nothing but CRLF ends a line of it. A CR or LF elsewhere is *bare*,
//! and no message that holds one is passed on: some server further on might take it for the end of
//! a line, and what stands behind for commands (SMTP smuggling).

mod decoder;
mod encoder;
mod header;
mod newlines;
mod scan;

use std::sync::LazyLock;

use memchr::memmem::Finder;

pub use decoder::{Decoded, Decoder};
pub use encoder::Encoder;
pub use newlines::Normalizer;
pub use scan::{Found, Scan};

/// Finds the dots that start a line; made once, since a message may be made of such lines.
static LINE_DOT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n."));

/// Where in a line the octets so far have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// At its start: behind a CRLF, or at the very start.
    #[default]
    Start,
    /// Inside, behind any octet but CR.
    Inside,
    /// Behind a CR.
    BehindCr,
}

impl Place {
    /// Where `octets` lead to from here.
    fn behind(self, octets: &[u8]) -> Self {
        match octets {
            [] => self,
            [.., b'\r'] => Self::BehindCr,
            [.., b'\r', b'\n'] => Self::Start,
            [b'\n'] if self == Self::BehindCr => Self::Start,
            _ => Self::Inside,
        }
    }

    /// How many of the `octets` come before the first dot that starts a line; `None` where there is
    /// no such dot.
    fn before_dot(self, octets: &[u8]) -> Option<usize> {
        match (self, octets) {
            (Self::Start, [b'.', ..]) => Some(0),
            (Self::BehindCr, [b'\n', b'.', ..]) => Some(1),
            _ => LINE_DOT.find(octets).map(|place| place.saturating_add(2)),
        }
    }
}

#[cfg(test)]
mod tests;

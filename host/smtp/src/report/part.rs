use super::{Abilities, quoted};

/// The longest line that may be sent, in octets without its CRLF (RFC 5322 section 2.1.1).
pub(super) const MAX_LINE: usize = 998;

/// A part of the report, not yet encoded.
pub(super) struct Part {
    /// The value of its `Content-Type`.
    pub(super) content_type: &'static str,
    pub(super) description: String,
    /// Lines, each ended by CRLF.
    pub(super) body: Vec<u8>,
    /// Whether the type may be sent as 8-bit data.
    pub(super) as_eight_bit: bool,
    /// Whether the type may be sent as quoted-printable. One that may not is fit to be sent as it
    /// is.
    pub(super) as_quoted: bool,
}

/// A part of the report as it is sent.
pub(super) struct Encoded {
    header: String,
    pub(super) encoding: Encoding,
    body: Vec<u8>,
}

/// `Content-Transfer-Encoding` (RFC 2045 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    SevenBit,
    EightBit,
    QuotedPrintable,
}

impl Part {
    pub(super) fn encode(self, abilities: Abilities) -> Encoded {
        let as_eight_bit = self.as_eight_bit && (abilities.eight_bit || !self.as_quoted);
        let encoding = match (sendable(&self.body) == self.body.len(), self.body.is_ascii()) {
            (true, true) => Encoding::SevenBit,
            (true, false) if as_eight_bit => Encoding::EightBit,
            _ if self.as_quoted => Encoding::QuotedPrintable,
            (_, true) => Encoding::SevenBit,
            (_, false) => Encoding::EightBit,
        };
        let body = match encoding {
            Encoding::QuotedPrintable => quoted::encode(&self.body),
            Encoding::SevenBit | Encoding::EightBit => self.body,
        };
        let header = format!(
            "Content-Description: {}\r\nContent-Type: {}\r\nContent-Transfer-Encoding: {}\r\n",
            self.description,
            self.content_type,
            encoding.as_str(),
        );
        Encoded { header, encoding, body }
    }
}

impl Encoded {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.header.as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }

    pub(super) fn contains(&self, octets: &[u8]) -> bool {
        self.body.windows(octets.len()).any(|window| window == octets)
    }
}

impl Encoding {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::EightBit => "8bit",
            Self::QuotedPrintable => "quoted-printable",
        }
    }
}

/// How much of `octets` may be sent as it is: whole lines, of which none is too long and none holds
/// NUL, or CR or LF by itself (RFC 2045 sections 2.7 and 2.8).
pub(super) fn sendable(octets: &[u8]) -> usize {
    let mut sendable = 0;
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let Some(text) = line.strip_suffix(b"\r\n") else { break };
        if text.len() > MAX_LINE || text.iter().any(|octet| matches!(octet, 0 | b'\r')) {
            break;
        }
        sendable += line.len();
    }
    sendable
}

#[cfg(test)]
mod tests {
    use super::sendable;

    #[test]
    fn what_may_be_sent_as_it_is() {
        let long = [&b"a\r\n"[..], &[b'x'; 999], b"\r\nb\r\n"].concat();
        for (octets, expected) in [
            (&b""[..], 0),
            (b"a\r\nb\r\n", 6),
            (b"a\r\nb", 3),
            (b"a\r\nb\nc\r\n", 3),
            (b"a\r\nb\rc\r\n", 3),
            (b"a\r\n\0\r\n", 3),
            (b"\xFF\r\n", 3),
            (&long, 3),
            (&long[1..], 2),
        ] {
            assert_eq!(sendable(octets), expected, "{octets:?}");
        }
        let fits = [&[b'x'; 998][..], b"\r\n"].concat();
        assert_eq!(sendable(&fits), 1000);
    }
}

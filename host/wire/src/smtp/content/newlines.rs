/// Makes CRLF of each bare CR and each bare LF of content, piece by piece: for old devices, and for
/// nobody else.
///
/// It works on content, behind the [`Decoder`](super::Decoder), so it has no say in where the
/// message ends: that is CRLF . CRLF on the wire. What such a device meant by LF . LF is unknown; here
/// it is a line with one dot, inside the message like all others, and the
/// [`Encoder`](super::Encoder) adds a dot to it. Nor does a dot behind a bare LF or CR lose one: it
/// started no line on the wire.
#[derive(Clone, Debug, Default)]
pub struct Normalizer {
    behind_cr: bool,
}

impl Normalizer {
    /// At the start of a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `piece` to `out`. A CR at its end is held back until the next piece or the end.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        out.reserve(piece.len());
        let mut rest = piece;
        if self.behind_cr && !rest.is_empty() {
            out.extend_from_slice(b"\r\n");
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            self.behind_cr = false;
        }
        while let Some(place) = memchr::memchr2(b'\r', b'\n', rest) {
            let (plain, newline) = rest.split_at(place);
            out.extend_from_slice(plain);
            rest = match newline {
                [b'\r'] => {
                    self.behind_cr = true;
                    return;
                }
                [b'\r', b'\n', behind @ ..] | [_, behind @ ..] => {
                    out.extend_from_slice(b"\r\n");
                    behind
                }
                [] => newline,
            };
        }
        out.extend_from_slice(rest);
    }

    /// Appends what is held back. No more content may follow.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.behind_cr) {
            out.extend_from_slice(b"\r\n");
        }
    }
}

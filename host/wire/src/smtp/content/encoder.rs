use super::Place;

/// Makes of content what follows DATA (RFC 5321 section 4.5.2), piece by piece.
///
/// The dot that ends the message is not written here: it is a decision, and
/// [`Back::end_of_data`](crate::smtp::Back::end_of_data) writes it. Pieces must have passed a
/// [`Scan`](super::Scan) that found no bare CR or LF: behind one, a dot is no line's first for this
/// encoder, but is for servers that take LF for the end of a line.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    place: Place,
}

impl Encoder {
    /// At the start of a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `piece` to `out`, one more dot before each that starts a line.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        out.reserve(piece.len());
        let mut rest = piece;
        while let Some((plain, behind)) =
            self.place.before_dot(rest).and_then(|len| rest.split_at_checked(len))
        {
            out.extend_from_slice(plain);
            out.extend_from_slice(b"..");
            self.place = Place::Inside;
            rest = behind.get(1..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
        self.place = self.place.behind(rest);
    }

    /// Appends what the last line lacks of its CRLF: a message that came in chunks need not end
    /// with one. No more content may follow.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if self.place != Place::Start {
            out.extend_from_slice(b"\r\n");
            self.place = Place::Start;
        }
    }
}

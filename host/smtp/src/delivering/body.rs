use std::collections::VecDeque;

/// The content of a message on its way: what has come from the client and is still wanted in memory.
///
/// Places are counted in octets of content from the first one that goes to the back ends, which is
/// our own `Received` field's.
#[derive(Debug)]
pub(crate) struct Body {
    window: VecDeque<u8>,
    /// Where the window begins.
    start: u64,
    /// How much is kept in memory.
    room: usize,
    /// Whether what is read further back is to be found in a copy.
    has_copy: bool,
    /// The client's end of data has come.
    ended: bool,
    /// Nobody wants any more of it.
    discarded: bool,
}

/// What there is at some place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// These octets, and perhaps more.
    Octets(&'a [u8]),
    /// Octets that are only in the copy by now.
    InCopy,
    /// Nothing yet.
    NotYet,
    /// The message's end.
    End,
}

impl Body {
    /// An empty one, of which `room` octets are held in memory: with a copy the last ones, without
    /// one those that not everybody has.
    pub(crate) fn new(room: usize, has_copy: bool) -> Self {
        Self { window: VecDeque::new(), start: 0, room, has_copy, ended: false, discarded: false }
    }

    /// A message that is whole, and that is read from its copy.
    pub(crate) fn in_copy(length: u64) -> Self {
        Self { start: length, ended: true, ..Self::new(0, true) }
    }

    /// Takes what has come.
    pub(crate) fn push(&mut self, octets: &[u8]) {
        if !self.discarded {
            self.window.extend(octets);
        }
    }

    /// The client's end of data has come.
    pub(crate) const fn end(&mut self) {
        self.ended = true;
    }

    pub(crate) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Nobody wants any more of it: nothing is kept from now on.
    pub(crate) fn discard(&mut self) {
        self.discarded = true;
        self.start = self.len();
        self.window = VecDeque::new();
    }

    /// How much has come.
    pub(crate) fn len(&self) -> u64 {
        self.start.saturating_add(self.window.len() as u64)
    }

    /// Whether more may come from the client.
    pub(crate) fn has_room(&self) -> bool {
        self.window.len() < self.room
    }

    /// What there is at `place`.
    pub(crate) fn at(&self, place: u64) -> Found<'_> {
        let Some(behind) = place.checked_sub(self.start) else { return Found::InCopy };
        let behind = usize::try_from(behind).unwrap_or(usize::MAX);
        let (first, second) = self.window.as_slices();
        let octets = match first.get(behind..) {
            Some(rest) if !rest.is_empty() => rest,
            _ => second.get(behind.saturating_sub(first.len())..).unwrap_or_default(),
        };
        match octets {
            [] if self.ended => Found::End,
            [] => Found::NotYet,
            octets => Found::Octets(octets),
        }
    }

    /// Lets go of what nobody needs in memory: what the slowest, who is at `slowest`, has passed; and
    /// where there is a copy, what is beyond the room.
    pub(crate) fn trim(&mut self, slowest: Option<u64>) {
        let passed = slowest.unwrap_or_else(|| self.len()).saturating_sub(self.start);
        let mut passed = usize::try_from(passed).unwrap_or(usize::MAX);
        if self.has_copy {
            passed = passed.max(self.window.len().saturating_sub(self.room / 2));
        }
        let passed = passed.min(self.window.len());
        self.window.drain(..passed);
        self.start = self.start.saturating_add(passed as u64);
        if self.window.is_empty() && self.ended {
            self.window = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Body, Found};

    #[test]
    fn without_a_copy_what_somebody_lacks_stays_and_fills_the_room() {
        let mut body = Body::new(4, false);
        body.push(b"abcd");
        body.trim(Some(1));
        assert_eq!(body.at(1), Found::Octets(b"bcd"));
        assert!(body.has_room());
        body.push(b"ef");
        body.trim(Some(1));
        assert!(!body.has_room());
        body.trim(None);
        assert_eq!((body.at(6), body.len()), (Found::NotYet, 6));
        body.end();
        assert_eq!(body.at(6), Found::End);
    }

    #[test]
    fn with_a_copy_nobody_holds_up_the_others() {
        let mut body = Body::new(4, true);
        body.push(b"abcdef");
        body.trim(Some(0));
        assert!(body.has_room());
        assert_eq!(body.at(0), Found::InCopy);
        assert_eq!(body.at(4), Found::Octets(b"ef"));
    }

    #[test]
    fn what_nobody_wants_takes_no_memory() {
        let mut body = Body::new(4, false);
        body.push(b"abcd");
        body.discard();
        body.push(b"efgh");
        assert!(body.has_room());
        assert_eq!(body.at(4), Found::NotYet);
    }

    proptest! {
        #[test]
        fn every_reader_gets_every_octet_in_order(
            pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..9), 0usize..9), 0..50)
        ) {
            let mut body = Body::new(16, false);
            let (mut all, mut read) = (Vec::new(), Vec::new());
            for (piece, count) in pieces {
                body.push(&piece);
                all.extend_from_slice(&piece);
                if let Found::Octets(octets) = body.at(read.len() as u64) {
                    read.extend_from_slice(&octets[..count.min(octets.len())]);
                }
                body.trim(Some(read.len() as u64));
            }
            body.end();
            while let Found::Octets(octets) = body.at(read.len() as u64) {
                read.extend_from_slice(octets);
            }
            prop_assert_eq!(body.at(read.len() as u64), Found::End);
            prop_assert_eq!(read, all);
        }
    }
}

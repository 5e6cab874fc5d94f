//! Feeding a dialogue as the driver does.

use crate::login::MAX_UNREAD;

/// A dialogue together with a driver that decides everything at once.
pub(super) trait Player {
    /// Calls `advance` once, appends output and action to the record, does what the action asks
    /// for; comes back with the octets that were consumed.
    fn step(&mut self, unread: &[u8], record: &mut Vec<u8>) -> (usize, Next);
}

/// How it goes on.
pub(super) enum Next {
    /// There was no action.
    Read,
    /// There was one, and it is done.
    Act,
    /// The dialogue is over.
    End,
}

/// Feeds the pieces one by one. The record that comes back ends with what nobody consumed.
///
/// Whatever the pieces are, a dialogue consumes no more than it was given, comes to rest, and
/// never waits for more than [`MAX_UNREAD`] octets.
pub(super) fn play<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    mut player: impl Player,
) -> Vec<u8> {
    let (mut record, mut unread) = (Vec::new(), Vec::new());
    let mut over = false;
    for piece in pieces {
        unread.extend_from_slice(piece);
        while !over {
            let (consumed, next) = player.step(&unread, &mut record);
            assert!(consumed <= unread.len(), "consumed what was not there");
            unread.drain(..consumed);
            match next {
                Next::Read if consumed == 0 => break,
                Next::Read | Next::Act => {}
                Next::End => over = true,
            }
            assert!(record.len() < 64 * (MAX_UNREAD + unread.len()), "talks without end");
        }
        assert!(over || unread.len() < MAX_UNREAD, "waits for more than there is room for");
    }
    record.extend_from_slice(b"unread: ");
    record.extend_from_slice(&unread);
    record
}

/// The lines of `data`, each with its end.
pub(super) fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split_inclusive(|&octet| octet == b'\n')
}

/// The lines in small pieces: single octets, unless a line is very long.
pub(super) fn crumbs(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    lines(data).flat_map(|line| line.chunks(line.len() / 1024 + 1))
}

/// Checks that two ways of cutting the same input led to the same record.
#[track_caller]
pub(super) fn check_same(record: &[u8], other: &[u8], how: &str) {
    if record != other {
        let same = record.iter().zip(other).take_while(|(a, b)| a == b).count();
        let shown = |record: &[u8]| {
            let near = same.saturating_sub(80)..record.len().min(same + 80);
            record[near].escape_ascii().to_string()
        };
        panic!("{how}, another record:\n{}\n{}", shown(record), shown(other));
    }
}

/// Whole lines, ended with CRLF, without a CR or LF elsewhere.
#[track_caller]
pub(super) fn check_lines(said: &[u8]) {
    for line in said.split_inclusive(|&octet| octet == b'\n') {
        let text = line.strip_suffix(b"\r\n").expect("a line that goes out ends with CRLF");
        assert!(!text.contains(&b'\r'), "a line holds a carriage return");
    }
}

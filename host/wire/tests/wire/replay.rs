//! Plays a transcript to a dialogue in every way in which a network may cut it.

use std::fmt::Write as _;

/// How many random splits [`replay`] tries, of a fixed seed.
const RANDOM_SPLITS: usize = 1000;

/// A dialogue with all that is to be answered to its actions.
pub(crate) trait Player {
    /// Calls `advance` once with what is unread, writes the output and the action, if it is not
    /// `Read`, to the record, and does what the action asks for. Comes back with the octets that
    /// were consumed, and whether there was an action.
    fn step(&mut self, unread: &[u8], record: &mut Vec<u8>) -> (usize, bool);
}

/// Plays the peer's `segments` uncut, at every single cut, octet by octet and in a thousand random
/// splits, each time to a new player, and checks that all records are the same. Comes back with
/// the record, behind which stand the octets that nobody consumed.
///
/// A peer waits for the answer before it sends the next segment: segments are never joined.
pub(crate) fn replay<P: Player>(segments: &[&[u8]], player: impl Fn() -> P) -> String {
    let whole = play(segments, &[], player());
    let length = segments.iter().map(|segment| segment.len()).sum();
    let check = |cuts: &[usize]| {
        let record = play(segments, cuts, player());
        assert_eq!(record, whole, "cut at {cuts:?}");
    };
    (1..length).for_each(|cut| check(&[cut]));
    check(&(1..length).collect::<Vec<_>>());
    let mut random = Random(0x5EED);
    for _ in 0..RANDOM_SPLITS {
        let one_in = random.below(20) + 1;
        check(&(1..length).filter(|_| random.below(one_in) == 0).collect::<Vec<_>>());
    }
    whole
}

/// Plays the segments with further cuts at these places of the whole.
fn play(segments: &[&[u8]], cuts: &[usize], mut player: impl Player) -> String {
    let (mut record, mut unread) = (Vec::new(), Vec::new());
    let mut start = 0;
    settle(&mut player, &mut unread, &mut record);
    for segment in segments {
        let inside = cuts.iter().filter_map(|cut| cut.checked_sub(start));
        let mut from = 0;
        for to in inside.filter(|cut| (1..segment.len()).contains(cut)).chain([segment.len()]) {
            unread.extend_from_slice(&segment[from..to]);
            settle(&mut player, &mut unread, &mut record);
            from = to;
        }
        start += segment.len();
    }
    let mut text = String::new();
    let _ = write!(text, "{}", record.escape_ascii());
    let mut text = text.replace("\\r\\n", "\n");
    if !unread.is_empty() {
        let _ = write!(text, "unread: {}", unread.escape_ascii());
    }
    text
}

/// Steps until nothing more happens without further input, as the driver does.
fn settle(player: &mut impl Player, unread: &mut Vec<u8>, record: &mut Vec<u8>) {
    for _ in 0..10_000 {
        let (consumed, acted) = player.step(unread, record);
        unread.drain(..consumed);
        if consumed == 0 && !acted {
            return;
        }
    }
    panic!("the dialogue goes on for ever");
}

/// Marsaglia's xorshift: the splits are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }
}

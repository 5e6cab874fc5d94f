//! How a record lies in its file.
//!
//! A record's file is two *slots* of the same size, a multiple of [`BLOCK`]. A record is written
//! into the slot that does not hold the current one, under a higher sequence number, and becomes
//! the current one when its checksum holds: a torn write leaves the other slot, of which it shares
//! no block. So an update needs neither new space nor a new name in the folder.
//!
//! A slot, numbers in network byte order:
//!
//! | octets | are |
//! | --- | --- |
//! | 0–7 | `WPSPOOL` and a newline |
//! | 8–11 | the format, 1 |
//! | 12–15 | 1 if the message is kept, 2 if it is removed |
//! | 16–23 | the sequence number |
//! | 24–39 | the message's id |
//! | 40–47 | the copy's length |
//! | 48–51 | the record's length |
//! | 52–83 | SHA-256 of octets 0–51 and the record |
//! | 84– | the record |

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::Id;

/// Nothing smaller is written by a file system or a disk as a whole; slots begin at multiples.
pub(crate) const BLOCK: u64 = 4096;

/// The longest record, in octets.
pub const MAX_RECORD: usize = 16 * 1024 * 1024;

/// The octets before the record.
pub(crate) const HEADER: usize = 84;
const CHECKED: usize = 52;
const MAGIC: &[u8; 8] = b"WPSPOOL\n";
const VERSION: u32 = 1;

/// What a record says of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is there.
    Kept,
    /// It is over, and its files are about to go.
    Removed,
}

impl State {
    const fn number(self) -> u32 {
        match self {
            Self::Kept => 1,
            Self::Removed => 2,
        }
    }
}

/// What is written into a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content<'a> {
    pub(crate) state: State,
    /// Grows with each update.
    pub(crate) sequence: u64,
    /// The length of the message's copy in octets.
    pub(crate) copy_length: u64,
    /// At most [`MAX_RECORD`] octets.
    pub(crate) record: &'a [u8],
}

/// What stands before a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) state: State,
    /// Grows with each update.
    pub(crate) sequence: u64,
    /// The length of the message's copy in octets.
    pub(crate) copy_length: u64,
    /// The record's length in octets, at most [`MAX_RECORD`].
    pub(crate) length: usize,
    checksum: [u8; 32],
}

/// Why a slot holds no record.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum SlotProblem {
    /// Space that was never written.
    #[error("it is empty")]
    Empty,
    /// Not the mark that each record bears.
    #[error("it is no record")]
    Foreign,
    /// A format that came later.
    #[error("it has the format {0}, which a newer Waypost has written")]
    Version(u32),
    /// Another message's record.
    #[error("it is the record of another message")]
    OtherMessage,
    /// Longer than a record may be.
    #[error("it is too long")]
    TooLong,
    /// Not the octets that were written.
    #[error("its checksum does not hold")]
    Checksum,
}

/// Puts a record of `id` as it lies in a slot.
pub(crate) fn encode(id: Id, content: &Content<'_>) -> Vec<u8> {
    let Content { state, sequence, copy_length, record } = content;
    let mut slot = Vec::with_capacity(HEADER.saturating_add(record.len()));
    slot.extend_from_slice(MAGIC);
    slot.extend_from_slice(&VERSION.to_be_bytes());
    slot.extend_from_slice(&state.number().to_be_bytes());
    slot.extend_from_slice(&sequence.to_be_bytes());
    slot.extend_from_slice(&id.bits().to_be_bytes());
    slot.extend_from_slice(&copy_length.to_be_bytes());
    slot.extend_from_slice(&u32::try_from(record.len()).unwrap_or(u32::MAX).to_be_bytes());
    let checksum = Sha256::new().chain_update(&slot).chain_update(record).finalize();
    slot.extend_from_slice(&checksum);
    slot.extend_from_slice(record);
    slot
}

/// Reads what stands before the record of `id`. The checksum is left to [`Header::verify`].
pub(crate) fn decode(id: Id, octets: &[u8; HEADER]) -> Result<Header, SlotProblem> {
    let mut rest = octets.as_slice();
    if take(&mut rest) != *MAGIC {
        let empty = octets.iter().all(|octet| *octet == 0);
        return Err(if empty { SlotProblem::Empty } else { SlotProblem::Foreign });
    }
    match u32::from_be_bytes(take(&mut rest)) {
        VERSION => {}
        version => return Err(SlotProblem::Version(version)),
    }
    let state = match u32::from_be_bytes(take(&mut rest)) {
        1 => State::Kept,
        2 => State::Removed,
        _ => return Err(SlotProblem::Checksum),
    };
    let sequence = u64::from_be_bytes(take(&mut rest));
    if u128::from_be_bytes(take(&mut rest)) != id.bits() {
        return Err(SlotProblem::OtherMessage);
    }
    let copy_length = u64::from_be_bytes(take(&mut rest));
    let length = usize::try_from(u32::from_be_bytes(take(&mut rest))).unwrap_or(usize::MAX);
    if length > MAX_RECORD {
        return Err(SlotProblem::TooLong);
    }
    Ok(Header { state, sequence, copy_length, length, checksum: take(&mut rest) })
}

impl Header {
    /// Whether `record`, found behind the header `octets`, is what was written.
    pub(crate) fn verify(&self, octets: &[u8; HEADER], record: &[u8]) -> Result<(), SlotProblem> {
        let checked = octets.get(..CHECKED).unwrap_or_default();
        let checksum = Sha256::new().chain_update(checked).chain_update(record).finalize();
        if checksum.as_slice() == self.checksum { Ok(()) } else { Err(SlotProblem::Checksum) }
    }
}

/// The size of a slot for a record of this length, in octets.
pub(crate) fn slot_bytes(record_length: usize) -> u64 {
    let length = u64::try_from(record_length.saturating_add(HEADER)).unwrap_or(u64::MAX);
    blocks(length).max(BLOCK)
}

/// What a file of this length takes of the disk, in octets.
pub(crate) fn blocks(length: u64) -> u64 {
    length.checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX - (BLOCK - 1))
}

/// The next `N` octets, which are there.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (taken, behind) = rest.split_first_chunk().unwrap_or((&[0; N], &[]));
    *rest = behind;
    *taken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BLOCK, Content, HEADER, Header, SlotProblem, State, decode, encode, slot_bytes};
    use crate::Id;

    fn content(sequence: u64, record: &[u8]) -> Content<'_> {
        Content { state: State::Kept, sequence, copy_length: 7, record }
    }

    fn read(id: Id, slot: &[u8]) -> Result<(Header, Vec<u8>), SlotProblem> {
        let (octets, rest) = slot.split_first_chunk().unwrap();
        let header = decode(id, octets)?;
        let record = rest.get(..header.length).ok_or(SlotProblem::Checksum)?;
        header.verify(octets, record)?;
        Ok((header, record.to_vec()))
    }

    #[test]
    fn each_problem_has_its_name() {
        let id = Id::generate();
        let slot = encode(id, &content(1, b"record"));
        let with = |place: usize, octet: u8| {
            let mut slot = slot.clone();
            slot[place] = octet;
            read(id, &slot).unwrap_err()
        };
        assert_eq!(read(id, &[0; HEADER]).unwrap_err(), SlotProblem::Empty);
        assert_eq!(with(0, 0), SlotProblem::Foreign);
        assert_eq!(with(11, 2), SlotProblem::Version(2));
        assert_eq!(with(15, 3), SlotProblem::Checksum);
        assert_eq!(with(15, 2), SlotProblem::Checksum);
        assert_eq!(with(48, 2), SlotProblem::TooLong);
        assert_eq!(with(30, slot[30] ^ 1), SlotProblem::OtherMessage);
        assert_eq!(with(HEADER, b'R'), SlotProblem::Checksum);
        assert_eq!(read(Id::generate(), &slot).unwrap_err(), SlotProblem::OtherMessage);
    }

    #[test]
    fn slots_are_whole_blocks_and_hold_the_header_too() {
        assert_eq!(slot_bytes(0), BLOCK);
        assert_eq!(slot_bytes(4096 - HEADER), BLOCK);
        assert_eq!(slot_bytes(4096 - HEADER + 1), 2 * BLOCK);
        assert_eq!(slot_bytes(usize::MAX) % BLOCK, 0);
    }

    proptest! {
        #[test]
        fn a_record_comes_back_and_no_other_octets_pass(
            record: Vec<u8>,
            sequence: u64,
            copy_length: u64,
            removed: bool,
            flip: prop::sample::Index,
            mask in 1_u8..,
        ) {
            let id = Id::generate();
            let state = if removed { State::Removed } else { State::Kept };
            let content = Content { state, sequence, copy_length, record: &record };
            let mut slot = encode(id, &content);
            let (Header { state, sequence, copy_length, .. }, read_back) = read(id, &slot).unwrap();
            let read_back = Content { state, sequence, copy_length, record: &read_back };
            prop_assert_eq!(read_back, content);
            let place = flip.index(slot.len());
            slot[place] ^= mask;
            prop_assert!(read(id, &slot).is_err(), "octet {place} changed");
        }

        #[test]
        fn a_mixture_of_two_writes_is_neither(
            old in prop::collection::vec(any::<u8>(), 0..3000),
            new in prop::collection::vec(any::<u8>(), 1..3000),
            cut: prop::sample::Index,
        ) {
            let id = Id::generate();
            let (old, new) = (encode(id, &content(1, &old)), encode(id, &content(3, &new)));
            let cut = cut.index(new.len());
            let mut torn = old.clone();
            torn.resize(old.len().max(new.len()), 0);
            torn[..cut].copy_from_slice(&new[..cut]);
            if let Ok((header, _)) = read(id, &torn) {
                // Nothing of the new one came, or all that differs.
                let whole = if header.sequence == 1 { &old } else { &new };
                prop_assert_eq!(&torn[..whole.len()], &whole[..]);
            }
        }
    }
}

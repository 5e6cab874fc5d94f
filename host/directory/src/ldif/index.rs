//! From a value to the entries that may have it.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

use super::store::EntryId;

/// Entries by the hash of a number and some octets. What is looked up are candidates: two values
/// may share a hash. The hash is keyed anew for each index, so nobody can arrange that.
#[derive(Default)]
pub(super) struct Index {
    ids: HashMap<u64, Ids, AsIs>,
    hasher: RandomState,
}

/// Most values are one entry's.
enum Ids {
    One([EntryId; 1]),
    Many(Vec<EntryId>),
}

impl Index {
    /// Adds an entry. Entries come in order.
    pub(super) fn insert(&mut self, number: u32, octets: &[u8], id: EntryId) {
        let ids = self.ids.entry(hash(&self.hasher, number, octets)).or_insert(Ids::One([id]));
        match ids {
            Ids::One([one]) if *one != id => *ids = Ids::Many(vec![*one, id]),
            Ids::One(_) => {}
            Ids::Many(many) if many.last() != Some(&id) => many.push(id),
            Ids::Many(_) => {}
        }
    }

    /// The candidates, in order.
    pub(super) fn get(&self, number: u32, octets: &[u8]) -> &[EntryId] {
        match self.ids.get(&hash(&self.hasher, number, octets)) {
            None => &[],
            Some(Ids::One(one)) => one,
            Some(Ids::Many(many)) => many,
        }
    }
}

fn hash(hasher: &RandomState, number: u32, octets: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write_u32(number);
    hasher.write(octets);
    hasher.finish()
}

/// Takes a key that is a hash already as it is.
#[derive(Default)]
struct AsIs;

#[derive(Default)]
struct AsIsHasher(u64);

impl BuildHasher for AsIs {
    type Hasher = AsIsHasher;

    fn build_hasher(&self) -> AsIsHasher {
        AsIsHasher::default()
    }
}

impl Hasher for AsIsHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        // Keys are `u64`, for which `write_u64` is called.
        octets.iter().for_each(|b| self.0 = self.0.rotate_left(8) ^ u64::from(*b));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

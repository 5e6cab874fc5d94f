use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::num::NonZeroUsize;
use std::sync::Arc;

use hashbrown::HashTable;
use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::Instant;
use waypost_model::{Context, ContextReads, Lookup};

use super::{Entry, Key};
use crate::seen::Seen;

/// How many entries one key may have that differ in what they saw. A policy that reads the
/// client's address would fill the space with one busy mailbox otherwise.
pub(super) const MAX_VARIANTS: usize = 32;

/// So many entries for each lock, roughly; small spaces have one lock and an exact size.
const ENTRIES_PER_SHARD: usize = 2048;
const MAX_SHARDS: usize = 64;

/// How far the clock's hand goes for a victim before it takes the next best.
const MAX_STEPS: usize = 64;

/// A bounded number of entries. Entries of one key lie under one hash, each with what its decision
/// saw, so finding one is a hash and a few comparisons and allocates nothing.
///
/// The clock algorithm evicts: an entry that was found since the hand last passed gets another
/// round, an entry that is past its use gets none.
pub(super) struct Space {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    size: Gauge,
    evictions: Counter,
}

/// What was found for a key.
#[derive(Default)]
pub(super) struct Sighting {
    /// The youngest entry that the asker may share and that is of use still.
    pub(super) entry: Option<Entry>,
    /// What the entries of this key saw, this asker's and others'.
    pub(super) reads: ContextReads,
}

struct Shard {
    index: HashTable<u32>,
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    hand: usize,
    capacity: usize,
}

struct Slot {
    hash: u64,
    policy: crate::PolicyIdentity,
    lookup: Arc<Lookup>,
    seen: Seen,
    entry: Entry,
    found: bool,
}

impl Slot {
    fn is_for(&self, key: Key<'_>) -> bool {
        self.policy == key.policy
            && (Arc::ptr_eq(&self.lookup, key.lookup) || self.lookup == *key.lookup)
    }
}

impl Space {
    pub(super) fn new(capacity: NonZeroUsize, size: Gauge, evictions: Counter) -> Self {
        let count = (capacity.get() / ENTRIES_PER_SHARD).next_power_of_two().clamp(1, MAX_SHARDS);
        let each = capacity.get().div_ceil(count).min(u32::MAX as usize);
        let shards = (0..count).map(|_| Mutex::new(Shard::new(each))).collect();
        Self { shards, hasher: RandomState::new(), size, evictions }
    }

    /// Looks for an entry that `context` may share.
    pub(super) fn find(&self, key: Key<'_>, context: &Context, now: Instant) -> Sighting {
        let hash = self.hash(key);
        self.shard(hash).lock().find(hash, key, context, now)
    }

    /// Puts an entry in the place of all that the same asker would have found.
    pub(super) fn insert(
        &self,
        key: Key<'_>,
        context: &Context,
        seen: Seen,
        entry: Entry,
        now: Instant,
    ) {
        let hash = self.hash(key);
        let mut shard = self.shard(hash).lock();
        let removed = shard.remove_matching(hash, key, context);
        let slot = Slot {
            hash,
            policy: key.policy,
            lookup: key.lookup.clone(),
            seen,
            entry,
            found: false,
        };
        let evicted = shard.insert(slot, now);
        drop(shard);
        self.size.inc_by(1 - to_signed(removed + usize::from(evicted)));
        self.evictions.inc_by(u64::from(evicted));
    }

    /// Takes out all that the asker would have found.
    pub(super) fn remove(&self, key: Key<'_>, context: &Context) {
        let hash = self.hash(key);
        let removed = self.shard(hash).lock().remove_matching(hash, key, context);
        self.size.dec_by(to_signed(removed));
    }

    /// Changes each entry that the asker would find.
    pub(super) fn update(&self, key: Key<'_>, context: &Context, change: impl Fn(&mut Entry)) {
        let hash = self.hash(key);
        let mut shard = self.shard(hash).lock();
        for at in shard.matching(hash, key, context) {
            if let Some(slot) = &mut shard.slots[at as usize] {
                change(&mut slot.entry);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().index.len()).sum()
    }

    fn hash(&self, key: Key<'_>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        key.policy.hash(&mut hasher);
        key.lookup.purpose.hash(&mut hasher);
        key.lookup.address.as_str().hash(&mut hasher);
        hasher.finish()
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        // The table takes its bucket from the low bits and its tag from the highest seven.
        let bits = (hash >> 40) as usize;
        &self.shards[bits & (self.shards.len() - 1)]
    }
}

impl Shard {
    fn new(capacity: usize) -> Self {
        Self { index: HashTable::new(), slots: Vec::new(), free: Vec::new(), hand: 0, capacity }
    }

    fn find(&mut self, hash: u64, key: Key<'_>, context: &Context, now: Instant) -> Sighting {
        let mut reads = ContextReads::NONE;
        let mut best: Option<u32> = None;
        let mut best_decided = None;
        for &at in self.index.iter_hash(hash) {
            let Some(slot) = &self.slots[at as usize] else { continue };
            if !slot.is_for(key) {
                continue;
            }
            reads = reads.union(slot.seen.reads());
            let younger = best_decided.is_none_or(|best| slot.entry.decided_at > best);
            if younger && now < slot.entry.keep_until && slot.seen.matches(context) {
                best = Some(at);
                best_decided = Some(slot.entry.decided_at);
            }
        }
        let entry = best.and_then(|at| self.slots[at as usize].as_mut()).map(|slot| {
            slot.found = true;
            slot.entry.clone()
        });
        Sighting { entry, reads }
    }

    /// Returns whether another entry had to go.
    fn insert(&mut self, slot: Slot, now: Instant) -> bool {
        let key = Key { policy: slot.policy, lookup: &slot.lookup };
        let variants = self.of_key(slot.hash, key);
        let victim = if variants.len() >= MAX_VARIANTS {
            self.oldest(&variants)
        } else if self.index.len() >= self.capacity {
            self.next_victim(now)
        } else {
            None
        };
        if let Some(at) = victim {
            self.take(at);
        }
        let hash = slot.hash;
        let at = match self.free.pop() {
            Some(at) => {
                self.slots[at as usize] = Some(slot);
                at
            }
            None => {
                self.slots.push(Some(slot));
                u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
            }
        };
        let slots = &self.slots;
        self.index.insert_unique(hash, at, |&at| {
            slots.get(at as usize).and_then(Option::as_ref).map_or(0, |slot| slot.hash)
        });
        victim.is_some()
    }

    fn next_victim(&mut self, now: Instant) -> Option<u32> {
        let mut step = 0;
        loop {
            let at = self.hand;
            self.hand = (self.hand + 1) % self.slots.len();
            step += 1;
            let Some(slot) = &mut self.slots[at] else { continue };
            let spared = slot.found && now < slot.entry.keep_until && step < MAX_STEPS;
            if !spared {
                return u32::try_from(at).ok();
            }
            slot.found = false;
        }
    }

    fn remove_matching(&mut self, hash: u64, key: Key<'_>, context: &Context) -> usize {
        let matching = self.matching(hash, key, context);
        for &at in &matching {
            self.take(at);
        }
        matching.len()
    }

    fn take(&mut self, at: u32) {
        let Some(slot) = self.slots[at as usize].take() else { return };
        if let Ok(place) = self.index.find_entry(slot.hash, |&other| other == at) {
            place.remove();
        }
        self.free.push(at);
    }

    fn of_key(&self, hash: u64, key: Key<'_>) -> Vec<u32> {
        self.select(hash, |slot| slot.is_for(key))
    }

    fn matching(&self, hash: u64, key: Key<'_>, context: &Context) -> Vec<u32> {
        self.select(hash, |slot| slot.is_for(key) && slot.seen.matches(context))
    }

    fn select(&self, hash: u64, wanted: impl Fn(&Slot) -> bool) -> Vec<u32> {
        let is_wanted = |at: &u32| self.slots[*at as usize].as_ref().is_some_and(&wanted);
        self.index.iter_hash(hash).copied().filter(is_wanted).collect()
    }

    fn oldest(&self, variants: &[u32]) -> Option<u32> {
        let decided_at =
            |at: &u32| self.slots[*at as usize].as_ref().map(|slot| slot.entry.decided_at);
        variants.iter().copied().min_by_key(decided_at)
    }
}

fn to_signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

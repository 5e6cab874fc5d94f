//! Entries in memory, as a tree and by value.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::ops::Range;

use super::reader::{LdifError, LdifProblem, Record};
use crate::attribute::{self, AttributeName};
use crate::fold::fold;
use crate::{Dn, Entry};

/// The number of an entry: its place in the order of names.
pub(super) type EntryId = u32;

/// An attribute type of this directory.
pub(super) type TypeId = u32;

/// Entries in the order of their names, so that everything below an entry follows it, with an
/// index of every value.
pub(super) struct Store {
    entries: Vec<StoredEntry>,
    by_name: HashMap<Box<[u8]>, EntryId>,
    types: HashMap<Box<str>, TypeId>,
    /// The entries that have a value, in order, by the hash of type and folded value. Two values
    /// may share a hash: an index names candidates, which are compared afterwards.
    by_value: HashMap<u64, Vec<EntryId>>,
    hasher: RandomState,
}

/// An entry.
pub(super) struct StoredEntry {
    dn: Box<str>,
    key: Box<[u8]>,
    /// How many components the name has.
    pub(super) depth: usize,
    /// The first entry behind those below this one.
    end: EntryId,
    pub(super) attributes: Vec<StoredAttribute>,
}

/// An attribute of an entry with its values.
pub(super) struct StoredAttribute {
    pub(super) type_id: TypeId,
    pub(super) name: AttributeName,
    pub(super) values: Vec<Box<[u8]>>,
}

/// The entries that a search's base and scope leave.
#[derive(Clone, Debug)]
pub(super) struct Region {
    pub(super) ids: Range<EntryId>,
    /// Where only entries of one depth count, that depth.
    pub(super) depth: Option<usize>,
}

impl Store {
    /// Builds the directory of `records` and finds its base where none is given.
    pub(super) fn build(
        mut records: Vec<Record>,
        base: Option<Dn>,
    ) -> Result<(Self, Dn), LdifError> {
        let base = match base {
            Some(base) => base,
            None => common_ancestor(&records),
        };
        records
            .sort_by(|one, other| one.dn.key().cmp(other.dn.key()).then(one.line.cmp(&other.line)));
        check(&records, &base)?;
        let mut store = Self {
            entries: Vec::with_capacity(records.len()),
            by_name: HashMap::with_capacity(records.len()),
            types: HashMap::new(),
            by_value: HashMap::new(),
            hasher: RandomState::new(),
        };
        for (id, record) in (0..).zip(records) {
            store.insert(id, record);
        }
        store.find_ends();
        store.by_value.values_mut().for_each(Vec::shrink_to_fit);
        Ok((store, base))
    }

    fn insert(&mut self, id: EntryId, record: Record) {
        let Record { dn_text, dn, attributes, .. } = record;
        self.by_name.insert(dn.key().into(), id);
        let mut entry = StoredEntry {
            dn: dn_text.into(),
            key: dn.key().into(),
            depth: dn.rdns().len(),
            end: 0,
            attributes: Vec::new(),
        };
        for (name, value) in attributes {
            let type_id = self.type_id_or_new(name.key());
            self.index(type_id, &value, id);
            match entry.attributes.iter_mut().find(|attribute| attribute.name == name) {
                Some(attribute) => attribute.values.push(value.into()),
                None => entry.attributes.push(StoredAttribute {
                    type_id,
                    name,
                    values: vec![value.into()],
                }),
            }
        }
        self.entries.push(entry);
    }

    fn type_id_or_new(&mut self, key: &str) -> TypeId {
        if let Some(id) = self.types.get(key) {
            return *id;
        }
        let id = TypeId::try_from(self.types.len()).unwrap_or(TypeId::MAX);
        self.types.insert(key.into(), id);
        id
    }

    fn index(&mut self, type_id: TypeId, value: &[u8], id: EntryId) {
        let hash = self.hash(type_id, &fold(value));
        let ids = self.by_value.entry(hash).or_default();
        if ids.last() != Some(&id) {
            ids.push(id);
        }
    }

    /// Sets for each entry where those below it end: at the next one whose key does not start with
    /// its own.
    fn find_ends(&mut self) {
        let mut open: Vec<usize> = Vec::new();
        let count = self.entries.len();
        for next in 0..=count {
            while let Some(last) = open.last().copied() {
                let inside = match (self.entries.get(last), self.entries.get(next)) {
                    (Some(above), Some(entry)) => entry.key.starts_with(&above.key),
                    _ => false,
                };
                if inside {
                    break;
                }
                open.pop();
                if let Some(entry) = self.entries.get_mut(last) {
                    entry.end = EntryId::try_from(next).unwrap_or(EntryId::MAX);
                }
            }
            open.push(next);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entry(&self, id: EntryId) -> Option<&StoredEntry> {
        self.entries.get(usize::try_from(id).ok()?)
    }

    /// The type of an attribute: `None` where no entry has it.
    pub(super) fn type_id(&self, key: &str) -> Option<TypeId> {
        self.types.get(key).copied()
    }

    /// Whether an attribute of this key exists at all: in an entry or in a common schema. A test of
    /// any other is neither true nor false (RFC 4511 section 4.5.1.7).
    pub(super) fn recognises(&self, key: &str) -> bool {
        self.types.contains_key(key) || attribute::common(key).is_some()
    }

    /// The entries that may have a value, in order.
    pub(super) fn with_value(&self, type_id: TypeId, folded: &[u8]) -> &[EntryId] {
        self.by_value.get(&self.hash(type_id, folded)).map_or(&[], Vec::as_slice)
    }

    fn hash(&self, type_id: TypeId, folded: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u32(type_id);
        hasher.write(folded);
        hasher.finish()
    }

    /// The entries at or below a base. A base without an entry of its own may still have some
    /// below it.
    pub(super) fn region(&self, base: &Dn, scope: crate::Scope) -> Region {
        let depth = base.rdns().len();
        let own = self.by_name.get(base.key()).copied();
        let below = match own.and_then(|id| Some(id..self.entry(id)?.end)) {
            Some(ids) => ids,
            None => self.below_key(base.key()),
        };
        match scope {
            crate::Scope::Subtree => Region { ids: below, depth: None },
            crate::Scope::OneLevel => Region { ids: below, depth: Some(depth + 1) },
            crate::Scope::Base => {
                Region { ids: own.map_or(0..0, |id| id..id.saturating_add(1)), depth: None }
            }
        }
    }

    fn below_key(&self, key: &[u8]) -> Range<EntryId> {
        let id = |index: usize| EntryId::try_from(index).unwrap_or(EntryId::MAX);
        let start = self.entries.partition_point(|entry| entry.key.as_ref() < key);
        let behind = self.entries.get(start..).unwrap_or_default();
        let count = behind.partition_point(|entry| entry.key.starts_with(key));
        id(start)..id(start + count)
    }

    /// The entry as a query sees it: each attribute asked for, under the name that asks for it.
    pub(super) fn view(&self, entry: &StoredEntry, asked: &[AttributeName]) -> Entry {
        let mut attributes = Vec::with_capacity(asked.len());
        for name in asked {
            let selected =
                entry.attributes.iter().filter(|attribute| name.selects(&attribute.name));
            let values: Vec<Vec<u8>> = selected
                .flat_map(|attribute| &attribute.values)
                .map(|value| value.to_vec())
                .collect();
            if !values.is_empty() {
                attributes.push((name.spelt().to_owned(), values));
            }
        }
        Entry { dn: entry.dn.as_ref().to_owned(), attributes }
    }
}

impl StoredEntry {
    /// The name taken apart. Kept as text, since only `:dn` matches need it.
    pub(super) fn name(&self) -> Option<Dn> {
        Dn::parse(&self.dn).ok()
    }
}

/// Checks records in the order of their names.
fn check(records: &[Record], base: &Dn) -> Result<(), LdifError> {
    if EntryId::try_from(records.len()).is_err() {
        return Err(LdifError { line: 1, problem: LdifProblem::TooManyEntries });
    }
    for record in records {
        if !record.dn.is_at_or_below(base) {
            let problem = LdifProblem::Outside(base.to_string());
            return Err(LdifError { line: record.line, problem });
        }
    }
    for (one, next) in records.iter().zip(records.iter().skip(1)) {
        if one.dn == next.dn {
            return Err(LdifError { line: next.line, problem: LdifProblem::Duplicate });
        }
    }
    Ok(())
}

/// The longest name at or below which every record is; the root where there is none.
fn common_ancestor(records: &[Record]) -> Dn {
    let Some(first) = records.first() else { return Dn::root() };
    (0..)
        .map(|components| first.dn.ancestor(components))
        .find(|ancestor| records.iter().all(|record| record.dn.is_at_or_below(ancestor)))
        .unwrap_or_else(Dn::root)
}

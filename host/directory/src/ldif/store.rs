//! Entries in memory: as a tree, by value, and packed, since a search in a large directory costs
//! what it touches of memory.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::index::Index;
use super::reader::{LdifError, LdifProblem, Record};
use crate::attribute::{self, AttributeName};
use crate::fold::fold;
use crate::{Dn, Entry, Scope};

/// The number of an entry: its place in the order of names.
pub(super) type EntryId = u32;

/// An attribute type of this directory.
pub(super) type TypeId = u32;

/// An attribute type with certain options.
pub(super) type NameId = u32;

/// Entries in the order of their names, so that everything below an entry follows it.
pub(super) struct Store {
    entries: Vec<StoredEntry>,
    /// The compared form of each entry's name, in order.
    keys: Vec<Box<[u8]>>,
    by_key: Index,
    /// Every value of every entry, by its type and its folded form.
    by_value: Index,
    types: HashMap<Box<str>, TypeId>,
    /// The names under which each type occurs.
    names_of_type: Vec<Vec<NameId>>,
    names: Vec<Arc<AttributeName>>,
}

/// An entry.
pub(super) struct StoredEntry {
    /// How many components its name has.
    pub(super) depth: usize,
    /// The first entry behind those below this one.
    end: EntryId,
    dn_end: u32,
    values: Box<[StoredValue]>,
    /// The name as it was written, and behind it the values.
    octets: Box<[u8]>,
}

/// Where in an entry's octets a value is.
struct StoredValue {
    name: NameId,
    start: u32,
    end: u32,
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
            keys: Vec::with_capacity(records.len()),
            by_key: Index::default(),
            by_value: Index::default(),
            types: HashMap::new(),
            names_of_type: Vec::new(),
            names: Vec::new(),
        };
        for (id, record) in (0..).zip(records) {
            store.insert(id, record)?;
        }
        store.find_ends();
        Ok((store, base))
    }

    fn insert(&mut self, id: EntryId, record: Record) -> Result<(), LdifError> {
        let Record { line, dn_text, dn, attributes } = record;
        let too_large = |_| LdifError { line, problem: LdifProblem::EntryTooLarge };
        let mut octets = dn_text.into_bytes();
        let dn_end = u32::try_from(octets.len()).map_err(too_large)?;
        let mut values = Vec::with_capacity(attributes.len());
        for (name, value) in attributes {
            let (type_id, name) = self.intern(&name);
            self.by_value.insert(type_id, &fold(&value), id);
            let start = u32::try_from(octets.len()).map_err(too_large)?;
            octets.extend_from_slice(&value);
            let end = u32::try_from(octets.len()).map_err(too_large)?;
            values.push(StoredValue { name, start, end });
        }
        self.by_key.insert(0, dn.key(), id);
        self.keys.push(dn.key().into());
        self.entries.push(StoredEntry {
            depth: dn.rdns().len(),
            end: 0,
            dn_end,
            values: values.into(),
            octets: octets.into(),
        });
        Ok(())
    }

    /// The numbers of a name and of its type, new ones where it is new.
    fn intern(&mut self, name: &Arc<AttributeName>) -> (TypeId, NameId) {
        let type_id = match self.types.get(name.key()) {
            Some(type_id) => *type_id,
            None => {
                let type_id = number(self.names_of_type.len());
                self.types.insert(name.key().into(), type_id);
                self.names_of_type.push(Vec::new());
                type_id
            }
        };
        let is_name = |id: &&NameId| self.names.get(index(**id)).is_some_and(|it| it == name);
        if let Some(id) = self.names_of_type(type_id).iter().find(is_name) {
            return (type_id, *id);
        }
        let id = number(self.names.len());
        self.names.push(name.clone());
        if let Some(names) = self.names_of_type.get_mut(index(type_id)) {
            names.push(id);
        }
        (type_id, id)
    }

    /// Sets for each entry where those below it end: at the next one whose key does not start with
    /// its own.
    fn find_ends(&mut self) {
        let mut open: Vec<usize> = Vec::new();
        for next in 0..=self.entries.len() {
            while let Some(last) = open.last().copied() {
                let inside = match (self.keys.get(last), self.keys.get(next)) {
                    (Some(above), Some(key)) => key.starts_with(above),
                    _ => false,
                };
                if inside {
                    break;
                }
                open.pop();
                if let Some(entry) = self.entries.get_mut(last) {
                    entry.end = number(next);
                }
            }
            open.push(next);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entry(&self, id: EntryId) -> Option<&StoredEntry> {
        self.entries.get(index(id))
    }

    /// The type of an attribute: `None` where no entry has it.
    pub(super) fn type_id(&self, key: &str) -> Option<TypeId> {
        self.types.get(key).copied()
    }

    fn names_of_type(&self, type_id: TypeId) -> &[NameId] {
        self.names_of_type.get(index(type_id)).map_or(&[], Vec::as_slice)
    }

    /// The names that an attribute of a query stands for here.
    pub(super) fn selected(&self, attribute: &AttributeName) -> Cow<'_, [NameId]> {
        let Some(type_id) = self.type_id(attribute.key()) else { return Cow::Borrowed(&[]) };
        let names = self.names_of_type(type_id);
        if !attribute.has_options() {
            return Cow::Borrowed(names);
        }
        let selects =
            |id: &NameId| self.names.get(index(*id)).is_some_and(|name| attribute.selects(name));
        names.iter().copied().filter(selects).collect()
    }

    /// Whether an attribute of this key exists at all: in an entry or in a common schema. A test of
    /// any other is neither true nor false (RFC 4511 section 4.5.1.7).
    pub(super) fn recognises(&self, key: &str) -> bool {
        self.types.contains_key(key) || attribute::common(key).is_some()
    }

    /// The entries that may have a value, in order.
    pub(super) fn with_value(&self, type_id: TypeId, folded: &[u8]) -> &[EntryId] {
        self.by_value.get(type_id, folded)
    }

    /// The entries at or below a base. A base without an entry of its own may still have some
    /// below it.
    pub(super) fn region(&self, base: &Dn, scope: Scope) -> Region {
        let own = self.find(base.key());
        let below = || match own.and_then(|id| Some(id..self.entry(id)?.end)) {
            Some(ids) => ids,
            None => self.below_key(base.key()),
        };
        match scope {
            Scope::Subtree => Region { ids: below(), depth: None },
            Scope::OneLevel => Region { ids: below(), depth: Some(base.rdns().len() + 1) },
            Scope::Base => {
                Region { ids: own.map_or(0..0, |id| id..id.saturating_add(1)), depth: None }
            }
        }
    }

    fn find(&self, key: &[u8]) -> Option<EntryId> {
        let has_key = |id: &EntryId| self.keys.get(index(*id)).is_some_and(|k| **k == *key);
        self.by_key.get(0, key).iter().copied().find(has_key)
    }

    fn below_key(&self, key: &[u8]) -> Range<EntryId> {
        let start = self.keys.partition_point(|other| **other < *key);
        let behind = self.keys.get(start..).unwrap_or_default();
        let count = behind.partition_point(|other| other.starts_with(key));
        number(start)..number(start + count)
    }
}

impl StoredEntry {
    /// The name as it was written.
    pub(super) fn dn(&self) -> &str {
        let dn = self.octets.get(..index(self.dn_end)).unwrap_or_default();
        std::str::from_utf8(dn).unwrap_or_default()
    }

    /// The values of the attributes of these names.
    pub(super) fn values<'a>(&'a self, names: &'a [NameId]) -> impl Iterator<Item = &'a [u8]> {
        let wanted = self.values.iter().filter(|value| names.contains(&value.name));
        wanted.filter_map(|value| self.octets.get(index(value.start)..index(value.end)))
    }

    /// The entry as a query sees it: each attribute asked for, under the name that asks for it.
    pub(super) fn view(&self, asked: &[AttributeName], names: &[Cow<'_, [NameId]>]) -> Entry {
        let mut attributes = Vec::with_capacity(asked.len());
        for (name, names) in asked.iter().zip(names) {
            let values: Vec<Vec<u8>> = self.values(names).map(<[u8]>::to_vec).collect();
            if !values.is_empty() {
                attributes.push((name.spelt().to_owned(), values));
            }
        }
        Entry { dn: self.dn().to_owned(), attributes }
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

/// The place that a number stands for.
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The number of a place; there are never more places than numbers, since the content that brings
/// them is limited.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

//! Which entries a search has to look at.

use std::borrow::Cow;

use super::matching::{Check, Node, Truth};
use super::store::{EntryId, NameId, Region, Store, StoredEntry};
use crate::attribute::AttributeName;
use crate::{BoundQuery, Entry};

/// How one search is answered: the entries that may match, and the test of each.
pub(super) struct Plan<'s, 'q> {
    region: Region,
    candidates: Candidates<'s>,
    filter: Node<'s, 'q>,
    /// The attributes asked for, and for each the names under which entries have it.
    asked: &'q [AttributeName],
    names: Vec<Cow<'s, [NameId]>>,
}

enum Candidates<'s> {
    /// Every entry of the region.
    Region,
    /// Those that an index names.
    Indexed(&'s [EntryId]),
    /// Those that several index entries name together.
    Joined(Vec<EntryId>),
}

impl<'s, 'q> Plan<'s, 'q> {
    pub(super) fn new(store: &'s Store, query: &'q BoundQuery) -> Self {
        let filter = Node::new(store, &query.filter);
        let region = store.region(&query.base, query.scope);
        let candidates = match Candidates::of(store, &filter) {
            Some(candidates) if candidates.ids().len() < region.ids.len() => candidates,
            _ => Candidates::Region,
        };
        let names = query.attributes.iter().map(|name| store.selected(name)).collect();
        Self { region, candidates, filter, asked: &query.attributes, names }
    }

    /// The entries to look at, in order.
    pub(super) fn candidates(&self) -> impl Iterator<Item = EntryId> {
        let (range, ids) = match &self.candidates {
            Candidates::Region => (self.region.ids.clone(), &[][..]),
            indexed => (0..0, within(indexed.ids(), &self.region)),
        };
        range.chain(ids.iter().copied())
    }

    /// Whether an entry is in scope and fits the filter.
    pub(super) fn matches(&self, entry: &StoredEntry) -> bool {
        self.region.depth.is_none_or(|depth| depth == entry.depth)
            && self.filter.evaluate(entry) == Truth::True
    }

    /// An entry that matches, as the query sees it.
    pub(super) fn view(&self, entry: &StoredEntry) -> Entry {
        entry.view(self.asked, &self.names)
    }
}

/// The part of `ids`, which are in order, that lies in a region.
fn within<'s>(ids: &'s [EntryId], region: &Region) -> &'s [EntryId] {
    let start = ids.partition_point(|id| *id < region.ids.start);
    let end = ids.partition_point(|id| *id < region.ids.end);
    ids.get(start..end).unwrap_or_default()
}

impl<'s> Candidates<'s> {
    fn ids(&self) -> &[EntryId] {
        match self {
            Self::Region => &[],
            Self::Indexed(ids) => ids,
            Self::Joined(ids) => ids,
        }
    }

    /// The entries outside of which a filter cannot be true; `None` where no index knows.
    fn of(store: &'s Store, filter: &Node<'_, '_>) -> Option<Self> {
        match filter {
            Node::Item(item) => match (&item.check, item.type_id) {
                (Check::Equal(folded) | Check::Exact { folded, .. }, Some(id)) if !item.dn => {
                    Some(Self::Indexed(store.with_value(id, folded)))
                }
                _ => None,
            },
            Node::And(nodes) => {
                let known = nodes.iter().filter_map(|node| Self::of(store, node));
                known.min_by_key(|candidates| candidates.ids().len())
            }
            Node::Or(nodes) => Self::joined(store, nodes),
            Node::Fixed(Truth::True) | Node::Not(_) => None,
            Node::Fixed(_) => Some(Self::Indexed(&[])),
        }
    }

    /// What any of `nodes` may be true of, unless that is most of the directory.
    fn joined(store: &'s Store, nodes: &[Node<'_, '_>]) -> Option<Self> {
        let mut ids = Vec::new();
        for node in nodes {
            let candidates = Self::of(store, node)?;
            ids.extend_from_slice(candidates.ids());
            if ids.len() > store.len() {
                return None;
            }
        }
        ids.sort_unstable();
        ids.dedup();
        Some(Self::Joined(ids))
    }
}

//! What was done, and what of it is certain to be on the disk.

use std::collections::BTreeMap;

/// The number of a file, which outlives its name.
pub(super) type NodeId = usize;

/// Whether something that was done survives a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It may, and a sync will make it certain.
    Open,
    /// It may, and no sync will make it certain: one has failed.
    Doubtful,
    /// It does.
    Durable,
}

/// Changes in the order in which they were made.
#[derive(Clone, Debug)]
pub(super) struct Log<T> {
    changes: Vec<(T, Fate)>,
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self { changes: Vec::new() }
    }
}

impl<T: Clone> Log<T> {
    /// One change that is durable.
    pub(super) fn durable(change: T) -> Self {
        Self { changes: vec![(change, Fate::Durable)] }
    }

    pub(super) fn push(&mut self, change: T, fate: Fate) {
        self.changes.push((change, fate));
    }

    /// A sync has ended, well or not.
    pub(super) fn sync(&mut self, succeeded: bool) {
        let fate = if succeeded { Fate::Durable } else { Fate::Doubtful };
        for (_, open) in self.changes.iter_mut().filter(|(_, fate)| *fate == Fate::Open) {
            *open = fate;
        }
    }

    /// How many changes may survive or not.
    pub(super) fn undecided(&self) -> usize {
        self.changes.iter().filter(|(_, fate)| *fate != Fate::Durable).count()
    }

    /// The changes that survive, where `survives` says of each undecided one, by its number among
    /// them, what is left of it.
    pub(super) fn survivors(&self, mut survives: impl FnMut(usize, &T) -> Vec<T>) -> Vec<T> {
        let mut number = 0;
        let mut survivors = Vec::new();
        for (change, fate) in &self.changes {
            if *fate == Fate::Durable {
                survivors.push(change.clone());
                continue;
            }
            survivors.extend(survives(number, change));
            number += 1;
        }
        survivors
    }
}

/// A change of a file's content.
#[derive(Clone, Debug)]
pub(super) enum Write {
    /// These octets at this offset.
    Octets(u64, Vec<u8>),
    /// At least this length, with zeros.
    Extend(u64),
}

impl Write {
    pub(super) fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Extend(length) => {
                let length = usize::try_from(*length).expect("a test's file fits into memory");
                content.resize(content.len().max(length), 0);
            }
            Self::Octets(_, octets) if octets.is_empty() => {}
            Self::Octets(offset, octets) => {
                let start = usize::try_from(*offset).expect("a test's file fits into memory");
                let end = start + octets.len();
                content.resize(content.len().max(end), 0);
                content[start..end].copy_from_slice(octets);
            }
        }
    }

    /// The first `length` octets of it.
    pub(super) fn first(&self, length: usize) -> Self {
        match self {
            Self::Octets(offset, octets) => {
                Self::Octets(*offset, octets[..length.min(octets.len())].to_vec())
            }
            Self::Extend(_) => self.clone(),
        }
    }

    /// What a disk writes as a whole, one by one.
    pub(super) fn sectors(&self) -> Vec<Self> {
        const SECTOR: usize = 512;
        match self {
            Self::Octets(offset, octets) => {
                let sectors = octets.chunks(SECTOR).enumerate();
                let offset = |number| offset + (number * SECTOR) as u64;
                sectors.map(|(number, part)| Self::Octets(offset(number), part.to_vec())).collect()
            }
            Self::Extend(_) => vec![self.clone()],
        }
    }
}

/// A change of the folder: all of it comes about, or nothing.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    gone: Option<String>,
    there: Option<(String, NodeId)>,
}

impl Entry {
    pub(super) fn set(name: &str, node: NodeId) -> Self {
        Self { gone: None, there: Some((name.to_owned(), node)) }
    }

    pub(super) fn rename(from: &str, to: &str, node: NodeId) -> Self {
        Self { gone: Some(from.to_owned()), there: Some((to.to_owned(), node)) }
    }

    pub(super) fn remove(name: &str) -> Self {
        Self { gone: Some(name.to_owned()), there: None }
    }

    pub(super) fn apply(&self, names: &mut BTreeMap<String, NodeId>) {
        if let Some(name) = &self.gone {
            names.remove(name);
        }
        if let Some((name, node)) = &self.there {
            names.insert(name.clone(), *node);
        }
    }
}

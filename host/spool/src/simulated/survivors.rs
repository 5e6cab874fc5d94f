//! What a crash may leave.

use std::collections::BTreeMap;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::log::{Entry, Fate, Log, NodeId, Write};
use super::{Disk, Node};

/// The states that [`Simulated::survivors`](super::Simulated::survivors) speaks of.
pub(super) fn survivors(disk: &Disk, at_most: usize) -> Vec<Disk> {
    // Another seed for another moment, and the same one for the same.
    let mut random = SmallRng::seed_from_u64(disk.operations);
    let folders: Vec<_> = (0..=disk.folder.undecided())
        .map(|kept| names(&disk.folder, |number| number < kept))
        .collect();
    let count = |folder: &Folder| {
        let states = folder.values().map(|node| Cut::all(disk, *node).len());
        states.fold(1_usize, usize::saturating_mul)
    };
    let in_order = folders.iter().map(count).fold(0, usize::saturating_add);
    let mut states = Vec::new();
    if in_order <= at_most {
        for folder in &folders {
            every(disk, folder, &mut states);
        }
    } else {
        // Nothing, and everything.
        states.extend(folders.first().map(|folder| state(disk, folder, |_, cuts| cuts[0])));
        let last = folders.last();
        states.extend(last.map(|folder| state(disk, folder, |_, cuts| cuts[cuts.len() - 1])));
        while states.len() < at_most {
            let folder = &folders[random.random_range(0..folders.len())];
            let cut = |_, cuts: &[Cut]| cuts[random.random_range(0..cuts.len())];
            states.push(state(disk, folder, cut));
        }
    }
    let undecided =
        disk.folder.undecided() + disk.nodes.iter().map(|n| n.log.undecided()).sum::<usize>();
    if undecided > 0 {
        for _ in 0..at_most.div_ceil(2) {
            states.push(out_of_order(disk, &mut random));
        }
    }
    states
}

type Folder = BTreeMap<String, NodeId>;

/// How much of what was written to a file survives.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// So many writes as a whole.
    whole: usize,
    /// So many octets of the next.
    octets: usize,
}

impl Cut {
    /// The first part of the writes, to a whole write or within one: at its first and last octet,
    /// in its middle, and where a header may end.
    fn all(disk: &Disk, node: NodeId) -> Vec<Self> {
        let mut cuts = Vec::new();
        let log = &disk.nodes[node].log;
        log.survivors(|whole, write| {
            cuts.push(Self { whole, octets: 0 });
            if let Write::Octets(_, octets) = write {
                let mut within = vec![1, 80, 512, octets.len() / 2, octets.len().saturating_sub(1)];
                within.retain(|cut| (1..octets.len()).contains(cut));
                within.sort_unstable();
                within.dedup();
                cuts.extend(within.into_iter().map(|octets| Self { whole, octets }));
            }
            Vec::new()
        });
        cuts.push(Self { whole: log.undecided(), octets: 0 });
        cuts
    }

    fn content(self, log: &Log<Write>) -> Vec<u8> {
        content(log, |number, write| match number.cmp(&self.whole) {
            std::cmp::Ordering::Less => vec![write.clone()],
            std::cmp::Ordering::Equal if self.octets > 0 => vec![write.first(self.octets)],
            _ => Vec::new(),
        })
    }
}

fn names(folder: &Log<Entry>, mut survives: impl FnMut(usize) -> bool) -> Folder {
    let mut names = Folder::new();
    let survives = |number, entry: &Entry| survives(number).then(|| entry.clone());
    let mut survives = survives;
    for entry in folder.survivors(|number, entry| survives(number, entry).into_iter().collect()) {
        entry.apply(&mut names);
    }
    names
}

fn content(log: &Log<Write>, survives: impl FnMut(usize, &Write) -> Vec<Write>) -> Vec<u8> {
    let mut content = Vec::new();
    for write in log.survivors(survives) {
        write.apply(&mut content);
    }
    content
}

/// Every state with this folder.
fn every(disk: &Disk, folder: &Folder, states: &mut Vec<Disk>) {
    let cuts: Vec<usize> = folder.values().map(|node| Cut::all(disk, *node).len()).collect();
    let count: usize = cuts.iter().product();
    for number in 0..count {
        // The state's number, digit by digit.
        let mut rest = number;
        states.push(state(disk, folder, |_, cuts| {
            let cut = cuts[rest % cuts.len()];
            rest /= cuts.len();
            cut
        }));
    }
}

/// The state with this folder and, of each file, what `choose` says.
fn state(disk: &Disk, folder: &Folder, mut choose: impl FnMut(NodeId, &[Cut]) -> Cut) -> Disk {
    build(folder, |node| choose(node, &Cut::all(disk, node)).content(&disk.nodes[node].log))
}

/// A state in which of everything undecided anything may have survived.
fn out_of_order(disk: &Disk, random: &mut SmallRng) -> Disk {
    let folder = names(&disk.folder, |_| random.random());
    build(&folder, |node| {
        content(&disk.nodes[node].log, |_, write| {
            let sectors = write.sectors().into_iter();
            match random.random_range(0..4) {
                0 => Vec::new(),
                1 => sectors.collect(),
                _ => sectors.filter(|_| random.random()).collect(),
            }
        })
    })
}

fn build(folder: &Folder, mut content: impl FnMut(NodeId) -> Vec<u8>) -> Disk {
    let mut disk = Disk::default();
    for (number, (name, node)) in folder.iter().enumerate() {
        disk.nodes.push(Node::durable(content(*node)));
        disk.names.insert(name.clone(), number);
        disk.folder.push(Entry::set(name, number), Fate::Durable);
    }
    disk
}

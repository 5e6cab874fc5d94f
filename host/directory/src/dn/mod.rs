//! Distinguished names (RFC 4514): parsed, compared and written.

mod parse;
mod write;

use std::fmt;

use crate::attribute::AttributeName;
use crate::fold::fold;
use crate::query::{Misfit, Problem};

/// The most components of a name, joined ones counted singly.
pub const MAX_COMPONENTS: usize = 256;

/// A distinguished name: components from the entry itself up to the root. The empty one is the root.
///
/// Two are compared with case ignored and insignificant spaces left out, in attributes as in
/// values. That can take two names for one where a directory matches case, but never lets a name
/// outside a base pass for one below it in a directory that ignores case.
#[derive(Clone, Debug)]
pub struct Dn {
    rdns: Vec<Rdn>,
    /// The components in their compared form, the root's first, so that the key of a name starts
    /// with the key of each name above it, and sorting by key puts a name before those below it.
    key: Vec<u8>,
}

/// One component: one attribute with its value, or several joined by `+`.
#[derive(Clone, Debug)]
pub(crate) struct Rdn(pub(crate) Vec<Ava>);

/// An attribute with its value.
#[derive(Clone, Debug)]
pub(crate) struct Ava {
    pub(crate) attribute: AttributeName,
    pub(crate) value: AvaValue,
}

/// A value in a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AvaValue {
    /// Written as text: the octets of its string form.
    Text(Vec<u8>),
    /// Written as `#` and hexadecimal digits: BER, compared octet by octet.
    Ber(Vec<u8>),
}

/// Why some text is no distinguished name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnError {
    /// The octet at which the problem was found.
    pub position: usize,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for DnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at octet {}: {}", self.position, self.problem)
    }
}

impl std::error::Error for DnError {}

impl From<Misfit> for DnError {
    fn from(Misfit { position, problem }: Misfit) -> Self {
        Self { position, problem }
    }
}

// The signs that part a key. In values and names they are escaped by `ESCAPE`.
const END_OF_RDN: u8 = 0;
const NEXT_AVA: u8 = 1;
const END_OF_TYPE: u8 = 2;
const ESCAPE: u8 = 3;

impl Dn {
    pub(crate) fn new(rdns: Vec<Rdn>) -> Self {
        let mut key = Vec::with_capacity(64);
        for rdn in rdns.iter().rev() {
            rdn.append_key(&mut key);
        }
        Self { rdns, key }
    }

    /// The name of the root: no component.
    pub fn root() -> Self {
        Self::new(Vec::new())
    }

    pub(crate) fn rdns(&self) -> &[Rdn] {
        &self.rdns
    }

    /// The form in which names are compared and sorted.
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    /// How many components this name has more than `ancestor`, if it is that name or below it.
    pub(crate) fn depth_below(&self, ancestor: &Self) -> Option<usize> {
        let below = self.key.starts_with(&ancestor.key);
        if below { self.rdns.len().checked_sub(ancestor.rdns.len()) } else { None }
    }

    /// The name without its `components` first components.
    pub(crate) fn ancestor(&self, components: usize) -> Self {
        Self::new(self.rdns.get(components..).unwrap_or_default().to_vec())
    }

    /// Whether this name is `other` or below it.
    pub fn is_at_or_below(&self, other: &Self) -> bool {
        self.depth_below(other).is_some()
    }
}

/// Whether both name the same entry, however they are written.
impl PartialEq for Dn {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Dn {}

impl Rdn {
    /// Appends the key of this component. The order of joined attributes does not count.
    fn append_key(&self, key: &mut Vec<u8>) {
        if let [ava] = self.0.as_slice() {
            ava.append_key(key);
        } else {
            let mut avas: Vec<Vec<u8>> = self.0.iter().map(Ava::key).collect();
            avas.sort_unstable();
            key.extend_from_slice(&avas.join(&NEXT_AVA));
        }
        key.push(END_OF_RDN);
    }
}

impl Ava {
    fn key(&self) -> Vec<u8> {
        let mut key = Vec::new();
        self.append_key(&mut key);
        key
    }

    fn append_key(&self, key: &mut Vec<u8>) {
        key.extend_from_slice(self.attribute.key().as_bytes());
        key.push(END_OF_TYPE);
        match &self.value {
            AvaValue::Text(text) => append_escaped(key, &fold(text)),
            AvaValue::Ber(ber) => {
                // No folded text starts with a space.
                key.push(b' ');
                append_escaped(key, ber);
            }
        }
    }
}

fn append_escaped(key: &mut Vec<u8>, octets: &[u8]) {
    for b in octets {
        if *b <= ESCAPE {
            key.extend_from_slice(&[ESCAPE, b'0' + b]);
        } else {
            key.push(*b);
        }
    }
}

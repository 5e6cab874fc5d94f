//! Whether an entry fits a filter: three-valued, as RFC 4511 section 4.5.1.7 has it.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::store::{NameId, Store, StoredEntry, TypeId};
use crate::Dn;
use crate::attribute::AttributeName;
use crate::dn::{Ava, AvaValue};
use crate::filter::{Extensible, Filter, Test};
use crate::fold::{fold, fold_part, folds_to};

/// What a filter says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    True,
    False,
    /// The directory cannot tell. To the asker that is no match, negated or not.
    Undefined,
}

impl From<bool> for Truth {
    fn from(yes: bool) -> Self {
        if yes { Self::True } else { Self::False }
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Undefined => Self::Undefined,
        }
    }
}

/// A filter prepared for one directory: names looked up, values folded, each once.
pub(super) enum Node<'s, 'q> {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    /// The same for every entry.
    Fixed(Truth),
    Item(Item<'s, 'q>),
}

/// A test of one attribute that some entry has.
pub(super) struct Item<'s, 'q> {
    attribute: &'q AttributeName,
    /// The names under which entries have it.
    names: Cow<'s, [NameId]>,
    /// `None` where no entry has it, but a name may.
    pub(super) type_id: Option<TypeId>,
    pub(super) check: Check<'q>,
    /// Whether the attributes of the entry's name are tested too.
    pub(super) dn: bool,
}

/// What is asked of a value.
pub(super) enum Check<'q> {
    Present,
    /// Folded.
    Equal(Vec<u8>),
    /// Octet by octet, after the folded value led there.
    Exact {
        value: &'q [u8],
        folded: Vec<u8>,
    },
    /// Folded.
    Substrings {
        initial: Vec<u8>,
        any: Vec<Vec<u8>>,
        last: Vec<u8>,
    },
    /// Not before, or not behind.
    Ordered {
        bound: &'q [u8],
        unwanted: Ordering,
    },
}

impl<'s, 'q> Node<'s, 'q> {
    pub(super) fn new(store: &'s Store, filter: &'q Filter) -> Self {
        let list = |filters: &'q [Filter]| filters.iter().map(|f| Self::new(store, f)).collect();
        match filter {
            Filter::And(filters) => Self::And(list(filters)),
            Filter::Or(filters) => Self::Or(list(filters)),
            Filter::Not(filter) => Self::Not(Box::new(Self::new(store, filter))),
            Filter::Item(attribute, test) => {
                Self::item(store, attribute, Some(Check::new(test)), false)
            }
            Filter::Extensible(extensible) => Self::extensible(store, extensible),
        }
    }

    fn item(
        store: &'s Store,
        attribute: &'q AttributeName,
        check: Option<Check<'q>>,
        dn: bool,
    ) -> Self {
        let type_id = store.type_id(attribute.key());
        match check {
            Some(check) if type_id.is_some() || dn => {
                Self::Item(Item { attribute, names: store.selected(attribute), type_id, check, dn })
            }
            Some(_) if store.recognises(attribute.key()) => Self::Fixed(Truth::False),
            _ => Self::Fixed(Truth::Undefined),
        }
    }

    /// The rules of caseIgnoreMatch and caseExactMatch; a match by another rule, or of every
    /// attribute, is beyond this directory.
    fn extensible(store: &'s Store, extensible: &'q Extensible) -> Self {
        let Extensible { attribute: Some(attribute), dn, rule, value } = extensible else {
            return Self::Fixed(Truth::Undefined);
        };
        let is = |names: &[&str]| {
            rule.as_ref().is_some_and(|rule| names.iter().any(|n| rule.eq_ignore_ascii_case(n)))
        };
        let folded = fold(value);
        let check = if rule.is_none() || is(&["caseIgnoreMatch", "2.5.13.2", "caseIgnoreIA5Match"])
        {
            Some(Check::Equal(folded))
        } else if is(&["caseExactMatch", "2.5.13.5", "caseExactIA5Match", "octetStringMatch"]) {
            Some(Check::Exact { value, folded })
        } else {
            None
        };
        Self::item(store, attribute, check, *dn)
    }

    pub(super) fn evaluate(&self, entry: &StoredEntry) -> Truth {
        match self {
            // Stops at the first that decides; whatever is undefined decides only if none does.
            Self::And(nodes) => {
                let mut truth = Truth::True;
                for node in nodes {
                    match node.evaluate(entry) {
                        Truth::True => {}
                        Truth::False => return Truth::False,
                        Truth::Undefined => truth = Truth::Undefined,
                    }
                }
                truth
            }
            Self::Or(nodes) => {
                let mut truth = Truth::False;
                for node in nodes {
                    match node.evaluate(entry) {
                        Truth::True => return Truth::True,
                        Truth::False => {}
                        Truth::Undefined => truth = Truth::Undefined,
                    }
                }
                truth
            }
            Self::Not(node) => !node.evaluate(entry),
            Self::Fixed(truth) => *truth,
            Self::Item(item) => item.evaluate(entry),
        }
    }
}

impl Item<'_, '_> {
    fn evaluate(&self, entry: &StoredEntry) -> Truth {
        let mut truth = Truth::False;
        for value in entry.values(&self.names) {
            match self.check.evaluate(value) {
                Truth::True => return Truth::True,
                Truth::False => {}
                Truth::Undefined => truth = Truth::Undefined,
            }
        }
        if self.dn && self.matches_name(entry) { Truth::True } else { truth }
    }

    fn matches_name(&self, entry: &StoredEntry) -> bool {
        let Ok(name) = Dn::parse(entry.dn()) else { return false };
        name.rdns().iter().flat_map(|rdn| &rdn.0).any(|Ava { attribute, value }| {
            let AvaValue::Text(text) = value else { return false };
            self.attribute.selects(attribute) && self.check.evaluate(text) == Truth::True
        })
    }
}

impl<'q> Check<'q> {
    fn new(test: &'q Test) -> Self {
        match test {
            Test::Present => Self::Present,
            Test::Equal(value) | Test::Approximate(value) => Self::Equal(fold(value)),
            Test::Substrings { initial, any, last } => Self::Substrings {
                initial: fold_edge(initial, true),
                any: any.iter().map(|part| fold_part(part)).collect(),
                last: fold_edge(last, false),
            },
            Test::AtLeast(bound) => Self::Ordered { bound, unwanted: Ordering::Less },
            Test::AtMost(bound) => Self::Ordered { bound, unwanted: Ordering::Greater },
        }
    }

    fn evaluate(&self, value: &[u8]) -> Truth {
        match self {
            Self::Present => Truth::True,
            Self::Equal(folded) => folds_to(value, folded).into(),
            Self::Exact { value: exact, .. } => (value == *exact).into(),
            Self::Substrings { initial, any, last } => {
                has_parts(&fold(value), initial, any, last).into()
            }
            Self::Ordered { bound, unwanted } => match compare(value, bound) {
                Some(order) => (order != *unwanted).into(),
                None => Truth::Undefined,
            },
        }
    }
}

/// Folds the first or the last part: the space at the value's own edge does not count, unless the
/// part is nothing else.
fn fold_edge(part: &[u8], first: bool) -> Vec<u8> {
    let mut folded = fold_part(part);
    if folded.len() > 1 {
        match first {
            true if folded.starts_with(b" ") => drop(folded.remove(0)),
            false if folded.ends_with(b" ") => drop(folded.pop()),
            _ => {}
        }
    }
    folded
}

fn has_parts(value: &[u8], initial: &[u8], any: &[Vec<u8>], last: &[u8]) -> bool {
    let Some(mut rest) = value.strip_prefix(initial) else { return false };
    for part in any {
        let Some(at) = rest.windows(part.len().max(1)).position(|window| window == part) else {
            return false;
        };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

/// Compares two values of which an order is known: two integers, or two times in the same form
/// (RFC 4517 sections 3.3.16 and 3.3.13).
fn compare(value: &[u8], bound: &[u8]) -> Option<Ordering> {
    let integer = |octets: &[u8]| std::str::from_utf8(octets).ok()?.parse::<i128>().ok();
    if let (Some(value), Some(bound)) = (integer(value), integer(bound)) {
        return Some(value.cmp(&bound));
    }
    let is_time = |octets: &[u8]| {
        octets.strip_suffix(b"Z").is_some_and(|digits| {
            (10..=14).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
        })
    };
    let times = is_time(value) && is_time(bound) && value.len() == bound.len();
    times.then(|| value.cmp(bound))
}

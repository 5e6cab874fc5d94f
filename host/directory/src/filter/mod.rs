//! Search filters: the tree of RFC 4511 section 4.5.1.7 and its text form, RFC 4515.

mod parse;
mod write;

use crate::attribute::AttributeName;

/// A filter whose values are octets, as they go to the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// True where all are; the empty one is true (RFC 4526).
    And(Vec<Self>),
    /// True where any is; the empty one is false (RFC 4526).
    Or(Vec<Self>),
    /// True where the other is false.
    Not(Box<Self>),
    /// A test of one attribute.
    Item(AttributeName, Test),
    /// A match by a rule of its own choice.
    Extensible(Extensible),
}

/// What is asked of an attribute's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    /// There is one.
    Present,
    /// One equals this.
    Equal(Vec<u8>),
    /// One starts with, holds in this order, and ends with these; an empty start or end asks
    /// nothing, a part in the middle is never empty.
    Substrings { initial: Vec<u8>, any: Vec<Vec<u8>>, last: Vec<u8> },
    /// One is not before this.
    AtLeast(Vec<u8>),
    /// One is not behind this.
    AtMost(Vec<u8>),
    /// One is nearly this.
    Approximate(Vec<u8>),
}

/// An extensible match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extensible {
    /// Without one, every attribute that the rule can be applied to is tested.
    pub(crate) attribute: Option<AttributeName>,
    /// Whether the attributes of the entry's name are tested too.
    pub(crate) dn: bool,
    /// The matching rule; without one, the attribute's equality rule.
    pub(crate) rule: Option<Box<str>>,
    /// What is matched.
    pub(crate) value: Vec<u8>,
}

use std::fmt;

use thiserror::Error;

/// Which part of a query is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// [`Query::base`](crate::Query::base).
    Base,
    /// [`Query::filter`](crate::Query::filter).
    Filter,
    /// [`Query::parameters`](crate::Query::parameters); the position counts parameters.
    Parameters,
    /// [`Query::attributes`](crate::Query::attributes); the position counts attributes.
    Attributes,
    /// [`Query::size_limit`](crate::Query::size_limit).
    SizeLimit,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base => "base",
            Self::Filter => "filter",
            Self::Parameters => "parameters",
            Self::Attributes => "attributes",
            Self::SizeLimit => "size limit",
        })
    }
}

/// Why a query cannot be bound. No parameter's value is ever part of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindError {
    /// Where.
    pub part: Part,
    /// The octet in the base or filter, or the index of the parameter or attribute, from 0.
    pub position: usize,
    /// What.
    pub problem: Problem,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, position, problem } = self;
        match part {
            Part::Base | Part::Filter => write!(f, "{part}, at octet {position}: {problem}"),
            Part::Parameters | Part::Attributes => {
                write!(f, "{part}, number {position}: {problem}")
            }
            Part::SizeLimit => write!(f, "{part}: {problem}"),
        }
    }
}

impl std::error::Error for BindError {}

/// What is wrong with a filter, a distinguished name or a list of attributes.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Problem {
    /// A filter, or a part of one, does not start with `(`.
    #[error("a filter starts with `(`")]
    Open,
    /// A filter, or a part of one, is not closed.
    #[error("`)` is missing")]
    Close,
    /// Something follows the end.
    #[error("nothing may follow here")]
    Trailing,
    /// Neither a name nor an OID, with or without options.
    #[error("this is no attribute: a name or an OID, with or without `;options`, is")]
    Attribute,
    /// A filter's attribute is followed by no comparison.
    #[error("one of `=`, `~=`, `>=`, `<=` and `:=` is missing")]
    Comparison,
    /// Neither a matching rule's name nor its OID.
    #[error("this is no matching rule")]
    Rule,
    /// An extensible match without attribute and without rule (RFC 4515 section 3).
    #[error("an extensible match needs an attribute or a rule")]
    NoRule,
    /// A character that must be escaped, with how.
    #[error("this character must be written as \\{0:02x}")]
    Character(u8),
    /// A backslash that starts no escape.
    #[error("`\\` needs two hexadecimal digits behind it")]
    Escape,
    /// A `{` that starts no placeholder.
    #[error(
        "this is no placeholder: `{{0}}`, `{{1}}` … are; a brace itself is written as \\7b or \\7d"
    )]
    Placeholder,
    /// A placeholder in place of an attribute, a rule, a comparison or a whole filter.
    #[error("a placeholder stands in a value and nowhere else")]
    PlaceholderPlace,
    /// A placeholder for which there is no parameter.
    #[error("there is no parameter {0}")]
    NoParameter(usize),
    /// A parameter that no placeholder takes.
    #[error("no placeholder takes this parameter")]
    Unused,
    /// An empty part of a substring assertion: literally, or since a parameter is empty. It would
    /// turn `(mail={0}*)` into a filter that matches everybody.
    #[error("a part between asterisks is empty")]
    EmptyPart,
    /// Filters nested too deep.
    #[error("more than {} filters inside each other", crate::query::MAX_DEPTH)]
    TooDeep,
    /// Too many of something.
    #[error("too many: {0} are allowed")]
    TooMany(usize),
    /// Too many octets.
    #[error("too long: {0} octets are allowed")]
    TooLong(usize),
    /// A relative distinguished name without `=`.
    #[error("`=` is missing")]
    Equals,
    /// A relative distinguished name without value.
    #[error("a value is missing")]
    EmptyValue,
    /// A `#` value that is not pairs of hexadecimal digits.
    #[error("a value that starts with `#` is written in pairs of hexadecimal digits")]
    Hexadecimal,
    /// A base outside the directory's own; with the latter.
    #[error("not at or below the directory's base {0:?}")]
    Outside(String),
    /// A size limit of zero.
    #[error("the size limit is zero")]
    ZeroSizeLimit,
}

/// A problem and the octet at which it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    pub(crate) position: usize,
    pub(crate) problem: Problem,
}

impl Misfit {
    pub(crate) fn new(position: usize, problem: Problem) -> Self {
        Self { position, problem }
    }

    /// The error of the whole query.
    pub(crate) fn within(self, part: Part) -> BindError {
        BindError { part, position: self.position, problem: self.problem }
    }
}

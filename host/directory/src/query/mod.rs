//! Bound queries: a plugin's base and filter with their parameters put in place, each checked for
//! where it stands. A parameter fills a value and can never become anything else.

mod bindings;
mod problem;
#[cfg(test)]
mod tests;

pub(crate) use bindings::Bindings;
pub use bindings::MAX_PARAMETERS;
pub(crate) use problem::Misfit;
pub use problem::{BindError, Part, Problem};

use crate::Dn;
use crate::attribute::AttributeName;
use crate::filter::Filter;

/// The longest base or filter, in octets, before and after the parameters are put in.
pub const MAX_TEXT: usize = 16 * 1024;
/// The longest parameter, in octets.
pub const MAX_PARAMETER: usize = 4 * 1024;
/// How deep filters may be nested.
pub const MAX_DEPTH: usize = 16;
/// The most filters in one filter, and the most parts in one substring assertion.
pub const MAX_FILTERS: usize = 256;
/// The most attributes that a query may ask for.
pub const MAX_ATTRIBUTES: usize = 64;

/// How far below its base a search reaches (RFC 4511 section 4.5.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The base entry alone.
    Base,
    /// The entries directly below it.
    OneLevel,
    /// The base entry and everything below it.
    Subtree,
}

/// A search as a plugin gave it. In `base` and `filter`, `{0}`, `{1}` … stand for the parameters.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// A distinguished name (RFC 4514) at or below the directory's base; placeholders may stand
    /// in the values of its attributes.
    pub base: &'a str,
    /// How far below the base.
    pub scope: Scope,
    /// A filter (RFC 4515); placeholders may stand in assertion values, parts of substrings
    /// included. White space between filters is skipped.
    pub filter: &'a str,
    /// The parameters: any octets. Each must be used.
    pub parameters: &'a [Vec<u8>],
    /// The attributes to return; none returns distinguished names only.
    pub attributes: &'a [String],
    /// More entries than this make the page incomplete; not zero.
    pub size_limit: u32,
}

/// A query whose base and filter were parsed and whose parameters stand in their places. It can be
/// serialised, but no parameter can have changed its shape.
#[derive(Clone, Debug)]
pub struct BoundQuery {
    pub(crate) base: Dn,
    /// How many of the base's components, from the left, are not the directory's own.
    pub(crate) below: usize,
    pub(crate) scope: Scope,
    pub(crate) filter: Filter,
    pub(crate) attributes: Vec<AttributeName>,
    pub(crate) size_limit: u32,
}

impl BoundQuery {
    /// Binds a query for a directory whose base is `base`.
    ///
    /// # Errors
    /// Whatever is malformed, with its place; too much of anything; a base that is not at or below
    /// the directory's.
    pub fn bind(query: &Query<'_>, base: &Dn) -> Result<Self, BindError> {
        check_parameters(query.parameters)?;
        if query.size_limit == 0 {
            return Err(Misfit::new(0, Problem::ZeroSizeLimit).within(Part::SizeLimit));
        }
        let mut bindings = Bindings::new(query.parameters);
        let bound_base =
            Dn::bind(query.base, &mut bindings).map_err(|misfit| misfit.within(Part::Base))?;
        let filter = Filter::bind(query.filter, &mut bindings)
            .map_err(|misfit| misfit.within(Part::Filter))?;
        if let Some(index) = bindings.unused() {
            return Err(Misfit::new(index, Problem::Unused).within(Part::Parameters));
        }
        let Some(below) = bound_base.depth_below(base) else {
            return Err(Misfit::new(0, Problem::Outside(base.to_string())).within(Part::Base));
        };
        Ok(Self {
            base: bound_base,
            below,
            scope: query.scope,
            filter,
            attributes: bind_attributes(query.attributes)?,
            size_limit: query.size_limit,
        })
    }

    /// The base, escaped by RFC 4514, in ASCII.
    pub fn base_string(&self) -> String {
        self.base.to_string()
    }

    /// The filter, escaped by RFC 4515, in ASCII.
    pub fn filter_string(&self) -> String {
        self.filter.to_string()
    }

    /// How far below the base.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// The attributes asked for, as the query spelt them.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(AttributeName::spelt)
    }

    /// More entries than this make the page incomplete.
    pub fn size_limit(&self) -> u32 {
        self.size_limit
    }
}

fn check_parameters(parameters: &[Vec<u8>]) -> Result<(), BindError> {
    let refuse = |index, problem| Err(Misfit::new(index, problem).within(Part::Parameters));
    if parameters.len() > MAX_PARAMETERS {
        return refuse(MAX_PARAMETERS, Problem::TooMany(MAX_PARAMETERS));
    }
    match parameters.iter().position(|parameter| parameter.len() > MAX_PARAMETER) {
        Some(index) => refuse(index, Problem::TooLong(MAX_PARAMETER)),
        None => Ok(()),
    }
}

fn bind_attributes(attributes: &[String]) -> Result<Vec<AttributeName>, BindError> {
    let refuse = |index, problem| Misfit::new(index, problem).within(Part::Attributes);
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(refuse(MAX_ATTRIBUTES, Problem::TooMany(MAX_ATTRIBUTES)));
    }
    let parse = |(index, text): (usize, &String)| {
        AttributeName::parse(text).ok_or_else(|| refuse(index, Problem::Attribute))
    };
    attributes.iter().enumerate().map(parse).collect()
}

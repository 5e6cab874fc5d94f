//! From the LDAP client's elements to entries: checked at each step, since they come from outside.

use ldap3::asn1::{PL, StructureTag};

use crate::attribute::AttributeName;
use crate::{Entry, SearchError};

/// Reads a `SearchResultEntry` (RFC 4511 section 4.5.2) as the query sees it: each attribute asked
/// for, under the name that asked for it, and nothing else.
pub(super) fn read(tag: StructureTag, asked: &[AttributeName]) -> Result<Entry, SearchError> {
    parse(tag, asked)
        .ok_or_else(|| SearchError::Other("the server sent a malformed entry".to_owned()))
}

fn parse(tag: StructureTag, asked: &[AttributeName]) -> Option<Entry> {
    let [dn, attributes] = <[_; 2]>::try_from(elements(tag)?).ok()?;
    let dn = String::from_utf8(octets(dn)?).ok()?;
    let mut returned = Vec::new();
    for attribute in elements(attributes)? {
        let [name, values] = <[_; 2]>::try_from(elements(attribute)?).ok()?;
        let name = String::from_utf8(octets(name)?).ok()?;
        let values: Vec<Vec<u8>> =
            elements(values)?.into_iter().map(octets).collect::<Option<_>>()?;
        // A name that is no attribute is none that was asked for.
        if let Some(name) = AttributeName::parse(&name) {
            returned.push((name, values));
        }
    }
    let mut attributes = Vec::with_capacity(asked.len());
    for name in asked {
        let selected = returned.iter().filter(|(returned, _)| name.selects(returned));
        let values: Vec<Vec<u8>> = selected.flat_map(|(_, values)| values).cloned().collect();
        if !values.is_empty() {
            attributes.push((name.spelt().to_owned(), values));
        }
    }
    Some(Entry { dn, attributes })
}

fn elements(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(elements) => Some(elements),
        PL::P(_) => None,
    }
}

fn octets(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(octets) => Some(octets),
        PL::C(_) => None,
    }
}

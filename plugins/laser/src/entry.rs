use waypost_sdk::{AttributeName, Entry, Failure, HostError, HostList, Page};

use crate::address::RoutingAddress;

/// How many entries a search asks for: enough to tell the operator what is ambiguous, few enough
/// that a filter that matches everybody costs little.
pub const MOST_ENTRIES: u32 = 16;

/// How much of a value stands in a message, in characters.
const MOST_TEXT: usize = 200;

/// Where the two values of an entry are.
#[derive(Debug)]
pub(crate) struct Fields {
    pub(crate) host: AttributeName,
    pub(crate) address: AttributeName,
}

/// What an entry says: at least one of the two.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// Who says it.
    pub(crate) dn: String,
    pub(crate) host: Option<HostList>,
    pub(crate) address: Option<RoutingAddress>,
}

impl Fields {
    /// What the entries of a page say; `None` where none says anything.
    pub(crate) fn read(&self, page: &Page) -> Result<Option<Said>, Failure> {
        if !page.complete {
            return Err(Failure::BadData(format!(
                "more entries match than came ({}): whether all say the same cannot be told",
                page.entries.len()
            )));
        }
        let mut said: Vec<Said> = Vec::new();
        for entry in &page.entries {
            let host = only(self.values(entry, &self.host, parse_hosts)?)?;
            let address = only(self.values(entry, &self.address, parse_address)?)?;
            let is_known = said.iter().any(|said| said.host == host && said.address == address);
            if (host.is_some() || address.is_some()) && !is_known {
                said.push(Said { dn: entry.dn.clone(), host, address });
            }
        }
        only(said)
    }

    /// The distinct values of an attribute.
    fn values<T: PartialEq>(
        &self,
        entry: &Entry,
        field: &AttributeName,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Failure> {
        let named = |attribute: &&waypost_sdk::Attribute| {
            attribute.name.eq_ignore_ascii_case(field.as_str())
        };
        let mut values = Vec::new();
        for octets in entry.attributes.iter().filter(named).flat_map(|named| &named.values) {
            let text = std::str::from_utf8(octets).map_err(|_| "this is not UTF-8".to_owned());
            let value = text.and_then(&parse).map_err(|reason| {
                let value = cut(&String::from_utf8_lossy(octets));
                Failure::BadData(format!("{}: {field} {value:?}: {reason}", entry.dn))
            })?;
            if !values.contains(&value) {
                values.push(value);
            }
        }
        Ok(values)
    }
}

/// The one, none, or the failure that there are several.
fn only<T>(mut values: Vec<T>) -> Result<Option<T>, Failure> {
    match values.len() {
        0 | 1 => Ok(values.pop()),
        several => Err(Failure::Ambiguous(several.try_into().unwrap_or(u32::MAX))),
    }
}

fn parse_hosts(text: &str) -> Result<HostList, String> {
    text.parse().map_err(|error: HostError| error.to_string())
}

fn parse_address(text: &str) -> Result<RoutingAddress, String> {
    RoutingAddress::parse(text).ok_or_else(|| "this is no address".into())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into(),
    }
}

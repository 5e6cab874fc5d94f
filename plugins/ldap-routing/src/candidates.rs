use waypost_sdk::{Entry, Failure, HostList, Page};

/// How many entries a search asks for: enough to tell the operator what is ambiguous, few enough
/// that a filter that matches everybody costs little.
pub const MOST_ENTRIES: u32 = 16;

/// How much of a value or of a list of hosts stands in a message, in characters.
const MOST_TEXT: usize = 200;

/// What a search brought.
#[derive(Debug)]
pub(crate) enum Found {
    /// The one host list, who names it, and what the operator should hear about the choice.
    Hosts(HostList, Named, Option<String>),
    /// An entry that puts everybody off; why.
    Deferred(String),
    /// No entry.
    NoEntry,
    /// Entries without a host.
    NoHost(Named),
}

/// The entry that a choice fell on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// Its distinguished name.
    pub(crate) dn: String,
    /// How many entries are the user's, this one included.
    pub(crate) of: usize,
}

/// Chooses among what the entries of `page` name in `host_field`.
pub(crate) fn choose(page: &Page, host_field: &str, use_first: bool) -> Result<Found, Failure> {
    let candidates = candidates(&page.entries, host_field)?;
    let seen = page.entries.len();
    match candidates.as_slice() {
        [] if !page.complete => Err(Failure::BadData(format!(
            "more entries match than came ({seen}), and none of these has {host_field}"
        ))),
        [] => Ok(match page.entries.first() {
            Some(entry) => Found::NoHost(Named { dn: entry.dn.clone(), of: seen }),
            None => Found::NoEntry,
        }),
        [only] if page.complete => Ok(found(only, seen, None)),
        [_] if !use_first => Err(Failure::BadData(format!(
            "more entries match than came ({seen}): whether all name one host cannot be told"
        ))),
        [first] => {
            let warning = format!("more entries match than came ({seen}): took {}", first.hosts);
            Ok(found(first, seen, Some(warning)))
        }
        [first, ..] if use_first => {
            let all: Vec<_> = candidates.iter().map(|it| it.hosts.to_string()).collect();
            let all = cut(&all.join(" and "));
            let warning =
                format!("the directory names different hosts, {all}: took {}", first.hosts);
            Ok(found(first, seen, Some(warning)))
        }
        several => Err(Failure::Ambiguous(several.len().try_into().unwrap_or(u32::MAX))),
    }
}

fn found(candidate: &Candidate, of: usize, warning: Option<String>) -> Found {
    let named = Named { dn: candidate.dn.clone(), of };
    Found::Hosts(candidate.hosts.clone(), named, warning)
}

/// A distinct host list, and the first entry that has it.
struct Candidate {
    hosts: HostList,
    dn: String,
}

/// The distinct host lists, in the order in which the directory gave them.
fn candidates(entries: &[Entry], host_field: &str) -> Result<Vec<Candidate>, Failure> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for entry in entries {
        let named = entry.attributes.iter().filter(|a| a.name.eq_ignore_ascii_case(host_field));
        for value in named.flat_map(|attribute| &attribute.values) {
            let hosts = parse(value).map_err(|error| {
                let value = cut(&String::from_utf8_lossy(value));
                Failure::BadData(format!("{}: {host_field} {value:?}: {error}", entry.dn))
            })?;
            if !candidates.iter().any(|known| known.hosts == hosts) {
                candidates.push(Candidate { hosts, dn: entry.dn.clone() });
            }
        }
    }
    Ok(candidates)
}

fn parse(value: &[u8]) -> Result<HostList, String> {
    let text = std::str::from_utf8(value).map_err(|_| "this is not UTF-8")?;
    text.parse().map_err(|error: waypost_sdk::HostError| error.to_string())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into(),
    }
}

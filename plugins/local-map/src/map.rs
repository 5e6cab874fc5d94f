use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use waypost_sdk::{Delimiter, HostError, HostList, Lookup, Problems};

use crate::line::{self, Line, Who};
use crate::pattern::Pattern;

/// The most expressions in a list.
pub const MOST_PATTERNS: usize = 1000;
/// The most problems that are told.
const MOST_PROBLEMS: usize = 64;

/// The list, ready to be asked.
#[derive(Debug)]
pub(crate) struct Map {
    /// By address, in lower case unless case matters.
    addresses: HashMap<Box<str>, Entry>,
    patterns: Vec<Pattern>,
    /// Each list of hosts once, however many entries name it.
    hosts: Vec<HostList>,
    is_case_sensitive: bool,
}

#[derive(Debug)]
struct Entry {
    /// Where in `hosts`.
    hosts: usize,
    identity: Option<Box<str>>,
    line: usize,
}

impl Map {
    /// Reads the list.
    pub(crate) fn read(text: &str, is_case_sensitive: bool) -> Result<Self, Problems> {
        let mut reader = Reader {
            map: Self {
                addresses: HashMap::with_capacity(text.lines().count()),
                patterns: Vec::new(),
                hosts: Vec::new(),
                is_case_sensitive,
            },
            known: HashMap::new(),
        };
        let mut problems = Problems::new();
        let mut found = 0;
        for (number, line) in (1..).zip(text.lines()) {
            let added = line::parse(line)
                .and_then(|line| line.map_or(Ok(()), |line| reader.add(number, &line)));
            if let Err(problem) = added {
                problems.add("/map", format!("line {number}: {problem}"));
                found += 1;
            }
            if found == MOST_PROBLEMS {
                break;
            }
        }
        problems.or(reader.map)
    }

    /// Where the mailbox of an address lives and the name to pass on, where it is another.
    pub(crate) fn find(
        &self,
        lookup: &Lookup,
        delimiter: Delimiter,
    ) -> Option<(HostList, Option<String>)> {
        let Lookup { address, local_part, domain, .. } = lookup;
        let whole = || self.address(local_part, domain);
        let without_tag = || self.address(delimiter.split(local_part)?.0, domain);
        whole()
            .or_else(without_tag)
            .or_else(|| self.patterns.iter().find_map(|pattern| pattern.find(address)))
    }

    fn address(&self, local_part: &str, domain: &str) -> Option<(HostList, Option<String>)> {
        let entry = self.addresses.get(&*key(local_part, domain, self.is_case_sensitive))?;
        let hosts = self.hosts.get(entry.hosts)?.clone();
        Some((hosts, entry.identity.as_deref().map(Into::into)))
    }
}

/// A list while it is read.
struct Reader<'a> {
    map: Map,
    /// Where in `map.hosts` the hosts of a text are.
    known: HashMap<&'a str, usize>,
}

impl<'a> Reader<'a> {
    fn add(&mut self, number: usize, line: &Line<'a>) -> Result<(), String> {
        match line.who {
            Who::Pattern(expression) => {
                if self.map.patterns.len() == MOST_PATTERNS {
                    return Err(format!("more than {MOST_PATTERNS} patterns"));
                }
                let is_case_sensitive = self.map.is_case_sensitive;
                let pattern = Pattern::new(expression, is_case_sensitive, line.to, line.identity)?;
                self.map.patterns.push(pattern);
            }
            Who::Address { local_part, domain } => {
                let hosts = self.hosts(line.to)?;
                let identity = line.identity.map(Into::into);
                let key = key(local_part, domain, self.map.is_case_sensitive);
                match self.map.addresses.entry(key) {
                    Slot::Occupied(known) => {
                        let first = known.get().line;
                        return Err(format!("{} is listed on line {first} already", known.key()));
                    }
                    Slot::Vacant(slot) => {
                        slot.insert(Entry { hosts, identity, line: number });
                    }
                }
            }
        }
        Ok(())
    }

    /// Where in `map.hosts` the hosts are that `text` names.
    fn hosts(&mut self, text: &'a str) -> Result<usize, String> {
        if let Some(known) = self.known.get(text) {
            return Ok(*known);
        }
        let hosts = text.parse().map_err(|error: HostError| format!("{text:?}: {error}"))?;
        self.map.hosts.push(hosts);
        self.known.insert(text, self.map.hosts.len() - 1);
        Ok(self.map.hosts.len() - 1)
    }
}

/// How an address is kept. A domain's case never matters.
fn key(local_part: &str, domain: &str, is_case_sensitive: bool) -> Box<str> {
    let mut key = String::with_capacity(local_part.len() + 1 + domain.len());
    key.push_str(local_part);
    if !is_case_sensitive {
        key.make_ascii_lowercase();
    }
    key.push('@');
    key.extend(domain.chars().map(|c| c.to_ascii_lowercase()));
    key.into()
}

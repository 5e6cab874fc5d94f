use waypost_sdk::{Delimiter, Lookup, Subject};

/// How an address becomes the names that the directory is asked for.
#[derive(Debug)]
pub(crate) struct Names {
    /// Where a sub-address starts.
    pub(crate) delimiter: Delimiter,
    /// Whether `@domain` is asked for last.
    pub(crate) catch_all: bool,
    /// Whether `EXAMPLE\user` is `user`.
    pub(crate) windows_domains: bool,
    /// Alias → canonical domain, both in lower case, sorted.
    pub(crate) alias_domains: Vec<(String, String)>,
}

impl Names {
    /// Who is to be asked for, in order, until one is known.
    pub(crate) fn subjects(&self, lookup: &Lookup) -> Vec<Subject> {
        let domain = self.canonical(lookup).unwrap_or(&lookup.domain);
        let subject =
            |local_part: &str| Subject { local_part: local_part.into(), domain: domain.into() };
        let local_part = self.local_part(lookup);
        let mut subjects = vec![subject(local_part)];
        if let Some((user, _tag)) = self.delimiter.split(local_part) {
            subjects.push(subject(user));
        }
        if self.catch_all {
            subjects.push(subject(""));
        }
        subjects
    }

    /// The name to pass on, where it is not the client's.
    pub(crate) fn identity(&self, lookup: &Lookup) -> Option<String> {
        let (local_part, canonical) = (self.local_part(lookup), self.canonical(lookup));
        let changed = canonical.is_some() || local_part.len() != lookup.local_part.len();
        changed.then(|| format!("{local_part}@{}", canonical.unwrap_or(&lookup.domain)))
    }

    /// The local part without a Windows domain before it.
    fn local_part<'a>(&self, lookup: &'a Lookup) -> &'a str {
        match lookup.local_part.split_once('\\') {
            Some((_domain, user)) if self.windows_domains => user,
            _ => &lookup.local_part,
        }
    }

    fn canonical(&self, lookup: &Lookup) -> Option<&str> {
        let by_alias = |(alias, _): &(String, String)| alias.cmp(&lookup.domain);
        let index = self.alias_domains.binary_search_by(by_alias).ok()?;
        self.alias_domains.get(index).map(|(_, canonical)| canonical.as_str())
    }
}

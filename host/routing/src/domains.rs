use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;
use waypost_model::{Domain, DomainError, Lookup, Purpose};

/// Which domains an entry of the table serves, as written in `[domain."…"]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DomainPattern {
    /// `example.test`: this domain.
    Exactly(Domain),
    /// `*.example.test`: every domain below it, at any depth, not itself.
    Below(Domain),
    /// `*`: every domain that nothing else serves. It serves logins, never SMTP recipients: an
    /// operator who wrote `*` did not mean to accept the world's mail.
    Any,
}

impl FromStr for DomainPattern {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, DomainError> {
        match text.strip_prefix("*.") {
            _ if text == "*" => Ok(Self::Any),
            Some(rest) => Ok(Self::Below(Domain::new(rest)?)),
            None => Ok(Self::Exactly(Domain::new(text)?)),
        }
    }
}

impl DomainPattern {
    /// Whether this entry by itself, beside no other, answers for a domain.
    pub fn serves(&self, domain: &Domain, purpose: Purpose) -> bool {
        match self {
            Self::Exactly(known) => known == domain,
            Self::Below(above) => {
                domain.as_str().strip_suffix(above.as_str()).is_some_and(|rest| rest.ends_with('.'))
            }
            Self::Any => purpose != Purpose::Recipient,
        }
    }
}

impl std::fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exactly(domain) => domain.fmt(f),
            Self::Below(domain) => write!(f, "*.{domain}"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// What happens when a policy faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFault {
    /// `defer`: the client gets a temporary error.
    #[default]
    Defer,
    /// `next`: the next policy is asked. Its route counts; its refusal does not, since the policy
    /// that faulted might have known better: that is a temporary error too.
    Next,
}

/// The policies of one entry of the table.
#[derive(Debug)]
pub struct Served<P> {
    /// As written in the configuration.
    pub pattern: DomainPattern,
    /// Asked in order until one does not pass.
    pub policies: Vec<Arc<P>>,
    /// What happens when one of them faults.
    pub on_fault: OnFault,
    /// Asked the same when they have answered, and compared; nobody's answer depends on it.
    pub shadow: Option<Arc<P>>,
}

/// Which policies serve which domain. Belongs to a generation: a reload replaces it whole.
#[derive(Debug)]
pub struct DomainTable<P> {
    exactly: HashMap<Domain, Arc<Served<P>>>,
    below: HashMap<Domain, Arc<Served<P>>>,
    any: Option<Arc<Served<P>>>,
}

/// Why a table cannot be made.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DomainTableError {
    /// Two entries for the same pattern, perhaps written differently.
    #[error("the domain {0} is configured twice")]
    Twice(DomainPattern),
    /// An entry that asks nobody.
    #[error("the domain {0} names no policy")]
    NoPolicy(DomainPattern),
}

impl<P> DomainTable<P> {
    /// Makes the table out of its entries, in any order.
    pub fn new(entries: impl IntoIterator<Item = Served<P>>) -> Result<Self, DomainTableError> {
        let mut table = Self { exactly: HashMap::new(), below: HashMap::new(), any: None };
        for entry in entries {
            if entry.policies.is_empty() {
                return Err(DomainTableError::NoPolicy(entry.pattern));
            }
            let pattern = entry.pattern.clone();
            let entry = Arc::new(entry);
            let former = match pattern.clone() {
                DomainPattern::Exactly(domain) => table.exactly.insert(domain, entry),
                DomainPattern::Below(domain) => table.below.insert(domain, entry),
                DomainPattern::Any => table.any.replace(entry),
            };
            if former.is_some() {
                return Err(DomainTableError::Twice(pattern));
            }
        }
        Ok(table)
    }

    /// Who answers for a lookup: the exact domain first, then the longest `*.` above it, then `*`
    /// where a recipient is not asked for.
    pub fn find(&self, lookup: &Lookup) -> Option<&Arc<Served<P>>> {
        let domain = lookup.address.domain();
        let named = self.exactly.get(domain).or_else(|| self.longest_above(domain.as_str()));
        match lookup.purpose {
            Purpose::Recipient => named,
            Purpose::Login | Purpose::Identify => named.or(self.any.as_ref()),
        }
    }

    fn longest_above(&self, domain: &str) -> Option<&Arc<Served<P>>> {
        if self.below.is_empty() {
            return None;
        }
        let mut rest = domain;
        while let Some((_label, above)) = rest.split_once('.') {
            if let Some(found) = self.below.get(above) {
                return Some(found);
            }
            rest = above;
        }
        None
    }

    /// Every entry, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Served<P>>> {
        self.exactly.values().chain(self.below.values()).chain(&self.any)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_entry_serves_what_the_table_finds() {
        use waypost_model::{Address, Domain, Lookup, Purpose};

        use super::{DomainPattern, DomainTable, OnFault, Served};

        for pattern in ["a.test", "*.a.test", "*"] {
            let pattern: DomainPattern = pattern.parse().unwrap();
            let policies = vec![std::sync::Arc::new(())];
            let on_fault = OnFault::Defer;
            let served = Served { pattern: pattern.clone(), policies, on_fault, shadow: None };
            let table = DomainTable::new([served]).unwrap();
            for domain in ["a.test", "b.a.test", "c.b.a.test", "ba.test", "b.test"] {
                for purpose in [Purpose::Login, Purpose::Recipient, Purpose::Identify] {
                    let domain = Domain::new(domain).unwrap();
                    let address = Address::from_parts("u", domain.clone()).unwrap();
                    let found = table.find(&Lookup { purpose, address }).is_some();
                    assert_eq!(pattern.serves(&domain, purpose), found, "{pattern} {domain}");
                }
            }
        }
    }

    use std::sync::Arc;

    use waypost_model::{Address, Lookup, Purpose};

    use super::{DomainTable, DomainTableError, OnFault, Served};

    fn served(pattern: &str) -> Served<()> {
        let pattern = pattern.parse().unwrap();
        Served { pattern, policies: vec![Arc::new(())], on_fault: OnFault::Defer, shadow: None }
    }

    fn table(patterns: &[&str]) -> Result<DomainTable<()>, DomainTableError> {
        DomainTable::new(patterns.iter().map(|pattern| served(pattern)))
    }

    fn found(table: &DomainTable<()>, purpose: Purpose, domain: &str) -> Option<String> {
        let address = Address::new(&format!("user@{domain}"), None).unwrap();
        table.find(&Lookup { purpose, address }).map(|served| served.pattern.to_string())
    }

    #[test]
    fn exact_before_sub_domains_before_any_and_the_longest_wins() {
        let patterns = ["*", "*.test", "*.example.test", "a.example.test", "*.a.example.test"];
        let table = table(&patterns).unwrap();
        for (domain, pattern) in [
            ("a.example.test", "a.example.test"),
            ("b.a.example.test", "*.a.example.test"),
            ("c.b.a.example.test", "*.a.example.test"),
            ("b.example.test", "*.example.test"),
            ("example.test", "*.test"),
            ("test", "*"),
            ("notexample.test.other", "*"),
        ] {
            let found = found(&table, Purpose::Login, domain);
            assert_eq!(found.as_deref(), Some(pattern), "{domain}");
        }
    }

    #[test]
    fn sub_domains_do_not_include_the_domain_itself() {
        let table = table(&["*.example.test"]).unwrap();
        assert_eq!(found(&table, Purpose::Login, "example.test"), None);
        assert_eq!(found(&table, Purpose::Login, "badexample.test"), None);
    }

    #[test]
    fn any_serves_logins_and_never_recipients() {
        let table = table(&["*", "*.example.test"]).unwrap();
        assert_eq!(found(&table, Purpose::Login, "other.test").as_deref(), Some("*"));
        assert_eq!(found(&table, Purpose::Identify, "other.test").as_deref(), Some("*"));
        assert_eq!(found(&table, Purpose::Recipient, "other.test"), None);
        assert!(found(&table, Purpose::Recipient, "a.example.test").is_some());
    }

    #[test]
    fn a_domain_is_configured_once_and_names_a_policy() {
        let twice = table(&["example.test", "EXAMPLE.test."]).unwrap_err();
        assert_eq!(twice.to_string(), "the domain example.test is configured twice");
        let nobody = Served { policies: Vec::new(), ..served("*.a.test") };
        let nobody = DomainTable::new([nobody]).unwrap_err();
        assert_eq!(nobody.to_string(), "the domain *.a.test names no policy");
    }
}

use std::ops::Range;
use std::sync::Arc;

use toml::de::DeValue;
use waypost_routing::{DomainPattern, OnFault};

use crate::read::{NamedNode, Placed, Section, Setting};
use crate::value::FromName;

/// Which policies serve a domain: `[domain."PATTERN"]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// The domain.
    pub pattern: DomainPattern,
    /// The names of the policies, in the order in which they are asked.
    pub policies: Vec<Arc<str>>,
    /// What happens when one of them faults.
    pub on_fault: OnFault,
    /// The name of the policy that is asked in their shadow.
    pub shadow: Option<Arc<str>>,
}

/// A domain with what is checked once everything is read.
pub(crate) struct DomainRead {
    pub(crate) domain: Domain,
    pub(crate) key: String,
    pub(crate) name_span: Range<usize>,
    pub(crate) policies: Vec<Placed<Arc<str>>>,
    pub(crate) shadow: Option<Placed<Arc<str>>>,
}

static POLICIES: Setting<Vec<Placed<Arc<str>>>> = Setting::required(
    "policies",
    "[\"ldap\"]",
    "The policies, asked in order until one does not pass. If all pass, there is no such user.",
);
static ON_FAULT: Setting<OnFault> = Setting::with_default(
    "on-fault",
    "\"defer\"",
    "What happens when a policy crashes, takes too long or breaks a rule: the client gets a \
     temporary error, or the next policy is asked. Whom that one does not know gets the temporary \
     error then, for the first might have known better. A policy that cannot reach its directory \
     has not faulted: no other is asked in its place.",
);

static SHADOW: Setting<Placed<Arc<str>>> = Setting::optional(
    "shadow",
    "\"new\"",
    "no policy is asked beside these",
    "A policy that is asked the same as these, after each decision that they make, and compared. \
     No session depends on it: what it does is seen in metrics and in the log alone, where it is \
     called shadow:NAME.",
);

pub(crate) static DOMAIN: Section = Section {
    header: "domain.\"example.test\"",
    about: "A mail domain. [domain.\"*.example.test\"] serves every domain below example.test; the \
            longest that fits wins. [domain.\"*\"] serves all others, for logins only.",
    settings: &[&POLICIES, &ON_FAULT, &SHADOW],
};

pub(crate) fn read(entry: &NamedNode<'_>) -> Option<DomainRead> {
    if let Some(whole) = split_name(entry) {
        let message = format!("a dot begins a table of its own: write [domain.{whole:?}]");
        entry.name_error(message);
        return None;
    }
    let pattern = DomainPattern::from_name(entry);
    let read = entry.node.table(&DOMAIN, |table| {
        let policies = table.find(&POLICIES);
        if policies.as_ref().is_some_and(Vec::is_empty) {
            table.error(&POLICIES, "expected at least one policy");
        }
        (policies.unwrap_or_default(), table.get(&ON_FAULT), table.find(&SHADOW))
    });
    let (policies, on_fault, shadow) = read?;
    let names = policies.iter().map(|policy| policy.value.clone()).collect();
    Some(DomainRead {
        domain: Domain {
            pattern: pattern?,
            policies: names,
            on_fault,
            shadow: shadow.as_ref().map(|shadow| shadow.value.clone()),
        },
        key: entry.node.key.clone(),
        name_span: entry.name_span.clone(),
        policies,
        shadow,
    })
}

/// The domain that is meant by `[domain.example.test]`, which is the table `test` in the table
/// `example`. No setting of a domain is a table.
fn split_name(entry: &NamedNode<'_>) -> Option<String> {
    let mut labels = vec![entry.name];
    let mut node = entry.node.value;
    while let DeValue::Table(map) = node {
        let mut entries = map.iter();
        let (Some((label, value)), None) = (entries.next(), entries.next()) else { break };
        let DeValue::Table(_) = value.get_ref() else { break };
        labels.push(label.get_ref());
        node = value.get_ref();
    }
    (labels.len() > 1).then(|| labels.join("."))
}

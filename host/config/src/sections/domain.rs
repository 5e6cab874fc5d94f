use std::ops::Range;
use std::sync::Arc;

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
}

/// A domain with what is checked once everything is read.
pub(crate) struct DomainRead {
    pub(crate) domain: Domain,
    pub(crate) key: String,
    pub(crate) name_span: Range<usize>,
    pub(crate) policies: Vec<Placed<Arc<str>>>,
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

pub(crate) static DOMAIN: Section = Section {
    header: "domain.\"example.test\"",
    about: "A mail domain. [domain.\"*.example.test\"] serves every domain below example.test; the \
            longest that fits wins. [domain.\"*\"] serves all others, for logins only.",
    settings: &[&POLICIES, &ON_FAULT],
};

pub(crate) fn read(entry: &NamedNode<'_>) -> Option<DomainRead> {
    let pattern = DomainPattern::from_name(entry);
    let read = entry.node.table(&DOMAIN, |table| {
        let policies = table.find(&POLICIES);
        if policies.as_ref().is_some_and(Vec::is_empty) {
            table.error(&POLICIES, "expected at least one policy");
        }
        (policies.unwrap_or_default(), table.get(&ON_FAULT))
    });
    let (policies, on_fault) = read?;
    let names = policies.iter().map(|policy| policy.value.clone()).collect();
    Some(DomainRead {
        domain: Domain { pattern: pattern?, policies: names, on_fault },
        key: entry.node.key.clone(),
        name_span: entry.name_span.clone(),
        policies,
    })
}

//! What shows only when a policy is asked: settings that do not fit what the policy was granted.

use std::sync::Arc;
use std::time::SystemTime;

use waypost_config::{Config, Directory};
use waypost_model::{Address, Context, Domain, Failure, Lookup, Protocol, Purpose, Trouble};
use waypost_routing::{Decide as _, DomainPattern, LoadedPolicy, Served};

use super::Findings;
use crate::generation::Made;

/// Nobody's mailbox, whom policies are asked for.
const NOBODY: &str = "waypost-check";
/// A label below a domain, and a domain that is nobody's (RFC 2606 section 2).
const LABEL: &str = "waypost-check";
const NO_DOMAIN: &str = "waypost-check.invalid";

/// Asks each policy of each domain for somebody who does not exist. What it answers is its business,
/// unless it says that its settings are wrong: then nobody can log in. `offline` asks only those
/// that need no connection for it.
pub(super) async fn ask_policies(
    config: &Config,
    made: &Made,
    offline: bool,
    findings: &mut Findings,
) {
    let mut domains: Vec<_> = made.generation.domains.iter().collect();
    domains.sort_by_key(|served| served.pattern.to_string());
    for served in domains {
        let Some(lookup) = lookup(served) else { continue };
        let policies = served.policies.iter().chain(&served.shadow);
        for policy in policies.filter(|policy| !offline || needs_no_connection(config, policy)) {
            if let Some(wrong) = misconfigured(config, policy, &lookup).await {
                let subject = format!("policy {}, domain {}", policy.name(), served.pattern);
                findings.add(&subject, Err(wrong));
            }
        }
    }
}

fn lookup(served: &Served<LoadedPolicy>) -> Option<Arc<Lookup>> {
    let domain = match &served.pattern {
        DomainPattern::Exactly(domain) => domain.clone(),
        DomainPattern::Below(domain) => Domain::new(&format!("{LABEL}.{domain}")).ok()?,
        DomainPattern::Any => Domain::new(NO_DOMAIN).ok()?,
    };
    let address = Address::from_parts(NOBODY, domain).ok()?;
    Some(Arc::new(Lookup { purpose: Purpose::Login, address }))
}

async fn misconfigured(
    config: &Config,
    policy: &Arc<LoadedPolicy>,
    lookup: &Arc<Lookup>,
) -> Option<String> {
    let listener = config.listeners.first()?;
    let context = Context {
        protocol: Protocol::Imap,
        listener: listener.settings.name.clone(),
        client_address: std::net::Ipv4Addr::LOCALHOST.into(),
        encrypted: true,
        mechanism: None,
        login_name: Some(lookup.address.to_string().into()),
        authentication_id: None,
        certificate_name: None,
        sender: None,
        now: SystemTime::now(),
    };
    let answer = policy.decide(lookup.clone(), Arc::new(context), false).await;
    match answer.result {
        Err(Trouble::Failure(failure @ Failure::Misconfigured(_))) => {
            Some(format!("asked for {}: {failure}", lookup.address))
        }
        _ => None,
    }
}

/// Whether every directory that it may ask is a file.
fn needs_no_connection(config: &Config, policy: &LoadedPolicy) -> bool {
    let asked = policy.name();
    let name = asked.strip_prefix("shadow:").unwrap_or(asked);
    let Some(policy) = config.policies.iter().find(|known| &*known.name == name) else {
        return false;
    };
    let mut granted =
        config.directories.iter().filter(|it| policy.directories.contains_key(it.name()));
    granted.all(|directory| matches!(directory, Directory::Ldif(_)))
}

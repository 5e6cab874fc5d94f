use waypost_sdk::serde::{Deserialize, Deserializer};
use waypost_sdk::template::Placeholder;
use waypost_sdk::{
    AttributeName, Base, Delimiter, DirectoryName, Filter, HostList, HostPort, Problems, Search,
    Table, pointer, text,
};

use crate::MOST_ENTRIES;
use crate::account;
use crate::names::Names;
use crate::policy::{Condition, Fallback, LdapRouting, NoEntry, Verify};

/// The settings as the operator writes them; the crate's documentation explains each.
#[derive(Debug, Deserialize)]
#[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
pub struct Settings {
    directory: DirectoryName,
    search_base: Base,
    search_pattern: Filter,
    host_field: AttributeName,
    #[serde(default)]
    defer_field: Option<AttributeName>,
    #[serde(default)]
    use_first: bool,
    #[serde(default)]
    verify: Verify,
    #[serde(default)]
    active_directory: bool,
    #[serde(default)]
    no_entry: Option<NoEntry>,
    #[serde(default)]
    fallback_hosts: Vec<HostPort>,
    #[serde(default)]
    fallback_on: Option<Vec<Condition>>,
    #[serde(default)]
    recipient_delimiter: Delimiter,
    #[serde(default)]
    catch_all: bool,
    #[serde(default)]
    alias_domains: Table<DomainName>,
}

impl Settings {
    /// The policy, unless the settings contradict each other.
    pub(crate) fn check(self) -> Result<LdapRouting, Problems> {
        let mut problems = Problems::new();
        let mut attributes = vec![self.host_field.clone()];
        attributes.extend(self.defer_field.clone());
        if self.active_directory {
            attributes.extend(account::ATTRIBUTES.into_iter().filter_map(AttributeName::new));
        }
        let search = Search {
            directory: self.directory,
            base: self.search_base,
            filter: self.search_pattern,
            attributes,
            size_limit: MOST_ENTRIES,
        };
        check_placeholders(&search, self.catch_all, &mut problems);
        let on = self.fallback_on.or_else(|| self.verify.usual_fallback(&self.fallback_hosts));
        let fallback = read_fallback(self.fallback_hosts, on, self.no_entry, &mut problems);
        check_verify(self.verify, fallback.as_ref(), self.catch_all, &mut problems);
        let alias_domains = read_alias_domains(&self.alias_domains, &mut problems);
        problems.or(LdapRouting {
            search,
            host_field: self.host_field,
            defer_field: self.defer_field,
            use_first: self.use_first,
            verify: self.verify,
            active_directory: self.active_directory,
            names: Names {
                delimiter: self.recipient_delimiter,
                catch_all: self.catch_all,
                windows_domains: self.active_directory,
                alias_domains,
            },
            no_entry: self.no_entry.unwrap_or(NoEntry::Refuse),
            fallback,
        })
    }
}

/// What base and filter must depend on.
fn check_placeholders(search: &Search, catch_all: bool, problems: &mut Problems) {
    if !Placeholder::ALL.into_iter().any(|placeholder| search.uses(placeholder)) {
        problems.add(
            "/search-pattern",
            "neither it nor search-base has a placeholder, so that everybody would be the same: \
             %e, %u, %d or %s was expected",
        );
    }
    // With an empty `%u`, `(uid=%u*)` would match everybody.
    let by_address =
        search.filter.uses(Placeholder::Address) && !search.uses(Placeholder::LocalPart);
    if catch_all && !by_address {
        problems.add(
            "/catch-all",
            "a catch-all is asked for by its address and has no local part: search-pattern must \
             use %e, and neither it nor search-base %u",
        );
    }
}

impl Verify {
    /// What `fallback-hosts` answer for if nothing is written: without an entry there is no password
    /// to check.
    fn usual_fallback(self, hosts: &[HostPort]) -> Option<Vec<Condition>> {
        (self != Self::Backend && !hosts.is_empty()).then(|| vec![Condition::NoHostField])
    }
}

/// What has no entry has no password that the front could check.
fn check_verify(
    verify: Verify,
    fallback: Option<&Fallback>,
    catch_all: bool,
    problems: &mut Problems,
) {
    if verify == Verify::Backend {
        return;
    }
    let entryless = |on: &Condition| *on != Condition::NoHostField;
    if fallback.is_some_and(|fallback| fallback.on.iter().any(entryless)) {
        let message = "with verify, fallback-hosts can answer for no-host-field only: where there \
                       is no entry, there is no password to check";
        problems.add("/fallback-on", message);
    }
    if catch_all {
        let message = "with verify, everybody unknown would log in with the password of the \
                       catch-all's entry";
        problems.add("/catch-all", message);
    }
}

/// What happens where the directory does not name a host: `no-entry`, `fallback-hosts` and
/// `fallback-on`, which must not contradict each other.
fn read_fallback(
    hosts: Vec<HostPort>,
    on: Option<Vec<Condition>>,
    no_entry: Option<NoEntry>,
    problems: &mut Problems,
) -> Option<Fallback> {
    if hosts.is_empty() {
        if on.is_some_and(|on| !on.is_empty()) {
            problems.add("/fallback-on", "there are no fallback-hosts that could answer");
        }
        return None;
    }
    let on = on.unwrap_or_else(|| vec![Condition::NoEntry, Condition::NoHostField]);
    if on.is_empty() {
        problems.add("/fallback-on", "nothing is listed for which fallback-hosts could answer");
    }
    if no_entry.is_some() && on.contains(&Condition::NoEntry) {
        let message = "fallback-hosts answer for no-entry, so that this never happens: \
                       leave it out, or list in fallback-on what else they shall answer for";
        problems.add("/no-entry", message);
    }
    match HostList::new(hosts) {
        Ok(hosts) => Some(Fallback { hosts, on }),
        Err(error) => {
            problems.add("/fallback-hosts", error.to_string());
            None
        }
    }
}

/// Alias → canonical domain. One step only: an alias of an alias would be looked up under a domain
/// that the operator calls an alias.
fn read_alias_domains(
    written: &Table<DomainName>,
    problems: &mut Problems,
) -> Vec<(String, String)> {
    let mut aliases: Vec<(String, String)> = Vec::new();
    let is_alias = |domain: &str| written.0.iter().any(|(key, _)| key.eq_ignore_ascii_case(domain));
    for (key, DomainName(canonical)) in &written.0 {
        let place = pointer("/alias-domains", key);
        let Some(DomainName(alias)) = DomainName::new(key) else {
            problems.add(place, format!("the key {key:?} is not {}", DomainName::WHAT));
            continue;
        };
        if is_alias(canonical) {
            problems.add(place, format!("{canonical} is listed as an alias itself"));
            continue;
        }
        match aliases.binary_search_by(|(other, _)| other.cmp(&alias)) {
            Ok(_) => problems.add(place, format!("{alias} is listed twice")),
            Err(index) => aliases.insert(index, (alias, canonical.clone())),
        }
    }
    aliases
}

/// A mail domain as the host writes it: lower-case A-labels.
#[derive(Debug)]
struct DomainName(String);

impl DomainName {
    const WHAT: &str = "a domain, an international one in its xn-- form";

    fn new(text: &str) -> Option<Self> {
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        text.split('.').all(is_label).then(|| Self(text.to_ascii_lowercase()))
    }
}

impl<'de> Deserialize<'de> for DomainName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, Self::WHAT, |text| {
            Self::new(text).ok_or_else(|| format!("{} was expected, here is {text:?}", Self::WHAT))
        })
    }
}

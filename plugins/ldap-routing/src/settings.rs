use waypost_sdk::template::Placeholder;
use waypost_sdk::{
    Base, Filter, HostList, HostPort, Place, Setting, Settings, Table, Value, pointer,
};

use crate::names::Names;
use crate::policy::{Condition, Fallback, LdapRouting, NoEntry};

/// Reads the settings; what is wrong is left with `settings`.
pub(crate) fn read(settings: &mut Settings) -> Option<LdapRouting> {
    let directory = settings.required::<DirectoryName>("directory");
    let base = settings.required("search-base");
    let filter = settings.required("search-pattern");
    let host_field = settings.required("host-field");
    let use_first = settings.optional("use-first").unwrap_or(false);
    let (no_entry, fallback) = read_absence(settings);
    let names = Names {
        delimiter: read_delimiter(settings),
        catch_all: settings.optional("catch-all").unwrap_or(false),
        alias_domains: read_alias_domains(settings),
    };
    let (directory, base, filter) = (directory?, base?, filter?);
    check_placeholders(settings, &base, &filter, names.catch_all);
    Some(LdapRouting {
        directory: directory.0,
        base,
        filter,
        host_field: host_field?,
        use_first,
        names,
        no_entry,
        fallback,
    })
}

/// What happens where the directory does not name a host: `no-entry`, `fallback-hosts` and
/// `fallback-on`, which must not contradict each other.
fn read_absence(settings: &mut Settings) -> (NoEntry, Option<Fallback>) {
    let no_entry = settings.optional("no-entry");
    let hosts: Vec<HostPort> = settings.optional("fallback-hosts").unwrap_or_default();
    let on: Option<Vec<Condition>> = settings.optional("fallback-on");
    if hosts.is_empty() {
        if on.is_some_and(|on| !on.is_empty()) {
            settings.problem("/fallback-on", "there are no fallback-hosts that could answer");
        }
        return (no_entry.unwrap_or(NoEntry::Refuse), None);
    }
    let on = on.unwrap_or_else(|| vec![Condition::NoEntry, Condition::NoHostField]);
    if on.is_empty() {
        settings.problem("/fallback-on", "nothing is listed for which fallback-hosts could answer");
    }
    if no_entry.is_some() && on.contains(&Condition::NoEntry) {
        let message = "fallback-hosts answer for no-entry, so that this never happens: \
                       leave it out, or list in fallback-on what else they shall answer for";
        settings.problem("/no-entry", message);
    }
    let fallback = match HostList::new(hosts) {
        Ok(hosts) => Some(Fallback { hosts, on }),
        Err(error) => {
            settings.problem("/fallback-hosts", error.to_string());
            None
        }
    };
    (no_entry.unwrap_or(NoEntry::Refuse), fallback)
}

fn read_delimiter(settings: &mut Settings) -> Option<char> {
    let Some(delimiter) = settings.optional::<String>("recipient-delimiter") else {
        return Some('+');
    };
    let mut characters = delimiter.chars();
    match (characters.next(), characters.next()) {
        (None, _) => None,
        (Some(delimiter), None) if delimiter != '@' && !delimiter.is_control() => Some(delimiter),
        _ => {
            let message = format!(
                "one character that a local part can have was expected, or \"\" for none, \
                 here is {delimiter:?}"
            );
            settings.problem("/recipient-delimiter", message);
            None
        }
    }
}

/// Alias → canonical domain. One step only: an alias of an alias would be looked up under a domain
/// that the operator calls an alias.
fn read_alias_domains(settings: &mut Settings) -> Vec<(String, String)> {
    let written: Table<DomainName> = settings.optional("alias-domains").unwrap_or_default();
    let mut aliases: Vec<(String, String)> = Vec::new();
    let is_alias = |domain: &str| written.0.iter().any(|(key, _)| key.eq_ignore_ascii_case(domain));
    for (key, DomainName(canonical)) in &written.0 {
        let place = pointer("/alias-domains", key);
        let Some(DomainName(alias)) = DomainName::new(key) else {
            settings.problem(place, format!("the key {key:?} is not {}", DomainName::WHAT));
            continue;
        };
        if is_alias(canonical) {
            settings.problem(place, format!("{canonical} is listed as an alias itself"));
            continue;
        }
        match aliases.binary_search_by(|(other, _)| other.cmp(&alias)) {
            Ok(_) => settings.problem(place, format!("{alias} is listed twice")),
            Err(index) => aliases.insert(index, (alias, canonical.clone())),
        }
    }
    aliases
}

/// What base and filter must depend on.
fn check_placeholders(settings: &mut Settings, base: &Base, filter: &Filter, catch_all: bool) {
    let used = |placeholder| base.uses(placeholder) || filter.uses(placeholder);
    if !Placeholder::ALL.into_iter().any(used) {
        settings.problem(
            "/search-pattern",
            "neither it nor search-base has a placeholder, so that everybody would be the same: \
             %e, %u, %d or %s was expected",
        );
    }
    // With an empty `%u`, `(uid=%u*)` would match everybody.
    if catch_all && (used(Placeholder::LocalPart) || !filter.uses(Placeholder::Address)) {
        settings.problem(
            "/catch-all",
            "a catch-all is asked for by its address and has no local part: search-pattern must \
             use %e, and neither it nor search-base %u",
        );
    }
}

struct DirectoryName(String);

impl Setting for DirectoryName {
    fn read(value: &Value, place: &mut Place<'_>) -> Option<Self> {
        match place.text("the name of a directory", value)? {
            "" => place.problem("the name of a directory was expected, here is an empty string"),
            name => Some(Self(name.into())),
        }
    }
}

/// A mail domain as the host writes it: lower-case A-labels.
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

impl Setting for DomainName {
    fn read(value: &Value, place: &mut Place<'_>) -> Option<Self> {
        let text = place.text(Self::WHAT, value)?;
        let what = || format!("{} was expected, here is {text:?}", Self::WHAT);
        Self::new(text).or_else(|| place.problem(what()))
    }
}

impl Setting for Condition {
    fn read(value: &Value, place: &mut Place<'_>) -> Option<Self> {
        place.choice(value, &Self::ALL)
    }
}

impl Setting for NoEntry {
    fn read(value: &Value, place: &mut Place<'_>) -> Option<Self> {
        place.choice(value, &[("refuse", Self::Refuse), ("pass", Self::Pass)])
    }
}

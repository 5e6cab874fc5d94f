use waypost_sdk::serde::{Deserialize, Deserializer};
use waypost_sdk::template::Placeholder;
use waypost_sdk::{
    AttributeName, Base, Delimiter, DirectoryName, Filter, HostList, HostPort, Problems, Search,
    text,
};

use crate::entry::{Fields, MOST_ENTRIES};
use crate::policy::{Laser, LoginName, NoEntry};

/// The settings as the operator writes them; the crate's documentation explains each.
#[derive(Debug, Deserialize)]
#[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
pub struct Settings {
    directory: DirectoryName,
    search_base: Base,
    #[serde(default = "recipients")]
    search_pattern: Filter,
    #[serde(default = "mail_host")]
    host_field: AttributeName,
    #[serde(default = "mail_routing_address")]
    address_field: AttributeName,
    #[serde(default)]
    local_names: Vec<LocalName>,
    #[serde(default)]
    local_hosts: Option<HostList>,
    #[serde(default)]
    no_entry: NoEntry,
    #[serde(default)]
    domain_entries: Option<bool>,
    #[serde(default)]
    recipient_delimiter: Delimiter,
    #[serde(default = "keep")]
    keep_tag: bool,
    #[serde(default = "hops")]
    max_hops: u8,
    #[serde(default)]
    login_name: LoginName,
}

fn recipients() -> Filter {
    "(&(objectClass=inetLocalMailRecipient)(mailLocalAddress=%e))".parse().expect("a filter")
}

fn mail_host() -> AttributeName {
    AttributeName::new("mailHost").expect("a name")
}

fn mail_routing_address() -> AttributeName {
    AttributeName::new("mailRoutingAddress").expect("a name")
}

fn keep() -> bool {
    true
}

fn hops() -> u8 {
    2
}

impl Settings {
    /// The policy, unless the settings contradict each other.
    pub(crate) fn check(self) -> Result<Laser, Problems> {
        let mut problems = Problems::new();
        let fields = Fields { host: self.host_field, address: self.address_field };
        if fields.host.as_str().eq_ignore_ascii_case(fields.address.as_str()) {
            problems.add("/address-field", "this is the host-field too");
        }
        let search = Search {
            directory: self.directory,
            base: self.search_base,
            filter: self.search_pattern,
            attributes: vec![fields.host.clone(), fields.address.clone()],
            size_limit: MOST_ENTRIES,
        };
        let asks_for_domains = check_placeholders(&search, self.domain_entries, &mut problems);
        if self.no_entry == NoEntry::Deliver && self.local_hosts.is_none() {
            problems.add("/no-entry", "there are no local-hosts to deliver to");
        }
        problems.or(Laser {
            search,
            fields,
            local_names: self.local_names.into_iter().map(|name| name.0).collect(),
            local_hosts: self.local_hosts,
            no_entry: self.no_entry,
            asks_for_domains,
            delimiter: self.recipient_delimiter,
            keeps_tag: self.keep_tag,
            max_hops: self.max_hops,
            login_name: self.login_name,
        })
    }
}

/// What base and filter must depend on. Answers whether `@domain` is asked for.
fn check_placeholders(search: &Search, asked: Option<bool>, problems: &mut Problems) -> bool {
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
    if asked == Some(true) && !by_address {
        problems.add(
            "/domain-entries",
            "a domain is asked for by its address and has no local part: search-pattern must use \
             %e, and neither it nor search-base %u",
        );
    }
    asked.unwrap_or(by_address)
}

/// The name or address of a host, without a port.
#[derive(Debug)]
struct LocalName(String);

impl<'de> Deserialize<'de> for LocalName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "the name of a host", |text| match text.parse::<HostPort>() {
            Ok(host) if host.port().is_none() => Ok(Self(host.host().into())),
            Ok(_) => Err(format!("{text:?}: a name without a port was expected")),
            Err(error) => Err(format!("{text:?}: {error}")),
        })
    }
}

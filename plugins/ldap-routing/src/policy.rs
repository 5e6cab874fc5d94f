use waypost_sdk::serde::Deserialize;
use waypost_sdk::{
    Answer, AttributeName, Failure, Host, HostList, Level, Lookup, Policy, Problems, Refusal,
    Search, Subject, pass, refuse, route,
};

use crate::candidates::{Found, choose};
use crate::names::Names;
use crate::settings::Settings;

/// The policy: its settings, ready for use.
#[derive(Debug)]
pub struct LdapRouting {
    pub(crate) search: Search,
    pub(crate) host_field: AttributeName,
    pub(crate) use_first: bool,
    pub(crate) names: Names,
    pub(crate) no_entry: NoEntry,
    pub(crate) fallback: Option<Fallback>,
}

/// What it means that the directory knows nobody of that name.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
pub(crate) enum NoEntry {
    Refuse,
    Pass,
}

/// What hosts of the settings may answer for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
pub(crate) enum Condition {
    NoEntry,
    NoHostField,
    DirectoryUnavailable,
}

/// The hosts that answer where the directory does not.
#[derive(Debug)]
pub(crate) struct Fallback {
    pub(crate) hosts: HostList,
    pub(crate) on: Vec<Condition>,
}

impl Policy for LdapRouting {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, Problems> {
        settings.check()
    }

    fn route(&self, lookup: &Lookup, host: &dyn Host) -> Result<Answer, Failure> {
        let (condition, otherwise) = match self.find(&self.names.subjects(lookup), host) {
            Ok(Found::Hosts(hosts, warning)) => {
                if let Some(warning) = warning {
                    host.log(Level::Warn, &warning);
                }
                return Ok(self.route_to(&hosts, lookup));
            }
            Ok(Found::NoEntry) => (Condition::NoEntry, Ok(self.no_entry.answer())),
            Ok(Found::NoHost(dn)) => {
                let message = format!("{dn} has no {}", self.host_field);
                (Condition::NoHostField, Err(Failure::BadData(message)))
            }
            Err(Failure::DirectoryUnavailable) => {
                (Condition::DirectoryUnavailable, Err(Failure::DirectoryUnavailable))
            }
            Err(failure) => return Err(failure),
        };
        match &self.fallback {
            Some(fallback) if fallback.on.contains(&condition) => {
                host.log(
                    condition.level(),
                    &format!("{}: fallback-hosts answer", condition.name()),
                );
                Ok(self.route_to(&fallback.hosts, lookup))
            }
            _ => otherwise,
        }
    }
}

impl LdapRouting {
    /// What the first of the subjects that has an entry brings.
    fn find(&self, subjects: &[Subject], host: &dyn Host) -> Result<Found, Failure> {
        let directory = self.search.open(host)?;
        for subject in subjects {
            let page = self.search.ask(&*directory, subject)?;
            let found = choose(&page, self.host_field.as_str(), self.use_first)?;
            if !matches!(found, Found::NoEntry) {
                return Ok(found);
            }
        }
        Ok(Found::NoEntry)
    }

    fn route_to(&self, hosts: &HostList, lookup: &Lookup) -> Answer {
        route(hosts.targets(), self.names.identity(lookup))
    }
}

impl NoEntry {
    fn answer(self) -> Answer {
        match self {
            Self::Refuse => refuse(Refusal::UnknownUser),
            Self::Pass => pass(),
        }
    }
}

impl Condition {
    /// As `fallback-on` writes it.
    fn name(self) -> &'static str {
        match self {
            Self::NoEntry => "no-entry",
            Self::NoHostField => "no-host-field",
            Self::DirectoryUnavailable => "directory-unavailable",
        }
    }

    /// The first two are what the operator planned for; the third is a fault elsewhere.
    fn level(self) -> Level {
        match self {
            Self::NoEntry | Self::NoHostField => Level::Debug,
            Self::DirectoryUnavailable => Level::Warn,
        }
    }
}

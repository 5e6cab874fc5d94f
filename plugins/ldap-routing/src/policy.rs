use waypost_sdk::template::Placeholder;
use waypost_sdk::{
    Answer, AttributeName, Base, Directory, Failure, Filter, Host, HostList, Level, Lookup,
    Parameters, Policy, Query, Refusal, Scope, SearchError, Settings, Subject, pass, refuse, route,
};

use crate::candidates::{Found, MOST_ENTRIES, choose};
use crate::names::Names;
use crate::outside::is_outside;
use crate::settings;

/// The policy: its settings, ready for use.
#[derive(Debug)]
pub struct LdapRouting {
    pub(crate) directory: String,
    pub(crate) base: Base,
    pub(crate) filter: Filter,
    pub(crate) host_field: AttributeName,
    pub(crate) use_first: bool,
    pub(crate) names: Names,
    pub(crate) no_entry: NoEntry,
    pub(crate) fallback: Option<Fallback>,
}

/// What it means that the directory knows nobody of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoEntry {
    Refuse,
    Pass,
}

/// What hosts of the settings may answer for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    fn configure(settings: &mut Settings) -> Option<Self> {
        settings::read(settings)
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
        let directory = host.open(&self.directory).map_err(|error| self.failure(error))?;
        for subject in subjects {
            let found = self.search(subject, &*directory)?;
            if !matches!(found, Found::NoEntry) {
                return Ok(found);
            }
        }
        Ok(Found::NoEntry)
    }

    fn search(&self, subject: &Subject, directory: &dyn Directory) -> Result<Found, Failure> {
        let mut parameters = Parameters::new(subject);
        let query = Query {
            base: self.base.fill(&mut parameters),
            scope: Scope::Subtree,
            filter: self.filter.fill(&mut parameters),
            parameters: parameters.into_values(),
            attributes: vec![self.host_field.as_str().into()],
            size_limit: MOST_ENTRIES,
        };
        match directory.search(&query) {
            Ok(page) => choose(&page, self.host_field.as_str(), self.use_first),
            // Where the domain makes the base, the client's domain may lie outside the directory;
            // that is the client's mistake, not the operator's.
            Err(SearchError::BadRequest(_)) if self.is_elsewhere(subject, directory) => {
                Ok(Found::NoEntry)
            }
            Err(error) => Err(self.failure(error)),
        }
    }

    /// Whether the search base, made of the subject's domain, lies outside the directory.
    fn is_elsewhere(&self, subject: &Subject, directory: &dyn Directory) -> bool {
        self.base.uses(Placeholder::Components)
            && is_outside(&self.base.spell(subject), &directory.base())
    }

    fn failure(&self, error: SearchError) -> Failure {
        let directory = &self.directory;
        match error {
            SearchError::Unavailable | SearchError::Timeout => Failure::DirectoryUnavailable,
            SearchError::NotGranted => Failure::Misconfigured(format!(
                "the policy's `directories` do not list {directory:?}, which `directory` names"
            )),
            SearchError::BadRequest(reason) => Failure::Misconfigured(format!(
                "the directory {directory:?} refuses the search: {reason}"
            )),
            SearchError::TooLarge => Failure::BadData(format!(
                "what the directory {directory:?} found is larger than it may be: \
                 `search-pattern` matches too much"
            )),
            SearchError::Other(reason) => {
                Failure::Other(format!("the directory {directory:?}: {reason}"))
            }
        }
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
    /// Every condition, by its name in `fallback-on`.
    pub(crate) const ALL: [(&str, Self); 3] = [
        ("no-entry", Self::NoEntry),
        ("no-host-field", Self::NoHostField),
        ("directory-unavailable", Self::DirectoryUnavailable),
    ];

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

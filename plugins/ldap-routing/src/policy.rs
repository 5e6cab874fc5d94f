use waypost_sdk::serde::Deserialize;
use waypost_sdk::{
    Answer, AttributeName, Decision, Entry, Failure, Host, HostList, Level, Lookup, Policy,
    Principal, Problems, Refusal, Search, Verification, defer, pass, refuse, route,
};

use crate::account::Account;
use crate::candidates::{Found, Named, choose};
use crate::names::Names;
use crate::settings::Settings;

/// The policy: its settings, ready for use.
#[derive(Debug)]
pub struct LdapRouting {
    pub(crate) search: Search,
    pub(crate) host_field: AttributeName,
    pub(crate) defer_field: Option<AttributeName>,
    pub(crate) use_first: bool,
    pub(crate) verify: Verify,
    pub(crate) active_directory: bool,
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

/// Who checks passwords.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
pub(crate) enum Verify {
    #[default]
    Backend,
    Bind,
    Password,
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
        let (condition, named, otherwise) = match self.find(lookup, host) {
            Ok((Found::Hosts(hosts, named, warning), account)) => {
                if let Some(warning) = warning {
                    host.log(Level::Warn, &warning);
                }
                let answer = self.route_to(&hosts, Some(&named), lookup)?;
                return Ok(account.allow(|| answer));
            }
            Ok((Found::Deferred(why), _)) => return Ok(defer(why)),
            Ok((Found::NoEntry, _)) => (Condition::NoEntry, None, Ok(self.no_entry.answer())),
            Ok((Found::NoHost(_), Account::Disabled)) => return Ok(refuse(Refusal::DisabledUser)),
            Ok((Found::NoHost(named), _)) => {
                let message = format!("{} has no {}", named.dn, self.host_field);
                (Condition::NoHostField, Some(named), Err(Failure::BadData(message)))
            }
            Err(Failure::DirectoryUnavailable) => {
                (Condition::DirectoryUnavailable, None, Err(Failure::DirectoryUnavailable))
            }
            Err(failure) => return Err(failure),
        };
        match &self.fallback {
            Some(fallback) if fallback.on.contains(&condition) => {
                host.log(
                    condition.level(),
                    &format!("{}: fallback-hosts answer", condition.name()),
                );
                self.route_to(&fallback.hosts, named.as_ref(), lookup)
            }
            _ => otherwise,
        }
    }
}

impl LdapRouting {
    /// What the first of the names that has an entry brings, and the state of its account.
    fn find(&self, lookup: &Lookup, host: &dyn Host) -> Result<(Found, Account), Failure> {
        let directory = self.search.open(host)?;
        for subject in &self.names.subjects(lookup) {
            let page = self.search.ask(&*directory, subject)?;
            // While a mailbox is being moved, its entries may well name both hosts.
            if let Some(why) = self.deferral(&page.entries) {
                return Ok((Found::Deferred(why), Account::InUse));
            }
            let found = choose(&page, self.host_field.as_str(), self.use_first)?;
            let dn = match &found {
                Found::NoEntry | Found::Deferred(_) => continue,
                Found::Hosts(_, named, _) | Found::NoHost(named) => &named.dn,
            };
            let entry = page.entries.iter().find(|entry| entry.dn == *dn);
            let account = match entry.filter(|_| self.active_directory) {
                Some(entry) => Account::of(entry, host)?,
                None => Account::InUse,
            };
            return Ok((found, account));
        }
        Ok((Found::NoEntry, Account::InUse))
    }

    /// Why nobody may go to this mailbox now, if so: an entry says so, by a value other than FALSE
    /// (RFC 4517 section 3.3.3).
    fn deferral(&self, entries: &[Entry]) -> Option<String> {
        let field = self.defer_field.as_ref()?.as_str();
        let is_set = |entry: &&Entry| {
            let named = entry.attributes.iter().filter(|it| it.name.eq_ignore_ascii_case(field));
            named.flat_map(|it| &it.values).any(|value| !value.eq_ignore_ascii_case(b"FALSE"))
        };
        entries.iter().find(is_set).map(|entry| format!("{} has {field}", entry.dn))
    }

    /// There, the password to be checked as the settings say. `named` is the user's entry.
    fn route_to(
        &self,
        hosts: &HostList,
        named: Option<&Named>,
        lookup: &Lookup,
    ) -> Result<Answer, Failure> {
        let mut answer = route(hosts.targets(), self.names.identity(lookup));
        let verification = match (self.verify, named) {
            (Verify::Backend, _) => return Ok(answer),
            // The settings leave no way to come here.
            (_, None) => return Err(Failure::BadData("nobody's password could be checked".into())),
            (_, Some(named)) if named.of > 1 && !self.use_first => {
                return Err(Failure::Ambiguous(named.of.try_into().unwrap_or(u32::MAX)));
            }
            (Verify::Bind, Some(named)) => Verification::ByBind(self.principal(named)),
            (Verify::Password, Some(named)) => Verification::ByPassword(self.principal(named)),
        };
        if let Decision::Route(route) = &mut answer.decision {
            route.verification = verification;
        }
        Ok(answer)
    }

    fn principal(&self, named: &Named) -> Principal {
        Principal { directory: self.search.directory.as_str().into(), dn: named.dn.clone() }
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

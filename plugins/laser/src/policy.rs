use waypost_sdk::serde::Deserialize;
use waypost_sdk::{
    Answer, Delimiter, Directory, Failure, Host, HostList, Lookup, Policy, Problems, Purpose,
    Refusal, Search, Subject, pass, refuse, route,
};

use crate::address::{is_same, names};
use crate::entry::{Fields, Said};
use crate::settings::Settings;

/// The policy: its settings, ready for use.
#[derive(Debug)]
pub struct Laser {
    pub(crate) search: Search,
    pub(crate) fields: Fields,
    /// As [`waypost_sdk::HostPort::host`] writes them.
    pub(crate) local_names: Vec<String>,
    pub(crate) local_hosts: Option<HostList>,
    pub(crate) no_entry: NoEntry,
    pub(crate) asks_for_domains: bool,
    pub(crate) delimiter: Delimiter,
    pub(crate) keeps_tag: bool,
    pub(crate) max_hops: u8,
    pub(crate) login_name: LoginName,
}

/// What it means that the directory says nothing of an address.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
pub(crate) enum NoEntry {
    #[default]
    Refuse,
    Pass,
    Deliver,
}

/// The name that somebody logs in with.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
pub(crate) enum LoginName {
    #[default]
    Keep,
    RoutingAddress,
}

/// Where a mailbox is.
struct Place {
    hosts: HostList,
    /// The routing address, where there is one.
    address: Option<Subject>,
}

impl Policy for Laser {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, Problems> {
        settings.check()
    }

    fn route(&self, lookup: &Lookup, host: &dyn Host) -> Result<Answer, Failure> {
        let place = match self.find(lookup, host)? {
            Some(place) => place,
            None => match self.no_entry {
                NoEntry::Refuse => return Ok(refuse(Refusal::UnknownUser)),
                NoEntry::Pass => return Ok(pass()),
                NoEntry::Deliver => Place { hosts: self.here(None, None)?, address: None },
            },
        };
        let keeps_name = lookup.purpose != Purpose::Recipient && self.login_name == LoginName::Keep;
        let address = place.address.filter(|_| !keeps_name);
        Ok(route(place.hosts.targets(), address.map(|address| address.address())))
    }
}

impl Laser {
    /// Follows an address to the host of its mailbox; `None` where the directory says nothing of it.
    fn find(&self, lookup: &Lookup, host: &dyn Host) -> Result<Option<Place>, Failure> {
        let directory = self.search.open(host)?;
        let mut subject =
            Subject { local_part: lookup.local_part.clone(), domain: lookup.domain.clone() };
        let mut before: Vec<Subject> = Vec::new();
        // What the last entry that led on says.
        let mut last: Option<Said> = None;
        loop {
            let address = last.is_some().then(|| subject.clone());
            let Some((said, tag)) = self.ask(&*directory, &subject)? else {
                let Some(last) = last else { return Ok(None) };
                let hosts = self.here(last.host.as_ref(), Some(&last.dn))?;
                return Ok(Some(Place { hosts, address }));
            };
            let next = said.address.as_ref().map(|next| next.of(&subject, self.tag(&tag)));
            match (&said.host, next) {
                (Some(remote), next) if !self.is_local(remote) => {
                    return Ok(Some(Place { hosts: remote.clone(), address: next.or(address) }));
                }
                (local, None) => {
                    let hosts = self.here(local.as_ref(), Some(&said.dn))?;
                    return Ok(Some(Place { hosts, address }));
                }
                (local, Some(next)) if self.max_hops == 0 || is_same(&next, &subject) => {
                    let hosts = self.here(local.as_ref(), Some(&said.dn))?;
                    return Ok(Some(Place { hosts, address: Some(next) }));
                }
                (_, Some(next)) => {
                    before.push(std::mem::replace(&mut subject, next));
                    self.check_way(&before, &subject, &said.dn)?;
                }
            }
            last = Some(said);
        }
    }

    /// What the directory says of a subject, and the tag that was left out to find it.
    fn ask(
        &self,
        directory: &dyn Directory,
        subject: &Subject,
    ) -> Result<Option<(Said, String)>, Failure> {
        for (name, tag) in names(subject, self.delimiter, self.asks_for_domains) {
            let page = self.search.ask(directory, &name)?;
            if let Some(said) = self.fields.read(&page)? {
                return Ok(Some((said, tag.to_owned())));
            }
        }
        Ok(None)
    }

    /// Whether it may go on to `next` from the addresses `before`; `dn` leads there.
    fn check_way(&self, before: &[Subject], next: &Subject, dn: &str) -> Result<(), Failure> {
        let field = &self.fields.address;
        if before.iter().any(|known| is_same(known, next)) {
            let message = format!("{dn}: {field} leads back to an address that led here");
            return Err(Failure::BadData(message));
        }
        if before.len() > usize::from(self.max_hops) {
            let message = format!("{dn}: {field} leads on for more than {} hops", self.max_hops);
            return Err(Failure::BadData(message));
        }
        Ok(())
    }

    fn tag<'a>(&self, tag: &'a str) -> &'a str {
        if self.keeps_tag { tag } else { "" }
    }

    /// Whether this is one of the hosts that count as local.
    fn is_local(&self, hosts: &HostList) -> bool {
        let is_local = |host: &waypost_sdk::HostPort| {
            host.port().is_none() && self.local_names.iter().any(|name| name == host.host())
        };
        hosts.hosts().iter().all(is_local)
    }

    /// Where what is delivered here goes; `local` is the local host that the entry `dn` names.
    fn here(&self, local: Option<&HostList>, dn: Option<&str>) -> Result<HostList, Failure> {
        self.local_hosts.as_ref().or(local).cloned().ok_or_else(|| {
            Failure::Misconfigured(format!(
                "{} has no {}, and there are no local-hosts to deliver to",
                dn.unwrap_or("the address"),
                self.fields.host
            ))
        })
    }
}

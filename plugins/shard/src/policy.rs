use waypost_sdk::serde::Deserialize;
use waypost_sdk::{
    Answer, Delimiter, Failure, Host, HostList, Lookup, Policy, Problems, Target, route,
};

use crate::hash::{draw_with, fnv};
use crate::settings::Settings;

/// The policy: its settings, ready for use.
#[derive(Debug)]
pub struct Shard {
    /// In the order of their names.
    pub(crate) stores: Vec<Store>,
    pub(crate) by: By,
    /// From 1 to as many as there are stores.
    pub(crate) copies: usize,
    pub(crate) delimiter: Delimiter,
    pub(crate) is_case_sensitive: bool,
}

/// One shard.
#[derive(Debug)]
pub(crate) struct Store {
    /// One for each unit of its weight.
    pub(crate) seeds: Vec<u64>,
    pub(crate) hosts: HostList,
}

/// What is hashed.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
pub(crate) enum By {
    #[default]
    Address,
    LocalPart,
    Domain,
}

impl Policy for Shard {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, Problems> {
        settings.check()
    }

    fn route(&self, lookup: &Lookup, _host: &dyn Host) -> Result<Answer, Failure> {
        Ok(route(self.targets(fnv(self.key(lookup).as_bytes())), None))
    }
}

impl Shard {
    /// What of the lookup is hashed.
    fn key(&self, lookup: &Lookup) -> String {
        let user = self.delimiter.split(&lookup.local_part);
        let user = user.map_or(lookup.local_part.as_str(), |(user, _tag)| user);
        let mut key = match self.by {
            By::Address | By::LocalPart => user.to_owned(),
            By::Domain => String::new(),
        };
        if !self.is_case_sensitive {
            key.make_ascii_lowercase();
        }
        if self.by == By::Address {
            key.push('@');
        }
        if self.by != By::LocalPart {
            key.push_str(&lookup.domain.to_ascii_lowercase());
        }
        key
    }

    /// The hosts of the stores that draw the highest numbers.
    fn targets(&self, key: u64) -> Vec<Target> {
        let mut drawn: Vec<_> = self.stores.iter().map(|store| (store.draw(key), store)).collect();
        let mut targets = Vec::new();
        for _ in 0..self.copies {
            // Of equal numbers the first name counts: the last of the highest, from behind.
            let highest = drawn.iter().enumerate().rev().max_by_key(|(_, (number, _))| *number);
            let Some((index, _)) = highest else { break };
            let (_, store): (u64, &Store) = drawn.remove(index);
            for target in store.hosts.targets() {
                if !targets.contains(&target) {
                    targets.push(target);
                }
            }
        }
        targets
    }
}

impl Store {
    /// The highest of its numbers for a key.
    fn draw(&self, key: u64) -> u64 {
        self.seeds.iter().map(|seed| draw_with(key, *seed)).max().unwrap_or_default()
    }
}

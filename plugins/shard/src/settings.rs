use waypost_sdk::serde::{Deserialize, Deserializer};
use waypost_sdk::{Delimiter, HostList, MAX_TARGETS, Problems, Table};

use crate::hash::seed;
use crate::policy::{By, Shard, Store};

/// The most weight that all shards have together: one draw for each, in every decision.
const MOST_WEIGHT: u32 = 10_000;

/// The settings as the operator writes them; the crate's documentation explains each.
#[derive(Debug, Deserialize)]
#[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
pub struct Settings {
    shards: Table<StoreSettings>,
    #[serde(default)]
    by: By,
    #[serde(default = "one")]
    copies: u32,
    #[serde(default)]
    recipient_delimiter: Delimiter,
    #[serde(default)]
    case_sensitive: bool,
}

#[derive(Debug, Deserialize)]
#[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
struct StoreSettings {
    hosts: HostList,
    #[serde(default = "one", deserialize_with = "weight")]
    weight: u32,
}

fn one() -> u32 {
    1
}

fn weight<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    use waypost_sdk::serde::de::{Error, Unexpected};
    match u32::deserialize(deserializer)? {
        weight @ 1..=MOST_WEIGHT => Ok(weight),
        other => Err(D::Error::invalid_value(
            Unexpected::Unsigned(other.into()),
            &format!("a weight from 1 to {MOST_WEIGHT}").as_str(),
        )),
    }
}

impl Settings {
    /// The policy, unless the settings contradict each other.
    pub(crate) fn check(self) -> Result<Shard, Problems> {
        let mut problems = Problems::new();
        let shards = self.shards.0;
        if shards.is_empty() {
            problems.add("/shards", "at least one shard was expected, here is none");
        }
        let weight: u32 = shards.iter().map(|(_, shard)| shard.weight).sum();
        if weight > MOST_WEIGHT {
            let message = format!("all weights together are {weight}, more than {MOST_WEIGHT}");
            problems.add("/shards", message);
        }
        check_copies(self.copies, &shards, &mut problems);
        let stores = shards.into_iter().map(|(name, shard)| Store {
            seeds: (0..shard.weight).map(|i| seed(name.as_bytes(), i)).collect(),
            hosts: shard.hosts,
        });
        problems.or(Shard {
            stores: stores.collect(),
            by: self.by,
            copies: self.copies as usize,
            delimiter: self.recipient_delimiter,
            is_case_sensitive: self.case_sensitive,
        })
    }
}

/// Whether there are as many shards as copies, and their hosts fit into a route.
fn check_copies(copies: u32, shards: &[(String, StoreSettings)], problems: &mut Problems) {
    if copies == 0 || copies as usize > shards.len().max(1) {
        let message = format!("1 to {} were expected, one shard for each copy", shards.len());
        problems.add("/copies", message);
        return;
    }
    let most = shards.iter().map(|(_, shard)| shard.hosts.hosts().len()).max().unwrap_or_default();
    let most = most.saturating_mul(copies as usize);
    if most > MAX_TARGETS {
        let message = format!("the hosts of so many shards can be {most}, more than {MAX_TARGETS}");
        problems.add("/copies", message);
    }
}

use waypost_sdk::serde::Deserialize;
use waypost_sdk::{
    Answer, Delimiter, Failure, Host, Lookup, Policy, Problems, Refusal, pass, refuse, route,
};

use crate::map::Map;
use crate::settings::Settings;

/// The policy: its settings, ready for use.
#[derive(Debug)]
pub struct LocalMap {
    pub(crate) map: Map,
    pub(crate) no_entry: NoEntry,
    pub(crate) delimiter: Delimiter,
}

/// What it means that an address is not in the list.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
pub(crate) enum NoEntry {
    #[default]
    Refuse,
    Pass,
}

impl Policy for LocalMap {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, Problems> {
        settings.check()
    }

    fn route(&self, lookup: &Lookup, _host: &dyn Host) -> Result<Answer, Failure> {
        Ok(match self.map.find(lookup, self.delimiter) {
            Some((hosts, identity)) => route(hosts.targets(), identity),
            None => match self.no_entry {
                NoEntry::Refuse => refuse(Refusal::UnknownUser),
                NoEntry::Pass => pass(),
            },
        })
    }
}

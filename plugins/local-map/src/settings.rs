use waypost_sdk::serde::Deserialize;
use waypost_sdk::{Delimiter, Problems};

use crate::map::Map;
use crate::policy::{LocalMap, NoEntry};

/// The settings as the operator writes them; the crate's documentation explains each.
#[derive(Debug, Deserialize)]
#[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
pub struct Settings {
    map: String,
    #[serde(default)]
    no_entry: NoEntry,
    #[serde(default)]
    recipient_delimiter: Delimiter,
    #[serde(default)]
    case_sensitive: bool,
}

impl Settings {
    /// The policy, unless something is wrong with the list.
    pub(crate) fn check(self) -> Result<LocalMap, Problems> {
        Ok(LocalMap {
            map: Map::read(&self.map, self.case_sensitive)?,
            no_entry: self.no_entry,
            delimiter: self.recipient_delimiter,
        })
    }
}

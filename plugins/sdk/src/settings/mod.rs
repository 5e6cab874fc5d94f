//! Reading the `settings` table of a policy into a type of its author.
//!
//! The type derives serde's `Deserialize`; what the settings are allowed to be is said by its
//! fields. This module supplies what serde alone does not: every problem instead of the first,
//! each with its JSON pointer (RFC 6901) and in the operator's words, keys that no field asks for
//! among them.
//!
//! ```
//! use waypost_sdk::serde::Deserialize;
//! use waypost_sdk::{HostList, settings};
//!
//! #[derive(Debug, Deserialize)]
//! #[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
//! struct Settings {
//!     hosts: HostList,
//!     #[serde(default)]
//!     cache_for: Option<u32>,
//! }
//!
//! let problems = settings::read::<Settings>(r#"{"hosts": ["a b"], "cache-for": -1, "more": 1}"#);
//! let problems = problems.unwrap_err();
//! let said: Vec<_> = problems.iter().map(|p| format!("{}: {}", p.path, p.message)).collect();
//! assert_eq!(
//!     said,
//!     [
//!         "/cache-for: a whole number from 0 to 4294967295 was expected, here is -1",
//!         "/hosts/0: \"a b\": this is neither a host name nor an address",
//!         "/more: there is no such setting",
//!     ]
//! );
//! ```

mod fault;
mod node;
mod problems;
mod reading;
mod stand_in;
mod table;
mod text;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Problem;
pub use problems::{Problems, pointer};
use reading::Reading;
pub use table::Table;
pub use text::text;

/// Reads the settings, a JSON text, or says everything that is wrong with them.
pub fn read<T: DeserializeOwned>(json: &str) -> Result<T, Vec<Problem>> {
    let problem = |message| Err(vec![Problem { path: String::new(), message }]);
    match serde_json::from_str(json) {
        Ok(table @ Value::Object(_)) => Reading::of(&table),
        Ok(other) => problem(format!("a table was expected, here is {}", kind(&other))),
        Err(error) => problem(format!("the settings are not JSON: {error}")),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

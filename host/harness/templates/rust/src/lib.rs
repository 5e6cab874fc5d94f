//! A policy for Waypost: everybody lives on the same hosts, but for those who have moved.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `hosts` | required | where everybody lives, in the order in which it is tried |
//! | `moved` | `{}` | address → hosts, for those who live elsewhere |

use std::collections::HashMap;

use waypost_sdk::serde::Deserialize;
use waypost_sdk::{Answer, Failure, Host, HostList, Lookup, Policy, Problems, Table, pointer, route};

/// What the operator writes under `[policy.NAME.settings]`. A key that is not here, and a value
/// that is none, are told with their place before `configure` sees anything.
#[derive(Debug, Deserialize)]
#[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
pub struct Settings {
    hosts: HostList,
    #[serde(default)]
    moved: Table<HostList>,
}

/// The policy, ready to answer. Every decision starts from a copy of it.
#[derive(Debug)]
pub struct Plugin {
    hosts: HostList,
    /// By address, in lower case.
    moved: HashMap<String, HostList>,
}

impl Policy for Plugin {
    type Settings = Settings;

    fn configure(settings: Settings) -> Result<Self, Problems> {
        let mut problems = Problems::new();
        for (address, _) in &settings.moved.0 {
            if !address.contains('@') {
                problems.add(pointer("/moved", address), "an address was expected");
            }
        }
        let moved = settings.moved.0.into_iter();
        let moved = moved.map(|(address, hosts)| (address.to_ascii_lowercase(), hosts));
        problems.or(Self { hosts: settings.hosts, moved: moved.collect() })
    }

    fn route(&self, lookup: &Lookup, _host: &dyn Host) -> Result<Answer, Failure> {
        let moved = self.moved.get(&lookup.address.to_ascii_lowercase());
        Ok(route(moved.unwrap_or(&self.hosts).targets(), None))
    }
}

waypost_sdk::export!(Plugin);

/// These run without WebAssembly: `cargo test`.
#[cfg(test)]
mod tests {
    use waypost_sdk::testing::{Double, configure, lookup, problems};
    use waypost_sdk::{Decision, Policy};

    use super::Plugin;

    const SETTINGS: &str = r#"{"hosts": "mail1", "moved": {"user2@example.test": "mail2"}}"#;

    fn first_host(address: &str) -> String {
        let policy: Plugin = configure(SETTINGS).expect("good settings");
        let answer = policy.route(&lookup(address), &Double::new()).expect("an answer");
        let Decision::Route(route) = answer.decision else { panic!("{answer:?}") };
        route.targets[0].host.clone()
    }

    #[test]
    fn everybody_but_those_who_have_moved() {
        assert_eq!(first_host("user1@example.test"), "mail1");
        assert_eq!(first_host("USER2@example.test"), "mail2");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let wrong = r#"{"hosts": "mail1", "moved": {"nobody": "mail2"}}"#;
        assert_eq!(problems::<Plugin>(wrong), ["/moved/nobody: an address was expected"]);
        assert_eq!(problems::<Plugin>("{}"), ["/hosts: this setting is required"]);
    }
}

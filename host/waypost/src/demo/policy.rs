//! Who decides in the demo: the policy that comes with Waypost, or one that its author wants to see
//! at work.

use std::path::{Path, absolute};

use anyhow::Context as _;
use toml::{Table, Value};

use crate::cli::DemoArgs;

/// The policy's section of the configuration, and its name.
pub(super) struct Policy {
    pub(super) name: &'static str,
    pub(super) section: String,
}

/// What comes with Waypost.
const SHIPPED: &str = r#"[policy.ldap]
plugin = "builtin:ldap-routing"
directories = { main = ["mail", "mailHost"] }
targets = ["127.0.0.2", "127.0.0.3"]

[policy.ldap.settings]
directory = "main"
search-base = "%s"
search-pattern = "mail=%e"
host-field = "mailHost"
use-first = true
"#;

impl Policy {
    pub(super) fn new(arguments: &DemoArgs) -> anyhow::Result<Self> {
        let Some(plugin) = &arguments.plugin else {
            return Ok(Self { name: "ldap", section: SHIPPED.to_owned() });
        };
        let settings = match &arguments.settings {
            Some(path) => read(path).with_context(|| path.display().to_string())?,
            None => Table::new(),
        };
        let plugin = match plugin.to_string_lossy().starts_with("builtin:") {
            true => plugin.clone(),
            false => absolute(plugin)?,
        };
        let section = section(&plugin, settings)?;
        Ok(Self { name: "demo", section })
    }
}

fn read(path: &Path) -> anyhow::Result<Table> {
    Ok(std::fs::read_to_string(path)?.parse()?)
}

/// The grants are those of the policy that comes with Waypost.
fn section(plugin: &Path, settings: Table) -> anyhow::Result<String> {
    let plugin = plugin.to_str().context("the plugin's path is not UTF-8")?;
    let strings = |texts: &[&str]| Value::Array(texts.iter().map(|&text| text.into()).collect());
    let mut directories = Table::new();
    directories.insert("main".into(), strings(&["mail", "mailHost"]));
    let mut policy = Table::new();
    policy.insert("plugin".into(), plugin.into());
    policy.insert("directories".into(), directories.into());
    policy.insert("targets".into(), strings(&["127.0.0.2", "127.0.0.3"]));
    policy.insert("settings".into(), settings.into());
    let named = Table::from_iter([("demo".to_owned(), Value::from(policy))]);
    Ok(toml::to_string(&Table::from_iter([("policy".to_owned(), Value::from(named))]))?)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::section;

    #[test]
    fn settings_keep_their_tables() {
        let settings = "hosts = [\"127.0.0.2\"]\n[moved]\n\"a@b.test\" = [\"127.0.0.3\"]";
        let text =
            section(Path::new("/x/y.wasm"), settings.parse().expect("TOML")).expect("it fits");
        let read: toml::Table = text.parse().expect("TOML");
        let policy = &read["policy"]["demo"];
        assert_eq!(policy["plugin"].as_str(), Some("/x/y.wasm"));
        assert_eq!(policy["settings"]["moved"]["a@b.test"][0].as_str(), Some("127.0.0.3"));
    }
}

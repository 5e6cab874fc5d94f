//! `waypost plugin new`.

use crate::output::say;
use std::path::Path;

use waypost_harness::template::{Language, create};

use super::problem::Problem;
use crate::cli::{PluginLanguage, PluginNewArgs};

/// Makes a project and says what to do next.
pub(super) fn run(arguments: &PluginNewArgs) -> Result<(), Problem> {
    let name = &arguments.name;
    let folder = arguments.folder.clone().unwrap_or_else(|| name.to_string().into());
    create(&folder, name, arguments.language.into())?;
    say!("{} holds a policy that builds as it stands. Next:\n", folder.display());
    say!("    cd {}", quoted(&folder));
    if let Some(tools) = tools(arguments.language) {
        say!("    {tools}");
    }
    say!("    waypost plugin build\n    waypost plugin test cases.toml\n");
    say!("README.md says more.");
    Ok(())
}

/// What must be installed into the project before it builds.
fn tools(language: PluginLanguage) -> Option<&'static str> {
    match language {
        PluginLanguage::Rust => None,
        PluginLanguage::Python => {
            Some("python3 -m venv .venv && .venv/bin/pip install -r requirements.txt")
        }
        PluginLanguage::Js => Some("npm ci"),
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

impl From<PluginLanguage> for Language {
    fn from(language: PluginLanguage) -> Self {
        match language {
            PluginLanguage::Rust => Self::Rust,
            PluginLanguage::Python => Self::Python,
            PluginLanguage::Js => Self::JavaScript,
        }
    }
}

use std::os::unix::ffi::OsStringExt;

use waypost_model::Secret;

use super::file::{PrivateFile, unreadable};
use crate::read::{Node, Section, Setting, Value};

static FILE: Setting<PrivateFile> = Setting::optional(
    "file",
    "\"ldap.secret\"",
    "it comes from the environment",
    "The file that holds it, and nothing else but a line's end.",
);
static ENV: Setting<String> = Setting::optional(
    "env",
    "\"WAYPOST_LDAP_PASSWORD\"",
    "it comes from a file",
    "The environment variable that holds it.",
);
static SECRET: Section =
    Section { header: "", about: "Where a secret comes from.", settings: &[&FILE, &ENV] };

/// A secret, from a file or from the environment. One that stands in the configuration itself is
/// refused: configurations are shown, copied and put under version control.
#[derive(Clone, Debug)]
pub(crate) struct SecretValue(pub(crate) Secret);

impl Value for SecretValue {
    fn expected() -> String {
        "{ file = \"…\" } or { env = \"…\" }".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        if node.text().is_some() {
            return node.error(format_args!(
                "a secret does not stand in the configuration, which is shown and copied: \
                 expected {}",
                Self::expected()
            ));
        }
        if !node.is_table() {
            // Whatever it is, it may be the secret.
            return node.error(format_args!("expected {}", Self::expected()));
        }
        let (is_file, is_env, file, env) = node.table(&SECRET, |table| {
            (table.has(&FILE), table.has(&ENV), table.find(&FILE), table.find(&ENV))
        })?;
        if is_file == is_env {
            return node.error(format_args!("expected either {}", Self::expected()));
        }
        let octets = match (file, env) {
            (Some(file), _) => from_file(node, &file)?,
            (_, Some(name)) => from_environment(node, &name)?,
            _ => return None,
        };
        if octets.is_empty() {
            return node.error("the secret is empty");
        }
        Some(Self(Secret::new(octets)))
    }
}

fn from_file(node: &Node<'_>, file: &PrivateFile) -> Option<Vec<u8>> {
    match node.reading.surroundings.read(&file.0) {
        Ok(mut octets) => {
            // Editors end the last line; passwords do not.
            if octets.last() == Some(&b'\n') {
                octets.pop();
                if octets.last() == Some(&b'\r') {
                    octets.pop();
                }
            }
            Some(octets)
        }
        Err(error) => node.error(unreadable(&file.0, &error)),
    }
}

fn from_environment(node: &Node<'_>, name: &str) -> Option<Vec<u8>> {
    match node.reading.surroundings.variable(name) {
        Some(value) => Some(value.into_vec()),
        None => node.error(format_args!("the environment variable {name} is not set")),
    }
}

use waypost_policy::PluginSource;

use super::file::ExistingFile;
use crate::read::{Node, Value};
use crate::suggest::nearest;

/// A component: `builtin:NAME` or the path of a file.
#[derive(Clone, Debug)]
pub(crate) struct Plugin(pub(crate) PluginSource);

impl Value for Plugin {
    fn expected() -> String {
        "\"builtin:NAME\" or the path of a component".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        let Some(text) = node.text() else { return node.expected(Self::expected()) };
        match text.strip_prefix("builtin:") {
            Some(name) => builtin(node, name).map(Self),
            None => Some(Self(PluginSource::File(node.read::<ExistingFile>()?.0))),
        }
    }
}

fn builtin(node: &Node<'_>, name: &str) -> Option<PluginSource> {
    let plugins = node.reading.surroundings.plugins();
    if let Some(plugin) = plugins.iter().find(|plugin| plugin.name == name) {
        return Some(PluginSource::Builtin { name: plugin.name, bytes: plugin.bytes });
    }
    let names: Vec<_> = plugins.iter().map(|plugin| plugin.name).collect();
    let help = match nearest(name, names.iter().copied()) {
        Some(meant) => format!("did you mean \"builtin:{meant}\"?"),
        None => format!("this version comes with {}", names.join(", ")),
    };
    let message = format!("there is no builtin plugin {name:?}");
    node.note(crate::Severity::Error, message, Some(help));
    None
}

/// A digest in hexadecimal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sha256(pub(crate) [u8; 32]);

impl Value for Sha256 {
    fn expected() -> String {
        "a SHA-256: 64 hexadecimal digits".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        let digest = node.text().and_then(from_hex);
        digest.map(Self).or_else(|| node.expected(Self::expected()))
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return None;
    }
    let mut digest = [0; 32];
    for (octet, digits) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digit = |digit: &u8| char::from(*digit).to_digit(16);
        let [high, low] = digits else { return None };
        *octet = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
    }
    Some(digest)
}

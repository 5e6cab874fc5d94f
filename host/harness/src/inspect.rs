//! What a component is, without running anything of it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use thiserror::Error;
use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldItem, WorldKey};

use crate::sources::sha256;

/// The interface that makes a component a plugin, of whatever version.
const MAPPING: &str = "waypost:policy/mapping@";
/// The interface by which a plugin asks directories.
const DIRECTORY: &str = "waypost:policy/directory@";
/// No component is larger; the host that loads policies has the same limit.
const MAX_COMPONENT: u64 = 64 << 20;

/// What can be said of a component by looking at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Its SHA-256 in hexadecimal, for `sha256` in a configuration.
    pub sha256: String,
    /// Its size in octets.
    pub size: usize,
    /// The interfaces that it imports, with what of them.
    pub imports: Vec<Interface>,
    /// The interfaces that it exports, with what of them.
    pub exports: Vec<Interface>,
}

/// An interface, or a function by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name with its version.
    pub name: String,
    /// Its functions, in the order in which they are declared.
    pub functions: Vec<String>,
}

/// Why nothing can be said.
#[derive(Debug, Error)]
pub enum InspectError {
    /// The file.
    #[error("it cannot be read: {0}")]
    Read(io::Error),
    /// More than 64 MiB.
    #[error("it has more than {} MiB", MAX_COMPONENT >> 20)]
    TooLarge,
    /// A module without a component around it.
    #[error("this is a core WebAssembly module, not a component")]
    CoreModule,
    /// Not WebAssembly, or not valid.
    #[error("this is no WebAssembly component{0}")]
    NotComponent(String),
}

impl Inspection {
    /// Looks at a file.
    ///
    /// # Errors
    /// What is no component.
    pub fn read(path: &Path) -> Result<Self, InspectError> {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(InspectError::Read)?;
        // Not the file's length: it may be a pipe, or grow.
        file.take(MAX_COMPONENT + 1).read_to_end(&mut bytes).map_err(InspectError::Read)?;
        if bytes.len() as u64 > MAX_COMPONENT {
            return Err(InspectError::TooLarge);
        }
        Self::of(&bytes)
    }

    /// Looks at a component's bytes.
    ///
    /// # Errors
    /// What is no component.
    pub fn of(bytes: &[u8]) -> Result<Self, InspectError> {
        if let [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] = bytes {
            return Err(InspectError::CoreModule);
        }
        if !bytes.starts_with(b"\0asm") {
            // Not in the decoder's words, which show octets.
            return Err(InspectError::NotComponent(String::new()));
        }
        let decoded = wit_component::decode(bytes);
        let decoded =
            decoded.map_err(|error| InspectError::NotComponent(format!(": {error:#}")))?;
        let DecodedWasm::Component(resolve, world) = decoded else {
            let message = ": it is an interface in binary form".to_owned();
            return Err(InspectError::NotComponent(message));
        };
        let world = resolve
            .worlds
            .get(world)
            .ok_or_else(|| InspectError::NotComponent(": it has no world".into()))?;
        let list = |items: &wit_parser::IndexMap<WorldKey, WorldItem>| {
            items.iter().map(|(key, item)| Interface::of(&resolve, key, item)).collect()
        };
        Ok(Self {
            sha256: sha256(bytes),
            size: bytes.len(),
            imports: list(&world.imports),
            exports: list(&world.exports),
        })
    }

    /// The version of the policy interface that it was built for; `None` where it is no plugin.
    pub fn contract(&self) -> Option<&str> {
        self.exports.iter().find_map(|export| export.name.strip_prefix(MAPPING))
    }

    /// Whether it asks directories, and so wants to be granted some.
    pub fn wants_directories(&self) -> bool {
        self.imports.iter().any(|import| import.name.starts_with(DIRECTORY))
    }
}

impl Interface {
    fn of(resolve: &Resolve, key: &WorldKey, item: &WorldItem) -> Self {
        let functions = match item {
            WorldItem::Interface { id, .. } => resolve.interfaces.get(*id),
            WorldItem::Function(_) | WorldItem::Type { .. } => None,
        };
        let functions = functions.map(|interface| interface.functions.keys().cloned().collect());
        Self { name: resolve.name_world_key(key), functions: functions.unwrap_or_default() }
    }
}

impl fmt::Display for Inspection {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sha256    {}", self.sha256)?;
        writeln!(f, "size      {} octets", self.size)?;
        match self.contract() {
            Some(version) => writeln!(f, "contract  waypost:policy {version}")?,
            None => writeln!(f, "contract  none: it exports no {MAPPING}…")?,
        }
        for (label, list) in [("imports ", &self.imports), ("exports ", &self.exports)] {
            if list.is_empty() {
                writeln!(f, "{label}  nothing")?;
            }
            for interface in list {
                writeln!(f, "{label}  {}", interface.name)?;
                for function in &interface.functions {
                    writeln!(f, "            {function}")?;
                }
            }
        }
        let directories = "directories with their attributes, in `directories` of its policy";
        let wants = if self.wants_directories() { directories } else { "no directory" };
        writeln!(f, "wants     {wants}")?;
        writeln!(f, "wants     targets, in `targets` of its policy, for the routes that it answers")
    }
}

#[cfg(test)]
mod tests {
    use super::{InspectError, Inspection};

    #[test]
    fn the_shipped_policy_is_described() {
        let bytes = include_bytes!("../../../plugins/prebuilt/ldap-routing.wasm");
        let inspection = Inspection::of(bytes).unwrap();
        assert_eq!(inspection.size, bytes.len());
        assert_eq!(inspection.contract(), Some("1.0.0"));
        assert!(inspection.wants_directories());
        let [mapping] = inspection.exports.as_slice() else { panic!("{inspection}") };
        assert_eq!(mapping.functions, ["configure", "route"]);
        assert!(inspection.imports.iter().all(|i| i.name.starts_with("waypost:policy/")));
        let record = include_str!("../../../plugins/prebuilt/ldap-routing.toml");
        assert!(record.contains(&inspection.sha256), "{inspection}");
    }

    #[test]
    fn what_is_no_component_is_named() {
        let refusal = |bytes: &[u8]| Inspection::of(bytes).unwrap_err();
        assert!(matches!(refusal(b"\0asm\x01\0\0\0"), InspectError::CoreModule));
        assert_eq!(refusal(b"# hello").to_string(), "this is no WebAssembly component");
        assert!(matches!(refusal(b""), InspectError::NotComponent(_)));
        let nothing = Inspection::of(b"\0asm\x0d\0\x01\0").unwrap();
        assert_eq!((nothing.contract(), nothing.wants_directories()), (None, false));
    }
}

//! What is embedded in the program: the policies that come with it, as components.

use waypost_config::{BuiltinPlugin, System};
use waypost_harness::cases::Builtin;

/// The component that stands behind `builtin:` with a name.
macro_rules! shipped {
    ($name:literal) => {
        BuiltinPlugin {
            name: $name,
            bytes: include_bytes!(concat!("../../../plugins/prebuilt/", $name, ".wasm")),
        }
    };
}

static PLUGINS: [BuiltinPlugin; 4] =
    [shipped!("ldap-routing"), shipped!("local-map"), shipped!("shard"), shipped!("laser")];

/// The machine, with the embedded plugins.
pub(crate) static SYSTEM: System = System { plugins: &PLUGINS };

/// The embedded plugins for cases.
pub(crate) fn case_plugins() -> Vec<Builtin> {
    let plugin = |plugin: &BuiltinPlugin| Builtin { name: plugin.name, bytes: plugin.bytes };
    PLUGINS.iter().map(plugin).collect()
}

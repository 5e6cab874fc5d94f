//! What is embedded in the program: the policies that come with it, as components.

use waypost_config::{BuiltinPlugin, System};

/// The machine, with the embedded plugins.
pub(crate) const SYSTEM: System = System {
    plugins: &[BuiltinPlugin {
        name: "ldap-routing",
        bytes: include_bytes!("../../../plugins/prebuilt/ldap-routing.wasm"),
    }],
};

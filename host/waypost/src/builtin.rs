//! What is embedded in the program: the policies that come with it, as components.

use waypost_config::{BuiltinPlugin, System};
use waypost_harness::cases::Builtin;

const LDAP_ROUTING: &[u8] = include_bytes!("../../../plugins/prebuilt/ldap-routing.wasm");

/// The machine, with the embedded plugins.
pub(crate) const SYSTEM: System =
    System { plugins: &[BuiltinPlugin { name: "ldap-routing", bytes: LDAP_ROUTING }] };

/// The same for cases.
pub(crate) const CASE_PLUGINS: [Builtin; 1] =
    [Builtin { name: "ldap-routing", bytes: LDAP_ROUTING }];

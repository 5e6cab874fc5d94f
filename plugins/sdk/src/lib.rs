//! What the author of a Waypost policy plugin depends on.
//!
//! A plugin is a type that implements [`Policy`] and is handed to [`export!`]:
//!
//! ```
//! use waypost_sdk::serde::Deserialize;
//! use waypost_sdk::{Answer, Failure, Host, HostList, Lookup, Policy, Problems};
//!
//! /// What the operator writes under `[policy.NAME.settings]`.
//! #[derive(Deserialize)]
//! #[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
//! struct Settings {
//!     hosts: HostList,
//! }
//!
//! /// Everybody lives on the same hosts.
//! struct Everybody {
//!     hosts: HostList,
//! }
//!
//! impl Policy for Everybody {
//!     type Settings = Settings;
//!
//!     fn configure(settings: Settings) -> Result<Self, Problems> {
//!         Ok(Self { hosts: settings.hosts })
//!     }
//!
//!     fn route(&self, _lookup: &Lookup, _host: &dyn Host) -> Result<Answer, Failure> {
//!         Ok(waypost_sdk::route(self.hosts.targets(), None))
//!     }
//! }
//!
//! waypost_sdk::export!(Everybody);
//! # fn main() {}
//! ```
//!
//! The policy reaches its surroundings through the traits [`Host`], [`Directory`] and [`Client`]
//! only, so `cargo test` runs it natively against the doubles in [`testing`], without
//! WebAssembly. Queries are written as templates ([`Base`], [`Filter`], both of them in a
//! [`Search`]) whose parameters the host binds and escapes: text that a client chose never becomes
//! part of a filter.
//!
//! | wanted | here |
//! | --- | --- |
//! | hosts with ports, in order | [`HostPort`], [`HostList`] |
//! | a directory's name, an attribute's | [`DirectoryName`], [`AttributeName`] |
//! | a search that operators configure | [`Search`], [`Base`], [`Filter`] |
//! | a tag behind a local part | [`Delimiter`] |
//! | keys of the operator's own choosing | [`Table`] |
//! | a setting written as text, checked | [`text()`] |
//! | what types cannot say of settings | [`Problems`], [`pointer()`] |

mod attribute;
pub mod bindings;
mod component;
mod delimiter;
mod host;
mod hosts;
mod outside;
mod policy;
mod search;
pub mod settings;
pub mod template;
pub mod testing;

pub use attribute::AttributeName;
pub use bindings::exports::waypost::policy::mapping::Problem;
pub use bindings::waypost::policy::directory::{
    Attribute, Entry, Error as SearchError, Page, Query, Scope,
};
pub use bindings::waypost::policy::log::Level;
pub use bindings::waypost::policy::types::{
    Answer, Decision, Encryption, Failure, Hint, IpAddress, Lookup, Principal, Purpose, Refusal,
    Route, Target, Verification,
};
#[doc(hidden)]
pub use component::{Exported, Plugin};
pub use delimiter::Delimiter;
pub use host::{Client, Directory, Host};
pub use hosts::{HostError, HostList, HostPort, MAX_TARGETS};
pub use policy::{Policy, defer, pass, refuse, route};
pub use search::{DirectoryName, Search};
pub use serde;
pub use settings::{Problems, Table, pointer, text};
pub use template::{Base, Filter, Parameters, Subject, TemplateError};

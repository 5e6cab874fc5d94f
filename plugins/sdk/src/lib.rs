//! What the author of a Waypost policy plugin depends on.
//!
//! A plugin is a type that implements [`Policy`] and is handed to [`export!`]:
//!
//! ```
//! use waypost_sdk::{Answer, Failure, Host, HostList, Lookup, Policy, Settings};
//!
//! /// Everybody lives on the same hosts.
//! struct Everybody {
//!     hosts: HostList,
//! }
//!
//! impl Policy for Everybody {
//!     fn configure(settings: &mut Settings) -> Option<Self> {
//!         let hosts = settings.required("hosts");
//!         Some(Self { hosts: hosts? })
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
//! WebAssembly. Queries are written as templates ([`Base`], [`Filter`]) whose parameters the host
//! binds and escapes: text that a client chose never becomes part of a filter.

mod attribute;
pub mod bindings;
mod component;
mod host;
mod hosts;
mod policy;
mod settings;
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
pub use host::{Client, Directory, Host};
pub use hosts::{HostError, HostList, HostPort, MAX_TARGETS};
pub use policy::{Policy, pass, refuse, route};
pub use serde_json::Value;
pub use settings::{Place, Setting, Settings, Table, pointer};
pub use template::{Base, Filter, Parameters, Subject, TemplateError};

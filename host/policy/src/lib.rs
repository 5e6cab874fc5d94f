//! Policies: load, configure and ask WebAssembly components. The only crate that runs WebAssembly.
//!
//! A [`Host`] holds the engine, once for each process. A [`Policy`] is a plugin with its settings
//! and its grants; [`Policy::decide`] asks it one question in a fresh instance, under the
//! [`Limits`] of the policy, and returns what came of it in the words of `waypost-model`. Nothing
//! of Wasmtime and nothing of the guest's types is seen from outside.

mod bindings;
mod breaker;
mod clock;
mod code_cache;
mod decide;
mod fault;
#[doc(hidden)]
pub mod fuzz;
mod guest;
mod host;
mod load;
mod metrics;
mod observation;
mod output;
mod policy;
mod rate;
mod setting_file;
mod settings;
mod targets;
mod text;

pub use breaker::BreakerState;
pub use code_cache::{CodeCache, CodeCacheError, CodeCacheSettings};
pub use host::{AddressForm, EngineSettings, Host, HostError};
pub use load::{CodeSource, LoadError};
pub use metrics::Metrics;
pub use observation::{Cost, Exchanged, LineLevel, LogLine, Observation};
pub use policy::Policy;
pub use rate::Rate;
pub use setting_file::{MAX_SETTING_FILE, SettingFileError, read_setting_file};
pub use settings::{GrantedDirectory, Limits, PluginSource, PolicySettings};
pub use targets::{PatternError, PatternFault, TargetPatterns};

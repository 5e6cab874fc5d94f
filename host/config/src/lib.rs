//! The configuration: TOML with places, turned into the plain structs that each crate owns.
//!
//! [`Config::load`] reads a file and everything that it refers to, or says everything that is wrong
//! with it, each with file, line, column, key and what was expected. What shows itself only later,
//! when a plugin reads its settings or a certificate is loaded, gets its place by
//! [`Config::problem`] and [`Config::load_problems`].
//!
//! Each setting is declared once, in `sections`, with its type, its default and its meaning;
//! [`reference()`] writes `config/reference.toml` from that.

mod build;
mod check;
mod config;
#[doc(hidden)]
pub mod fuzz;
mod json;
mod places;
mod problem;
mod read;
mod reference;
mod sections;
mod source;
mod suggest;
mod surroundings;
mod value;

pub use config::{Config, ConfigError};
pub use json::Json;
pub use problem::{Problem, Problems, Severity};
pub use reference::reference;
pub use sections::backend::Backend;
pub use sections::directory::Directory;
pub use sections::domain::Domain;
pub use sections::listener::{Listener, LoginListener, Spoken, WebListener};
pub use sections::policy::Policy;
pub use sections::server::{Log, LogAddresses, LogFormat, LogLevel, Server};
pub use sections::spool::Spool;
pub use sections::tls::Tls;
pub use source::Place;
pub use surroundings::{BuiltinPlugin, FileFacts, Surroundings, System};

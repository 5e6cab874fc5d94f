//! The reverse proxy that keeps a browser on the back end of its user.
//!
//! [`serve`] takes a connection from its first octet to its last. Over it come requests, each of
//! which is an *exchange*: it is looked through, its visitor is made out, the router names the back
//! end, the request goes there over a connection that is kept for the next one, and the answer comes
//! back as it is read. HTTP itself is hyper's: what is ours is what may pass, where to, and what
//! becomes of it when something fails.

mod answer;
mod back;
mod body;
mod exchange;
mod front;
mod headers;
mod journal;
mod metrics;
mod paths;
mod probe;
mod requests;
mod scrutiny;
mod serve;
mod service;
mod session;
mod settings;
mod tunnel;
mod visitor;

pub use metrics::Metrics;
pub use probe::{ProbeError, probe};
pub use serve::serve;
pub use service::{Entrance, Service};
pub use settings::Settings;

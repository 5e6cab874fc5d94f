//! One login driver for every protocol that logs in: from credentials to hand-over.
//!
//! [`serve`] takes a connection from its first octet to a relay that runs on its own. In between
//! stands one chain, whatever the protocol: a front's dialogue yields a credential, the router a
//! route, the verifier its word where the route asks for it, the connector a back end, a back's
//! dialogue the back end's word.

mod attempt;
mod driver;
mod entry;
mod journal;
mod metrics;
mod probe;
mod session;
mod settings;
mod target;
mod verdict;
mod verify;
mod withhold;

pub use driver::{Driver, Entrance};
pub use metrics::Metrics;
pub use probe::{ProbeError, Probed, probe};
pub use session::serve;
pub use settings::Settings;

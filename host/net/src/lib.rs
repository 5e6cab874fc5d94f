//! Listeners, TLS on both legs, limits, name resolution, target health, connecting and the relay.

pub mod backend;
mod buffers;
mod clock;
pub mod connect;
#[doc(hidden)]
pub mod fuzz;
pub mod health;
mod jitter;
pub mod limits;
pub mod listener;
pub mod metrics;
pub mod networks;
mod own;
pub mod privileges;
pub mod proxy_header;
mod rate;
pub mod relay;
pub mod resolve;
pub mod session;
mod socket;
pub mod stream;
pub mod tls;

pub use buffers::wipe as wipe_buffers;
pub use jitter::jittered;
pub use metrics::Metrics;
pub use own::OwnListeners;
pub use relay::{Leg, relay};
pub use session::{SessionRecord, SessionTable};
pub use stream::Stream;

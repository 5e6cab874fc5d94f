//! Inbound mail: legs and their outcomes, the promise that keeps a message, reports.
//!
//! [`legs`], [`outcome`], [`received`], [`record`], [`report`] and [`translate`] do no I/O and read no
//! clock: events and time in, actions and octets out. So every order in which clients, back ends and
//! the disk can answer is tested without any of them.

mod backend;
mod client;
mod delivering;
mod fail_point;
mod journal;
mod late;
pub mod legs;
mod link;
mod metrics;
mod offer;
pub mod outcome;
mod pool;
mod probe;
mod promise;
mod queue;
pub mod received;
mod recipient;
pub mod record;
pub mod report;
mod scrutiny;
mod serve;
mod service;
mod session;
mod settings;
mod transaction;
pub mod translate;
mod wording;

pub use fail_point::{FailPoint, FailPoints, Fate};
pub use metrics::Metrics;
pub use probe::{ProbeError, probe};
pub use queue::{OperateError, Queue};
pub use serve::serve;
pub use service::{Entrance, Service};
pub use settings::{EntranceSettings, Settings, Split};

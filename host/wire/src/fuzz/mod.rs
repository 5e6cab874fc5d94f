//! What the fuzz targets call: one function for each parser and dialogue, which takes any octets,
//! must not panic, and asserts what holds for every input. Ordinary tests replay the seeds.

mod dialogue;
mod pop3;
mod proxy;

pub use pop3::{pop3_back, pop3_front};
pub use proxy::proxy;

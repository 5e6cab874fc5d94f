//! What the sender of an undeliverable message gets to read, and what programs make of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene shall fail")]

mod content;
mod hostile;
mod scene;
mod whole;

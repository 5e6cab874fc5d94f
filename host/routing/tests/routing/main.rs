//! What routing promises, with scripted policies.
#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene shall fail")]

mod order;
mod renewal;
mod reuse;
mod shadow;
mod sharing;
mod stale;
mod world;

//! The delivery of a message: the table of outcomes, row by row, and every order of events.
#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene shall fail")]

mod exhaustive;
mod random;
mod table;
mod world;

//! What a configuration may say, and what is told of one that is wrong.
#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene shall fail")]

mod broken;
mod examples;
mod good;
mod impossible;
mod later;
mod mail;
mod scene;
mod submission;

//! What the author of a plugin needs: building a component, running cases against it, and saying
//! whether a shipped one is current.
//!
//! - [`toolchain`] finds a compiler that can build for WebAssembly, or says what to install.
//! - [`template`] makes a new plugin's folder.
//! - [`build`] makes a component of one; two builds from two folders are equal.
//! - [`prebuilt`] keeps components beside a record of what they were made from, so that saying
//!   whether one is older than its sources needs no toolchain.
//! - [`inspect`] says what a component is without running it.
//! - [`interface`] writes the interface down for the book.
//! - [`cases`] asks a component what it must answer, in the engine that serves sessions.
//! - [`record`] writes what policies were really asked as such cases.

pub mod build;
pub mod cases;
pub mod inspect;
pub mod interface;
mod package;
pub mod prebuilt;
pub mod record;
mod sources;
pub mod template;
pub mod toolchain;

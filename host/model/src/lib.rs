//! The vocabulary of Waypost: addresses, lookups, decisions, targets, failures and faults.
//!
//! Every other crate speaks in these types. Nothing here does I/O or reads a clock.

mod address;
mod answer;
mod context;
mod domain;
mod lookup;
mod protocol;
mod secret;
mod target;
mod trouble;

pub use address::{Address, AddressError, MAX_ADDRESS, MAX_LOCAL_PART};
pub use answer::{
    Answer, Consultation, Decision, Principal, Refusal, Route, Search, Verification,
    VerificationGrant,
};
pub use context::{Context, ContextField, ContextReads, ContextValue};
pub use domain::{Domain, DomainError, MAX_DOMAIN};
pub use lookup::{Lookup, Purpose};
pub use protocol::Protocol;
pub use secret::Secret;
pub use target::{Encryption, Host, HostError, HostPort, Target};
pub use trouble::{Failure, Fault, Trouble};

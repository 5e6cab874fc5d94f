//! The reverse proxy that keeps a browser on the back end of its user.
//!
//! [`serve()`] takes a connection from its first octet to its last. Over it come requests, each of
//! which is an *exchange*: it is looked through, its visitor is made out, the router names the back
//! end, the request goes there over a connection that is kept for the next one, and the answer comes
//! back as it is read. HTTP itself is hyper's: what is ours is what may pass, where to, and what
//! becomes of it when something fails.
//!
//! Who the user is, in this order: credentials in the request itself ([`basic`], [`form`]), which
//! stand above the sealed cookie ([`seal`], [`cookie`]); else a browser gets the identifier-first
//! page ([`page`]), and a program a 401. Where the user's policy has the front check passwords, it
//! does so before a back end hears of them, and a browser remembers that it has ([`proof`]).

mod answer;
mod attempt;
mod back;
pub mod basic;
mod body;
mod browser;
pub mod cookie;
pub mod decoy;
mod entry;
mod exchange;
pub mod form;
mod front;
mod headers;
pub mod home;
mod identification;
mod journal;
pub mod marks;
mod metrics;
mod origin;
pub mod page;
pub mod place;
mod probe;
pub mod proof;
mod reception;
mod requests;
pub mod same_origin;
mod scrutiny;
pub mod seal;
mod serve;
mod service;
mod session;
mod settings;
mod tunnel;
mod verification;
mod visitor;
pub mod way_back;

pub use identification::Identification;
pub use metrics::Metrics;
pub use probe::{ProbeError, probe};
pub use serve::serve;
pub use service::{Entrance, Service};
pub use settings::Settings;

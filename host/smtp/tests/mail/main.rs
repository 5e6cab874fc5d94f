//! What clients, back ends and the disk see of inbound mail, through real sockets.

#![expect(clippy::unwrap_used, reason = "what cannot be set up has failed the test")]

mod back_ends;
mod clients;
mod crash;
mod fronts;
mod full;
mod identity;
mod large;
mod log;
mod one_leg;
mod outcomes;
mod queue;
mod recipients;
mod support;

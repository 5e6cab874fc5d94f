//! The back ends' side: connections with them, kept and new, and what is sent over them.

mod connection;
mod failure;
mod pool;
mod send;

pub(crate) use connection::connect_and_greet;
pub(crate) use failure::TargetFailure;
pub(crate) use pool::{Lease, Pool, Pools};
pub(crate) use send::{Answered, Head, Load, Way};

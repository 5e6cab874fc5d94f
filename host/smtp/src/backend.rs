//! One connection with a back end, over one or several mail transactions.

mod connection;
mod failure;
mod open;

pub(crate) use connection::{Begun, Connection};
pub(crate) use failure::{Broken, TargetFailure};
pub(crate) use open::{Caller, Opener};

//! Message submission up to the login (RFC 6409, RFC 4954), both halves.

mod back;
mod front;
mod text;

pub use back::Back;
pub use front::Front;

/// What the front offers whatever the settings say: clients may pipeline, since it reads their
/// commands one by one and the relay does not mind, and all replies of ours carry their codes.
pub const ALWAYS_OFFERED: [&str; 2] = ["PIPELINING", "ENHANCEDSTATUSCODES"];

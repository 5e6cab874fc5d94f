//! Message submission up to the login (RFC 6409, RFC 4954), both halves.

mod back;
mod front;
mod text;

pub use back::Back;
pub use front::Front;

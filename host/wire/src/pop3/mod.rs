//! POP3 up to the login (RFC 1939, 2449, 2595, 3206, 5034), both halves.

mod back;
mod command;
mod front;
mod reply;

pub use back::Back;
pub use front::Front;

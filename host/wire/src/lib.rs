//! The mail protocols without I/O: lines, literals, SASL, IMAP, POP3, SMTP and the PROXY header.

mod dialogue;
#[doc(hidden)]
pub mod fuzz;
mod http;
pub mod imap;
pub mod line;
pub mod login;
pub mod pop3;
pub mod proxy;
pub mod sasl;
pub mod smtp;
mod ttl;

pub use dialogue::{Back, Front};
pub use ttl::Ttl;

//! The real servers around Waypost, started and stopped by the tests.

mod certificates;
mod dovecot;
mod ports;
mod process;
mod slapd;
mod waypost;

pub use certificates::Authority;
pub use dovecot::Dovecot;
pub use ports::{free_port, free_port_on};
pub use process::{Background, run, wait_for};
pub use slapd::Slapd;
pub use waypost::Waypost;

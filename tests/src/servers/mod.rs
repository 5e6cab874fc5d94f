//! The real servers around Waypost, started and stopped by the tests.

mod certificates;
mod dovecot;
mod ports;
mod process;
mod slapd;
mod waypost;

pub(crate) use certificates::Authority;
pub(crate) use dovecot::{Dovecot, Ports as DovecotPorts};
pub(crate) use ports::{free_port, free_port_on};
pub(crate) use process::{Background, run, wait_for};
pub(crate) use slapd::Slapd;
pub(crate) use waypost::{Waypost, program};

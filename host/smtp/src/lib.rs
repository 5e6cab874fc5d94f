//! Inbound mail: legs and their outcomes, the promise that keeps a message, reports.
//!
//! [`legs`], [`outcome`], [`received`], [`record`], [`report`] and [`translate`] do no I/O and read no
//! clock: events and time in, actions and octets out. So every order in which clients, back ends and
//! the disk can answer is tested without any of them.

pub mod legs;
pub mod outcome;
pub mod received;
pub mod record;
pub mod report;
pub mod translate;

//! The client's side: its octets before hyper sees them.

mod client;
mod patient;

pub(crate) use client::ClientStream;
pub(crate) use patient::PatientStream;

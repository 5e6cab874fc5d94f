//! Webmail: real browsers, real webmails, real DAV clients.

pub(super) mod bad_input;
pub(super) mod browser;
pub(super) mod programs;

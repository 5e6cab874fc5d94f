//! Webmail: real browsers, real webmails, real DAV clients, and whoever is none of these.

pub(super) mod bad_input;
pub(super) mod broken;
pub(super) mod browser;
pub(super) mod caldav;
pub(super) mod cookies;
pub(super) mod http2;
pub(super) mod login;
pub(super) mod paths;
pub(super) mod programs;
pub(super) mod proxy;
pub(super) mod slow;
pub(super) mod smuggling;

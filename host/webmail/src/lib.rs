//! The reverse proxy that keeps a browser on the back end of its user.
//!
//! Who the user is, in this order: credentials in the request itself ([`basic`], [`form`]), which
//! stand above the sealed cookie ([`seal`], [`cookie`]); else a browser gets the identifier-first
//! page ([`page`]), and a program a 401.

pub mod basic;
pub mod cookie;
pub mod decoy;
pub mod form;
pub mod home;
pub mod page;
pub mod place;
pub mod same_origin;
pub mod seal;
pub mod way_back;

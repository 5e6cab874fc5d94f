//! IMAP up to the login (RFC 3501, RFC 9051): the half that mail clients talk to, [`Front`], and
//! the half that talks to back ends, [`Back`].
//!
//! Neither holds input. A command or response is looked at when all of it has come, its literals
//! included, so a dialogue is the same however its octets are cut.

mod argument;
mod back;
mod back_login;
mod capability;
mod command;
mod front;
mod front_sasl;
mod response;
mod text;

pub use back::Back;
pub use front::Front;

use crate::login::MAX_UNREAD;

/// The longest command or response, in octets without its last terminator.
const MAX_COMMAND: usize = MAX_UNREAD - 2;

/// The longest literal that a client may send, in octets: what LITERAL- (RFC 7888 section 5)
/// allows without asking, and far beyond any name or password.
const MAX_LITERAL: usize = 4096;

/// The limits of RFC 2971 section 3.3, and a field.
mod id {
    /// Fields in one list.
    pub(super) const MAX_FIELDS: usize = 30;
    /// Octets of a field's name.
    pub(super) const MAX_KEY: usize = 30;
    /// Octets of a field's value.
    pub(super) const MAX_VALUE: usize = 1024;

    /// Dovecot's field for how many further proxies a session may pass.
    pub(super) const PROXY_TTL: &str = "x-proxy-ttl";
}

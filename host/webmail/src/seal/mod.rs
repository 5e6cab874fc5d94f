//! The sealed route cookie: what Waypost asks a browser to remember, so that nobody else can read
//! or write it.
//!
//! It names the user and never the host, so that a user who is moved lands on the new host. It is
//! no credential: whoever has it is taken to the user's own back end, which asks for the password.
//! Where the front checks passwords, it says whether this browser's user has shown the right one;
//! without that nobody gets beyond the login page. It is sealed, so that nobody can put a browser on
//! another user's back end by writing a cookie, and nobody reads from it who has used a browser.

mod envelope;
mod keys;
mod mark;
mod ring;
mod route_cookie;

pub use keys::{KEY_OCTETS, MAX_KEYS, SealKeys, SealKeysError};
pub use mark::{MARK_LENGTH, Mark};
pub use ring::{KeyRing, KeyRingError, Refreshed};
pub use route_cookie::{MAX_SEALED, OpenError, RouteCookie};

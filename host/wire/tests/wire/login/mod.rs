//! Logins of the protocols whose dialogue is one line a step.

pub(crate) mod back;
mod external;
pub(crate) mod front;
mod ttl;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// As SASL messages travel.
pub(crate) fn base64(message: impl AsRef<[u8]>) -> String {
    STANDARD.encode(message)
}

use std::num::NonZeroUsize;
use std::sync::Arc;

use waypost_model::Encryption;

/// What a listener's fronts are made with; shared by all its sessions.
#[derive(Clone, Debug)]
pub struct FrontSettings {
    /// The name in the greeting and in the answer to EHLO; a host name.
    pub hostname: Arc<str>,
    /// `Implicit`: TLS is up before the first octet. `Starttls`: STARTTLS is offered.
    pub encryption: Encryption,
    /// LMTP (RFC 2033) instead of SMTP.
    pub lmtp: bool,
    /// The largest message, in octets: what SIZE says (RFC 1870).
    pub max_size: u64,
    /// Whether SMTPUTF8 is offered (RFC 6531).
    pub smtputf8: bool,
    /// Whether DSN is offered (RFC 3461).
    pub dsn: bool,
    /// The session ends with this many commands that are no commands.
    pub max_errors: NonZeroUsize,
}

impl Default for FrontSettings {
    fn default() -> Self {
        Self {
            hostname: Arc::from("localhost"),
            encryption: Encryption::Starttls,
            lmtp: false,
            max_size: 50 << 20,
            smtputf8: false,
            dsn: false,
            max_errors: const { NonZeroUsize::new(20).unwrap() },
        }
    }
}

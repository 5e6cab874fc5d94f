use std::sync::Arc;

use waypost_model::Encryption;

use crate::smtp::ClientIdentity;

/// What a dialogue with a back end is made with.
#[derive(Clone, Debug)]
pub struct BackSettings {
    /// `Implicit`: TLS is up before the first octet. `Starttls`: nothing but the way to TLS is
    /// said before it.
    pub encryption: Encryption,
    /// LMTP (RFC 2033): LHLO, and a reply for each recipient after the dot.
    pub lmtp: bool,
    /// Our own name, for EHLO and LHLO.
    pub name: Arc<str>,
    /// What to tell the back end of the client, where it offers to hear it (XCLIENT). Behind it
    /// the client's own name goes with EHLO or LHLO, unless the back end refuses it.
    pub client: Option<ClientIdentity>,
}

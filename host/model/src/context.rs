use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use crate::Protocol;

/// What is known of the client: the getters of the policy interface's `context` resource read
/// these fields, one for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The listener's protocol.
    pub protocol: Protocol,
    /// The listener's name in the configuration.
    pub listener: Arc<str>,
    /// The client's address; behind a trusted proxy, the one that its PROXY header names.
    pub client_address: IpAddr,
    /// Whether the client's leg is encrypted.
    pub encrypted: bool,
    /// The SASL mechanism, or none where the protocol's own login was used.
    pub mechanism: Option<Arc<str>>,
    /// The login name as the client sent it.
    pub login_name: Option<Arc<str>>,
    /// Who authenticates, where that is not the address asked for.
    pub authentication_id: Option<Arc<str>>,
    /// The name in the client's certificate.
    pub certificate_name: Option<Arc<str>>,
    /// The envelope sender; the empty string is the null sender.
    pub sender: Option<Arc<str>>,
    /// When the question was asked.
    pub now: SystemTime,
}

/// One getter of the `context` resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "each is documented at the field of Context that bears its name")]
pub enum ContextField {
    Protocol,
    Listener,
    ClientAddress,
    Encrypted,
    Mechanism,
    LoginName,
    AuthenticationId,
    CertificateName,
    Sender,
    Now,
}

impl ContextField {
    /// Every field, in declaration order.
    pub const ALL: [Self; 10] = [
        Self::Protocol,
        Self::Listener,
        Self::ClientAddress,
        Self::Encrypted,
        Self::Mechanism,
        Self::LoginName,
        Self::AuthenticationId,
        Self::CertificateName,
        Self::Sender,
        Self::Now,
    ];

    /// The getter's name in the policy interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::Listener => "listener",
            Self::ClientAddress => "client-address",
            Self::Encrypted => "encrypted",
            Self::Mechanism => "mechanism",
            Self::LoginName => "login-name",
            Self::AuthenticationId => "authentication-id",
            Self::CertificateName => "certificate-name",
            Self::Sender => "sender",
            Self::Now => "now",
        }
    }
}

/// Which getters a decision read. Their values become part of the key under which the decision is
/// cached, as with HTTP's `Vary`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ContextReads(u16);

impl ContextReads {
    /// No getter.
    pub const NONE: Self = Self(0);

    /// Notes that a getter was called.
    pub fn insert(&mut self, field: ContextField) {
        self.0 |= 1 << field as u8;
    }

    /// Whether a getter was called.
    pub fn contains(self, field: ContextField) -> bool {
        self.0 & (1 << field as u8) != 0
    }

    /// What either of the two read.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether nothing was read.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The fields, in declaration order.
    pub fn iter(self) -> impl Iterator<Item = ContextField> {
        ContextField::ALL.into_iter().filter(move |field| self.contains(*field))
    }
}

impl fmt::Debug for ContextReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(ContextField::as_str)).finish()
    }
}

impl FromIterator<ContextField> for ContextReads {
    fn from_iter<I: IntoIterator<Item = ContextField>>(fields: I) -> Self {
        let mut reads = Self::NONE;
        fields.into_iter().for_each(|field| reads.insert(field));
        reads
    }
}

/// The value of one getter, as it enters a cache key: typed, so that two values of different
/// fields never look alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is documented at the field of Context that bears its name")]
pub enum ContextValue {
    Protocol(Protocol),
    Text(Option<Arc<str>>),
    Address(IpAddr),
    Flag(bool),
    /// Whole seconds since 1970.
    Seconds(u64),
}

impl Context {
    /// The value that the getter of `field` answers.
    pub fn value(&self, field: ContextField) -> ContextValue {
        match field {
            ContextField::Protocol => ContextValue::Protocol(self.protocol),
            ContextField::Listener => ContextValue::Text(Some(self.listener.clone())),
            ContextField::ClientAddress => ContextValue::Address(self.client_address),
            ContextField::Encrypted => ContextValue::Flag(self.encrypted),
            ContextField::Mechanism => ContextValue::Text(self.mechanism.clone()),
            ContextField::LoginName => ContextValue::Text(self.login_name.clone()),
            ContextField::AuthenticationId => ContextValue::Text(self.authentication_id.clone()),
            ContextField::CertificateName => ContextValue::Text(self.certificate_name.clone()),
            ContextField::Sender => ContextValue::Text(self.sender.clone()),
            ContextField::Now => ContextValue::Seconds(self.now_seconds()),
        }
    }

    /// Whole seconds since 1970; zero for a clock set before that.
    pub fn now_seconds(&self) -> u64 {
        self.now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::{ContextField, ContextReads};

    #[test]
    fn each_field_has_its_own_bit() {
        for field in ContextField::ALL {
            let reads = ContextReads::from_iter([field]);
            assert_eq!(reads.iter().collect::<Vec<_>>(), [field]);
        }
    }
}

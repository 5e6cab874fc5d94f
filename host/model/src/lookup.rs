use crate::Address;

/// Why somebody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Somebody logs in.
    Login,
    /// A message is offered to this address.
    Recipient,
    /// A webmail page asks where this address lives; no credential is at hand.
    Identify,
}

impl Purpose {
    /// The name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Recipient => "recipient",
            Self::Identify => "identify",
        }
    }
}

/// The question to a policy. What is known of the client stands beside it, in
/// [`Context`](crate::Context).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lookup {
    /// Why somebody asks.
    pub purpose: Purpose,
    /// Who or what is asked for.
    pub address: Address,
}

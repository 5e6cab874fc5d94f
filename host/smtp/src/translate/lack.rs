use waypost_wire::smtp::{EnhancedCode, Reply};

/// What a message needs of the back ends that it goes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The size that the client declared, in octets (RFC 1870).
    pub size: Option<u64>,
    /// The client said `BODY=8BITMIME` (RFC 6152).
    pub eight_bit: bool,
    /// The client said `SMTPUTF8` (RFC 6531).
    pub smtputf8: bool,
    /// The sender's or the recipient's address is not all ASCII.
    pub non_ascii_address: bool,
}

/// What a back end takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// The largest message, in octets, where it says one. None and zero: it says none.
    pub size: Option<u64>,
    /// It offers 8BITMIME, or is configured to be taken for a server that can do it.
    pub eight_bit: bool,
    /// It offers SMTPUTF8.
    pub smtputf8: bool,
}

/// What a back end lacks. Nothing is re-encoded for its sake, since that would break signatures
/// (RFC 6376): its recipients, and nobody else's, are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lack {
    /// The message is larger than it takes.
    Size,
    /// Non-ASCII addresses.
    AddressUtf8,
    /// SMTPUTF8, for what is in the message's header.
    Smtputf8,
    /// 8BITMIME.
    EightBit,
}

impl Lack {
    /// What is missing first, if anything.
    pub fn find(needs: &Needs, offers: &Offers) -> Option<Self> {
        let largest = offers.size.filter(|largest| *largest > 0);
        if needs.size.zip(largest).is_some_and(|(size, largest)| size > largest) {
            return Some(Self::Size);
        }
        if !offers.smtputf8 && needs.non_ascii_address {
            return Some(Self::AddressUtf8);
        }
        if !offers.smtputf8 && needs.smtputf8 {
            return Some(Self::Smtputf8);
        }
        (needs.eight_bit && !offers.eight_bit).then_some(Self::EightBit)
    }

    /// The reply to RCPT.
    pub const fn reply(self) -> Reply {
        match self {
            Self::Size => Reply::new(
                552,
                EnhancedCode::new(5, 3, 4),
                "The message is larger than the mailbox server takes",
            ),
            Self::AddressUtf8 => Reply::new(
                550,
                EnhancedCode::new(5, 6, 7),
                "The mailbox server takes no international addresses",
            ),
            Self::Smtputf8 => Reply::new(
                550,
                EnhancedCode::new(5, 6, 9),
                "The mailbox server takes no international messages",
            ),
            Self::EightBit => Reply::new(
                550,
                EnhancedCode::new(5, 6, 3),
                "The mailbox server takes no 8-bit data, and nothing is converted",
            ),
        }
    }

    /// The name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::AddressUtf8 => "address-utf8",
            Self::Smtputf8 => "smtputf8",
            Self::EightBit => "8bitmime",
        }
    }
}

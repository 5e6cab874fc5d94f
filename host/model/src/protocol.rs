use std::fmt;

/// A protocol that a listener speaks with mail clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// RFC 3501, RFC 9051.
    Imap,
    /// RFC 1939.
    Pop3,
    /// RFC 5321.
    Smtp,
    /// RFC 2033.
    Lmtp,
    /// RFC 6409.
    Submission,
    /// HTTP, for browsers, DAV and ActiveSync clients.
    Webmail,
}

impl Protocol {
    /// Every protocol, in the order in which the documents name them.
    pub const ALL: [Self; 6] =
        [Self::Imap, Self::Pop3, Self::Smtp, Self::Lmtp, Self::Submission, Self::Webmail];

    /// The name in configuration, logs, metrics and the policy interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Smtp => "smtp",
            Self::Lmtp => "lmtp",
            Self::Submission => "submission",
            Self::Webmail => "webmail",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

use crate::{IpAddress, Level, Page, Query, SearchError};

/// What surrounds a policy while it answers.
pub trait Host {
    /// What is known of the client.
    fn client(&self) -> &dyn Client;

    /// Opens a directory by its name in the operator's configuration. Costs nothing: the host
    /// keeps the connections.
    fn open(&self, directory: &str) -> Result<Box<dyn Directory>, SearchError>;

    /// Writes one line to the operator's log. The session's own line names the address already, as
    /// the operator's `log-addresses` wants it: leave it out here.
    fn log(&self, level: Level, message: &str);
}

/// A directory that is open to this policy.
pub trait Directory {
    /// The distinguished name under which everything lies.
    fn base(&self) -> String;

    /// Searches. A base that does not exist is an empty page.
    fn search(&self, query: &Query) -> Result<Page, SearchError>;
}

/// What the host knows of the client. Every value that a decision reads becomes part of the key
/// under which it is cached: read what you need and nothing else.
pub trait Client {
    /// "imap", "pop3", "smtp", "lmtp", "submission", "webmail"; later hosts add others.
    fn protocol(&self) -> String;
    /// The listener's name in the operator's configuration.
    fn listener(&self) -> String;
    /// The client's address; behind a trusted proxy, the one that the proxy names.
    fn address(&self) -> IpAddress;
    /// Whether the client's leg is encrypted.
    fn encrypted(&self) -> bool;
    /// The SASL mechanism, or none where the protocol's own login was used.
    fn mechanism(&self) -> Option<String>;
    /// The login name as the client sent it.
    fn login_name(&self) -> Option<String>;
    /// Who authenticates, where that is not the address asked for.
    fn authentication_id(&self) -> Option<String>;
    /// The name in the client's certificate.
    fn certificate_name(&self) -> Option<String>;
    /// The envelope sender; the empty string is the null sender.
    fn sender(&self) -> Option<String>;
    /// Seconds since 1970. An answer that read it is cached only if it sets `cache_for`.
    fn now(&self) -> u64;
}

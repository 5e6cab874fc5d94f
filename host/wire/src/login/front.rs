use std::sync::Arc;

use waypost_model::Encryption;

use super::{Credential, Mechanism, Rejection, SaslResponse};

/// What a listener's fronts are made with; shared by all its sessions.
#[derive(Clone, Debug)]
pub struct FrontSettings {
    /// `Implicit`: TLS is up before the first octet. `Starttls`: STARTTLS or STLS is offered.
    pub encryption: Encryption,
    /// Whether passwords and tokens may come without TLS.
    pub allow_plaintext: bool,
    /// The SASL mechanisms to offer. EXTERNAL is none of them: it is offered to each client whose
    /// certificate says who it is, and to nobody else.
    pub mechanisms: Vec<Mechanism>,
    /// POP3: whether APOP is offered (RFC 1939 section 7).
    pub apop: bool,
    /// Whether PLAIN may carry an authorisation identity other than the authentication identity.
    pub allow_authorisation: bool,
    /// The session ends with this many rejected logins.
    pub max_auth_errors: u8,
    /// The session ends with this many commands that are no commands.
    pub max_errors: u8,
    /// The name in the greeting.
    pub hostname: Arc<str>,
    /// What POP3's CAPA lists beside what follows from the settings above: TOP, UIDL, …, one line each.
    pub pop3_capabilities: Vec<String>,
    /// What submission's EHLO lists beside PIPELINING, ENHANCEDSTATUSCODES and what follows from the
    /// settings above: SIZE, 8BITMIME, …, one line each.
    pub submission_extensions: Vec<String>,
}

impl Default for FrontSettings {
    fn default() -> Self {
        Self {
            encryption: Encryption::Starttls,
            allow_plaintext: false,
            mechanisms: Mechanism::USUAL.to_vec(),
            apop: false,
            allow_authorisation: false,
            max_auth_errors: 5,
            max_errors: 10,
            hostname: Arc::from("localhost"),
            pop3_capabilities: ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"]
                .map(str::to_owned)
                .to_vec(),
            submission_extensions: ["SIZE", "8BITMIME"].map(str::to_owned).to_vec(),
        }
    }
}

impl FrontSettings {
    /// The mechanisms to offer to a client, in their order. `certificate_name`: what its certificate
    /// says of who it is.
    pub(crate) fn offered(
        &self,
        certificate_name: Option<&Arc<str>>,
    ) -> impl Iterator<Item = Mechanism> {
        let listed = self.mechanisms.iter().copied().filter(|it| *it != Mechanism::External);
        listed.chain(certificate_name.map(|_| Mechanism::External))
    }
}

/// What the driver is to do for a front.
#[derive(Debug, PartialEq, Eq)]
pub enum FrontAction {
    /// Send the output and read more.
    Read,
    /// The output ends with the go-ahead: send it, start TLS, call `tls_started`. Octets that the
    /// driver has read beyond the command close the session instead; where they are in the same
    /// input, the front says so itself with [`CloseReason::PlaintextAfterStarttls`].
    StartTls,
    /// Let this client in or not: `accept`, `answer`, or, for a token mechanism, `challenge`
    /// come back. Until then the front consumes nothing.
    Login(Credential),
    /// What the client says to a `challenge`. Again `accept`, `answer` or `challenge` come back;
    /// to a cancelled exchange `answer`, whatever the back end makes of it.
    Response(SaslResponse),
    /// Send the output and close. Input behind it is of no interest.
    Close(CloseReason),
}

/// Why a front closes the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The client said goodbye.
    Logout,
    /// `max_errors`.
    TooManyErrors,
    /// `max_auth_errors`.
    TooManyAuthErrors,
    /// A line or command beyond its limit.
    TooLong,
    /// Octets behind STARTTLS or STLS: somebody else may have put them there.
    PlaintextAfterStarttls,
    /// SMTP: a BDAT that does not say how many octets follow, so that nobody knows where the next
    /// command begins.
    LostCount,
    /// A browser that was made to speak to this port (the ALPACA attack).
    Http,
}

impl CloseReason {
    /// The name in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::TooManyErrors => "too-many-errors",
            Self::TooManyAuthErrors => "too-many-auth-errors",
            Self::TooLong => "too-long",
            Self::PlaintextAfterStarttls => "plaintext-after-starttls",
            Self::LostCount => "lost-count",
            Self::Http => "http",
        }
    }
}

/// What a client is told that is not let in. The session goes on, up to `max_auth_errors`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Unknown or disabled user, wrong password, denied before verification, domain not served:
    /// one wording for all, so that nobody learns who exists.
    Rejected,
    /// What the back end said, in its words.
    RejectedByBackend(Rejection),
    /// Denied although the password is right.
    Denied,
    /// A failure, a fault, or every target down. Never counts as a failed login.
    Unavailable,
}

/// Why Waypost says goodbye of itself; in any state, the greeting not sent yet included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bye {
    /// The client took too long.
    Timeout,
    /// A limit is reached; the text says which, in printable ASCII.
    Limit(&'static str),
    /// Waypost stops.
    Shutdown,
}

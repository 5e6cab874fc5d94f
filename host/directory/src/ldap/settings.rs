use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use waypost_model::{Host, Secret};

use super::LdapUrl;
use crate::attribute::AttributeName;
use crate::{BarePassword, Dn, DnError, Limits};

/// The most searches under way on one connection: slapd closes one on which more than a hundred
/// wait (`conn_max_pending`).
const MAX_IN_FLIGHT: usize = 64;

/// How an LDAP directory is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdapSettings {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// The servers, all with the same content: the first that answers is used, and the first of
    /// all is returned to.
    pub urls: Vec<LdapUrl>,
    /// How to log in.
    pub bind: Bind,
    /// The distinguished name under which everything lies; every search is at or below it.
    pub base: String,
    /// The attribute that holds passwords, secret to policies.
    pub password_field: Option<String>,
    /// How a value of it without a `{SCHEME}` is read.
    pub bare_passwords: BarePassword,
    /// The servers, by the host of their URL, to which users' passwords may go in clear: none.
    pub clear_binds: Vec<Host>,
    /// How many passwords may be checked at once, each on a connection of its own: 8; more wait.
    pub checks: usize,
    /// Encryption.
    pub tls: TlsSettings,
    /// How many connections carry all searches: 2.
    pub connections: usize,
    /// How many searches may be under way on them together, at most 64 on each; more wait: 128.
    pub in_flight: usize,
    /// How long one attempt to connect to one address, encrypt and log in may take: 3 s.
    pub connect_timeout: Duration,
    /// How long one search may take if the asker gives it no less: 2 s.
    pub search_timeout: Duration,
    /// How much one search may bring.
    pub limits: Limits,
    /// A connection is replaced after about this many searches: 100,000.
    pub recycle_searches: u64,
    /// A connection is replaced at about this age: 15 min.
    pub recycle_age: Duration,
    /// How long to wait after the first failure to connect; twice as long after each further one:
    /// 100 ms.
    pub backoff_min: Duration,
    /// The longest wait between two attempts to connect: 5 s; six times as long after a server has
    /// refused the bind password, since many lock an account after some such attempts.
    pub backoff_max: Duration,
    /// How often a better server than the one in use is tried: 30 s.
    pub fail_back_after: Duration,
}

impl LdapSettings {
    /// Settings with the defaults: anonymous, StartTLS off, certificates verified.
    pub fn new(name: impl Into<Arc<str>>, urls: Vec<LdapUrl>, base: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            urls,
            bind: Bind::Anonymous,
            base: base.into(),
            password_field: None,
            bare_passwords: BarePassword::default(),
            clear_binds: Vec::new(),
            checks: 8,
            tls: TlsSettings::default(),
            connections: 2,
            in_flight: 128,
            connect_timeout: Duration::from_secs(3),
            search_timeout: Duration::from_secs(2),
            limits: Limits::default(),
            recycle_searches: 100_000,
            recycle_age: Duration::from_secs(15 * 60),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
            fail_back_after: Duration::from_secs(30),
        }
    }

    /// Checks what can be checked without a server.
    pub(super) fn check(&self) -> Result<Dn, SettingsError> {
        if self.urls.is_empty() {
            return Err(SettingsError::NoUrl);
        }
        for (value, setting) in [
            (self.connections, "connections"),
            (self.in_flight, "in-flight"),
            (self.checks, "password-checks"),
        ] {
            if value == 0 {
                return Err(SettingsError::Zero(setting));
            }
        }
        if let Bind::Simple { dn, password } = &self.bind {
            let parsed = Dn::parse(dn).map_err(SettingsError::BindDn)?;
            // A password alone, or a name alone, is no login: the second is RFC 4513's
            // "unauthenticated" bind, which succeeds as nobody.
            if parsed == Dn::root() {
                return Err(SettingsError::NoBindDn);
            }
            if password.is_empty() {
                return Err(SettingsError::EmptyPassword);
            }
        }
        if let Some(field) = &self.password_field
            && AttributeName::parse(field).is_none()
        {
            return Err(SettingsError::PasswordField(field.clone()));
        }
        Dn::parse(&self.base).map_err(SettingsError::Base)
    }

    /// How many searches may be under way on one connection.
    pub(super) fn in_flight_on_each(&self) -> usize {
        self.in_flight.div_ceil(self.connections.max(1)).min(MAX_IN_FLIGHT)
    }

    /// Whether a user's password may go to a server: over TLS, over a local socket, or where the
    /// operator has named the server.
    pub(super) fn may_bind_at(&self, url: &LdapUrl) -> bool {
        match url {
            LdapUrl::Ldaps(..) | LdapUrl::Ldapi(_) => true,
            LdapUrl::Ldap(host, _) => self.tls.starttls || self.clear_binds.contains(host),
        }
    }

    /// Whether a user's password may go to any of the servers.
    pub fn may_bind(&self) -> bool {
        self.urls.iter().any(|url| self.may_bind_at(url))
    }

    /// The servers to which the bind password would go in clear over a network.
    pub(super) fn urls_in_clear(&self) -> impl Iterator<Item = &LdapUrl> {
        let secret = matches!(self.bind, Bind::Simple { .. }) && !self.tls.starttls;
        self.urls.iter().filter(move |url| match url {
            LdapUrl::Ldap(Host::Address(address), _) => secret && !address.is_loopback(),
            LdapUrl::Ldap(Host::Name(name), _) => secret && name.as_str() != "localhost",
            LdapUrl::Ldaps(..) | LdapUrl::Ldapi(_) => false,
        })
    }
}

/// How to log in to a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bind {
    /// As nobody.
    Anonymous,
    /// With a name and a password (RFC 4513 section 5.1.3).
    Simple {
        /// The name.
        dn: String,
        /// The password; never empty.
        password: Secret,
    },
    /// As whom the connection shows: the process's user over `ldapi`, the certificate's name over
    /// TLS (SASL EXTERNAL, RFC 4513 section 5.2.3).
    External,
}

/// How connections to a directory are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// Whether `ldap://` URLs are upgraded before anything else is said (RFC 4511 section 4.14).
    /// There is no going on without.
    pub starttls: bool,
    /// The authorities whose certificates are believed, in PEM; `None` takes the system's.
    pub ca: Option<Arc<[u8]>>,
    /// Whether certificates are verified: yes. Without, whoever sits on the way reads the bind
    /// password.
    pub verify: bool,
    /// Waypost's own certificate, for servers that ask for one.
    pub identity: Option<TlsIdentity>,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self { starttls: false, ca: None, verify: true, identity: None }
    }
}

/// A certificate with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsIdentity {
    /// The certificate and those that it depends on, in PEM.
    pub chain: Arc<[u8]>,
    /// The private key, in PEM.
    pub key: Secret,
}

/// Why settings cannot work.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SettingsError {
    /// No server.
    #[error("a directory needs at least one URL")]
    NoUrl,
    /// A number that must not be zero.
    #[error("{0} cannot be zero")]
    Zero(&'static str),
    /// The base is no distinguished name.
    #[error("the base is no distinguished name: {0}")]
    Base(DnError),
    /// The bind DN is no distinguished name.
    #[error("the bind DN is no distinguished name: {0}")]
    BindDn(DnError),
    /// A password without a name.
    #[error("there is a bind password but no bind DN")]
    NoBindDn,
    /// A name without a password.
    #[error("the bind password is empty: with one, a server takes the bind for anonymous")]
    EmptyPassword,
    /// The password field is no attribute.
    #[error("the password field {0:?} is no attribute")]
    PasswordField(String),
    /// The authorities cannot be read.
    #[error("the CA holds no certificate that can be used: {0}")]
    Ca(String),
    /// The system has no authorities.
    #[error("the system has no CA certificates: install ca-certificates or configure a CA")]
    NoSystemCa,
    /// Waypost's own certificate or key cannot be used.
    #[error("the client certificate or its key cannot be used: {0}")]
    Identity(String),
}

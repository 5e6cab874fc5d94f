//! The LDAP connector: `ldap3`, fenced in.
//!
//! A directory has a few connections ([`link`]), each kept up by a task of its own ([`keeper`]).
//! Connecting, TLS and login are done here ([`handshake`]); the LDAP client then sees nothing but
//! searches and answers to searches, each looked at beforehand ([`fence`]). A search ([`operation`])
//! is a task on the runtime of the connections, so that whatever happens in it stays there.
//!
//! Passwords are checked and read on connections of their own ([`check`]), which the LDAP client
//! never sees: their buffers are overwritten, and who is bound there is nobody's business elsewhere.

mod ber;
mod check;
mod connector;
mod entry;
mod fence;
mod handshake;
mod keeper;
mod link;
mod message;
mod operation;
mod probe;
mod settings;
mod stream;
mod tls;
mod url;

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, timeout_at};
use waypost_model::Secret;

pub use self::check::BindAnswer;
use self::check::Checks;
use self::connector::Connector;
use self::operation::Request;
pub use self::settings::{Bind, LdapSettings, SettingsError, TlsIdentity, TlsSettings};
pub use self::url::{LdapUrl, LdapUrlError};
use crate::metrics::Metrics;
use crate::{BarePassword, BoundQuery, Dn, Finding, Page, SearchError};

pub(crate) use self::fence::fuzz as fuzz_message;

/// A directory on one or more LDAP servers. Clones share the connections; the last one dropped
/// closes them.
#[derive(Clone)]
pub struct LdapDirectory {
    inner: Arc<Inner>,
}

struct Inner {
    connector: Arc<Connector>,
    checks: Arc<Checks>,
    handle: Handle,
    keepers: Vec<AbortHandle>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.keepers.iter().for_each(AbortHandle::abort);
    }
}

impl LdapDirectory {
    /// Begins to connect, and answers before that has come to anything: a server that is down now
    /// may be up when the first search comes.
    ///
    /// The connections live on the runtime on which this is called, so call it on one that lives
    /// as long as the directory; searches may come from any runtime.
    ///
    /// # Errors
    /// Settings that cannot work with any server.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(settings: LdapSettings, metrics: &Metrics) -> Result<Self, SettingsError> {
        for url in settings.urls_in_clear() {
            tracing::warn!(
                target: "waypost::directory",
                directory = %settings.name,
                server = %url,
                "the bind password goes to this server in clear: use ldaps:// or StartTLS"
            );
        }
        let connections = settings.connections;
        let metrics = metrics.directory(&settings.name);
        let connector = Arc::new(Connector::new(settings, metrics)?);
        let handle = Handle::current();
        let keep = |slot| handle.spawn(keeper::keep(connector.clone(), slot)).abort_handle();
        let keepers = (0..connections).map(keep).collect();
        let checks = Arc::new(Checks::new(connector.clone()));
        Ok(Self { inner: Arc::new(Inner { connector, checks, handle, keepers }) })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.inner.connector.settings.name
    }

    /// The settings that it runs with: on a reload, a directory with equal ones may be kept.
    pub fn settings(&self) -> &LdapSettings {
        &self.inner.connector.settings
    }

    pub(crate) fn base(&self) -> &Dn {
        &self.inner.connector.base
    }

    pub(crate) fn base_text(&self) -> &str {
        &self.inner.connector.settings.base
    }

    pub(crate) fn secret_attributes(&self) -> &[String] {
        self.inner.connector.settings.password_field.as_slice()
    }

    pub(crate) async fn search(
        &self,
        query: &BoundQuery,
        deadline: Instant,
    ) -> Result<Page, SearchError> {
        let Inner { connector, handle, .. } = &*self.inner;
        let started = Instant::now();
        let deadline = deadline.min(started + connector.settings.search_timeout);
        let request = Request::new(query, connector.settings.limits);
        let result = connector.search(request, deadline, handle).await;
        connector.metrics().record(started.elapsed(), &result);
        result
    }

    pub(crate) fn bare_passwords(&self) -> BarePassword {
        self.inner.connector.settings.bare_passwords
    }

    pub(crate) async fn bind(
        &self,
        dn: &str,
        password: &Secret,
        deadline: Instant,
    ) -> Result<BindAnswer, SearchError> {
        let Inner { checks, handle, .. } = &*self.inner;
        let (checks, dn, password) = (checks.clone(), dn.to_owned(), password.clone());
        let check = async move { checks.bind(&dn, &password).await };
        within(handle, deadline, check).await
    }

    pub(crate) async fn passwords(
        &self,
        dn: &str,
        deadline: Instant,
    ) -> Result<Vec<Secret>, SearchError> {
        let Inner { checks, handle, .. } = &*self.inner;
        let (checks, dn) = (checks.clone(), dn.to_owned());
        let read = async move { checks.passwords(&dn).await };
        within(handle, deadline, read).await
    }

    pub(crate) async fn probe(&self) -> Vec<Finding> {
        let Inner { connector, handle, .. } = &*self.inner;
        let findings = handle.spawn(probe::probe(connector.clone())).await;
        findings.unwrap_or_else(|error| {
            vec![Finding { subject: self.name().to_string(), result: Err(error.to_string()) }]
        })
    }
}

/// Runs something on the runtime of the connections, until it has ended, nobody waits any more, or
/// time is up.
async fn within<T: Send + 'static>(
    handle: &Handle,
    deadline: Instant,
    work: impl Future<Output = Result<T, SearchError>> + Send + 'static,
) -> Result<T, SearchError> {
    let mut task = AbortOnDrop(handle.spawn(timeout_at(deadline, work)));
    match (&mut task.0).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(SearchError::Timeout),
        Err(error) => Err(SearchError::Unavailable(error.to_string())),
    }
}

struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

use std::sync::Arc;

use tokio::time::Instant;
use waypost_model::Secret;

use crate::{
    BarePassword, BindAnswer, BoundQuery, Dn, FaultyDirectory, Finding, LdapDirectory,
    LdifDirectory, Page, ReplayDirectory, SearchError,
};

/// A configured directory. Clones are cheap and share connections and entries.
#[derive(Clone)]
pub enum Directory {
    /// One or more LDAP servers with the same content.
    Ldap(LdapDirectory),
    /// An LDIF file.
    Ldif(LdifDirectory),
    /// A double for tests.
    Faulty(FaultyDirectory),
    /// What another directory once answered.
    Replay(ReplayDirectory),
}

impl Directory {
    /// Answers a query before `deadline`, or says why not. Dropping the future ends the search,
    /// on the server too.
    ///
    /// # Errors
    /// See [`SearchError`]. A base that does not exist is an empty page, not an error.
    pub async fn search(
        &self,
        query: &BoundQuery,
        deadline: impl Into<Instant>,
    ) -> Result<Page, SearchError> {
        let deadline = deadline.into();
        match self {
            Self::Ldap(directory) => directory.search(query, deadline).await,
            Self::Ldif(directory) => directory.search(query, deadline).await,
            Self::Faulty(directory) => directory.search(query, deadline).await,
            Self::Replay(directory) => directory.search(query),
        }
    }

    /// Whether passwords can be checked by binding as an entry; a file's can only be compared.
    pub fn takes_binds(&self) -> bool {
        match self {
            Self::Ldap(_) => true,
            Self::Ldif(_) | Self::Replay(_) => false,
            Self::Faulty(directory) => directory.directory().takes_binds(),
        }
    }

    /// Binds as the entry `dn` before `deadline`, on a connection of its own, and says what the
    /// server makes of it. An empty password is wrong, and no server hears of it: it would be a bind
    /// as nobody (RFC 4513 section 5.1.2).
    ///
    /// # Errors
    /// When nobody can say, see [`SearchError`]; for a directory that [takes no
    /// binds](Self::takes_binds) always.
    pub async fn bind(
        &self,
        dn: &str,
        password: &Secret,
        deadline: impl Into<Instant>,
    ) -> Result<BindAnswer, SearchError> {
        if password.is_empty() || dn.is_empty() {
            return Ok(BindAnswer::Wrong);
        }
        let deadline = deadline.into();
        match self {
            Self::Ldap(directory) => directory.bind(dn, password, deadline).await,
            Self::Faulty(double) => {
                double.hesitate(deadline).await?;
                Box::pin(double.directory().bind(dn, password, deadline)).await
            }
            Self::Ldif(_) | Self::Replay(_) => {
                Err(SearchError::Other("this directory takes no binds".into()))
            }
        }
    }

    /// The values of the password field of the entry `dn`, for the host to compare and nobody else;
    /// none where the entry has none, where it is gone, and where there is no password field.
    ///
    /// # Errors
    /// When nobody can say, see [`SearchError`].
    pub async fn passwords(
        &self,
        dn: &str,
        deadline: impl Into<Instant>,
    ) -> Result<Vec<Secret>, SearchError> {
        let deadline = deadline.into();
        match self {
            Self::Ldap(directory) => directory.passwords(dn, deadline).await,
            Self::Ldif(directory) => directory.passwords(dn),
            Self::Faulty(double) => {
                double.hesitate(deadline).await?;
                Box::pin(double.directory().passwords(dn, deadline)).await
            }
            Self::Replay(_) => Ok(Vec::new()),
        }
    }

    /// How a password without a `{SCHEME}` is to be read.
    pub fn bare_passwords(&self) -> BarePassword {
        match self {
            Self::Ldap(directory) => directory.bare_passwords(),
            Self::Ldif(directory) => directory.bare_passwords(),
            Self::Faulty(directory) => directory.directory().bare_passwords(),
            Self::Replay(_) => BarePassword::Refused,
        }
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::Ldap(directory) => directory.name(),
            Self::Ldif(directory) => directory.name(),
            Self::Faulty(directory) => directory.directory().name(),
            Self::Replay(directory) => directory.name(),
        }
    }

    /// The distinguished name under which everything lies, as the configuration writes it.
    pub fn base(&self) -> &str {
        match self {
            Self::Ldap(directory) => directory.base_text(),
            Self::Ldif(directory) => directory.base_text(),
            Self::Faulty(directory) => directory.directory().base(),
            Self::Replay(directory) => directory.base_text(),
        }
    }

    /// The same, parsed: what queries are bound to.
    pub fn base_dn(&self) -> &Dn {
        match self {
            Self::Ldap(directory) => directory.base(),
            Self::Ldif(directory) => directory.base(),
            Self::Faulty(directory) => directory.directory().base_dn(),
            Self::Replay(directory) => directory.base(),
        }
    }

    /// The attributes that the configuration calls secret, for [`Grant::new`](crate::Grant::new).
    pub fn secret_attributes(&self) -> &[String] {
        match self {
            Self::Ldap(directory) => directory.secret_attributes(),
            Self::Ldif(directory) => directory.secret_attributes(),
            Self::Faulty(directory) => directory.directory().secret_attributes(),
            // What was secret is not among what was recorded.
            Self::Replay(_) => &[],
        }
    }

    /// Tries everything that a search needs, for `waypost check`: of an LDAP directory each of its
    /// servers, on a connection of its own. Each finding says what was found, or what is wrong and
    /// what to do.
    pub async fn probe(&self) -> Vec<Finding> {
        match self {
            Self::Ldap(directory) => directory.probe().await,
            Self::Ldif(directory) => vec![directory.probe()],
            Self::Faulty(directory) => Box::pin(directory.directory().probe()).await,
            Self::Replay(directory) => vec![directory.probe()],
        }
    }
}

use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    BoundQuery, Dn, FaultyDirectory, Finding, LdapDirectory, LdifDirectory, Page, ReplayDirectory,
    SearchError,
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

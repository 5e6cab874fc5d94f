//! Directories: the LDAP connector, the LDIF directory, and the bound queries that both answer.
//!
//! A search goes this way: a plugin's [`Query`] is bound to its parameters ([`BoundQuery::bind`]),
//! checked against what the policy was granted ([`Grant::check`]), and answered by a [`Directory`]
//! with a [`Page`]. LDAP's own types stop at this crate.

mod attribute;
mod directory;
mod dn;
mod faulty;
mod filter;
mod finding;
mod fold;
#[doc(hidden)]
pub mod fuzz;
mod grant;
mod ldap;
mod ldif;
mod metrics;
mod page;
mod password;
mod query;
mod replay;
mod rewrite;
mod secret;

pub use directory::Directory;
pub use dn::{Dn, DnError, MAX_COMPONENTS};
pub use faulty::FaultyDirectory;
pub use finding::Finding;
pub use grant::{Denied, DeniedReason, Grant, GrantError};
pub use ldap::{
    Bind, BindAnswer, LdapDirectory, LdapSettings, LdapUrl, LdapUrlError, SettingsError,
    TlsIdentity, TlsSettings,
};
pub use ldif::{
    LdifDirectory, LdifError, LdifLoadError, LdifProblem, LdifSettings, LdifSource, MAX_LDIF,
    MAX_LINE,
};
pub use metrics::Metrics;
pub use page::{Entry, Limits, Page, SearchError};
pub use password::{
    BarePassword, MAX_HASH_MEMORY, MAX_PASSWORD, MAX_STORED, StoredPassword, Unusable,
};
pub use query::{
    BindError, BoundQuery, MAX_ATTRIBUTES, MAX_DEPTH, MAX_FILTERS, MAX_PARAMETER, MAX_PARAMETERS,
    MAX_TEXT, Part, Problem, Query, Scope,
};
pub use replay::{Exchange, ReplayDirectory};
pub use rewrite::{Rewrite, rewritten_dn};

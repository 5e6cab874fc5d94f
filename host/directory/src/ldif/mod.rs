//! The LDIF directory: a file that answers the same searches as a server.

mod index;
mod matching;
mod plan;
mod reader;
mod store;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use tokio::time::Instant;
use waypost_model::Secret;

use self::plan::Plan;
pub use self::reader::{LdifError, LdifProblem, MAX_LDIF, MAX_LINE};
use self::store::Store;
use crate::attribute::AttributeName;
use crate::metrics::{DirectoryMetrics, Metrics};
use crate::page::{Filling, PageBuilder};
use crate::{BarePassword, BoundQuery, Dn, DnError, Finding, Limits, Page, Scope, SearchError};

/// How many entries a search looks at before it lets other tasks of its thread run.
const ENTRIES_AT_A_TIME: usize = 512;

/// Where the entries come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LdifSource {
    /// A file, read when the directory is loaded.
    File(PathBuf),
    /// The content itself.
    Content(Arc<[u8]>),
}

impl fmt::Display for LdifSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Content(_) => f.write_str("LDIF in memory"),
        }
    }
}

/// How an LDIF directory is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LdifSettings {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Where the entries come from.
    pub source: LdifSource,
    /// The distinguished name under which everything lies; `None` takes the longest that all
    /// entries have in common.
    pub base: Option<String>,
    /// The attribute that holds passwords, secret to policies.
    pub password_field: Option<String>,
    /// How a value of it without a `{SCHEME}` is read.
    pub bare_passwords: BarePassword,
    /// How much one search may bring.
    pub limits: Limits,
}

impl LdifSettings {
    /// Settings with the defaults: no password field, the base found in the entries.
    pub fn new(name: impl Into<Arc<str>>, source: LdifSource) -> Self {
        Self {
            name: name.into(),
            source,
            base: None,
            password_field: None,
            bare_passwords: BarePassword::default(),
            limits: Limits::default(),
        }
    }
}

/// Why an LDIF directory cannot be loaded.
#[derive(Debug, Error)]
pub enum LdifLoadError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The content is not LDIF, or not one tree of entries.
    #[error("{0}")]
    Content(#[from] LdifError),
    /// The base is no distinguished name.
    #[error("the base is no distinguished name: {0}")]
    Base(DnError),
    /// The password field is no attribute.
    #[error("the password field {0:?} is no attribute")]
    PasswordField(String),
}

/// Entries in memory that answer searches without waiting for anybody.
///
/// Differences to a server: matching ignores case and insignificant spaces for every attribute;
/// ordering (`>=`, `<=`) is known for integers and for times only; a parent that has no entry of
/// its own may be a base.
#[derive(Clone)]
pub struct LdifDirectory {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    base: Dn,
    base_text: String,
    /// The file, for `check`.
    subject: String,
    secret: Option<String>,
    bare_passwords: BarePassword,
    limits: Limits,
    store: Store,
    metrics: DirectoryMetrics,
}

impl LdifDirectory {
    /// Reads and indexes the entries. This takes about two seconds for 100,000 of them and blocks.
    ///
    /// # Errors
    /// A file that cannot be read; anything in it that is not an entry below the base, with its
    /// line; settings that make no sense.
    pub fn load(settings: LdifSettings, metrics: &Metrics) -> Result<Self, LdifLoadError> {
        let LdifSettings { name, source, base, password_field, bare_passwords, limits } = settings;
        if let Some(field) = &password_field
            && AttributeName::parse(field).is_none()
        {
            return Err(LdifLoadError::PasswordField(field.clone()));
        }
        let configured = base.as_deref().map(Dn::parse).transpose().map_err(LdifLoadError::Base)?;
        let subject = source.to_string();
        let records = match source {
            LdifSource::Content(content) => reader::read(&content)?,
            LdifSource::File(path) => match reader::read_file(&path) {
                Ok(content) => reader::read(&content)?,
                Err(error) => return Err(LdifLoadError::File { path, error }),
            },
        };
        let (store, found) = Store::build(records, configured)?;
        let inner = Inner {
            metrics: metrics.directory(&name),
            base_text: base.unwrap_or_else(|| found.to_string()),
            base: found,
            subject,
            secret: password_field,
            bare_passwords,
            name,
            limits,
            store,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.inner.name
    }

    pub(crate) fn base(&self) -> &Dn {
        &self.inner.base
    }

    pub(crate) fn base_text(&self) -> &str {
        &self.inner.base_text
    }

    pub(crate) fn secret_attributes(&self) -> &[String] {
        self.inner.secret.as_slice()
    }

    pub(crate) fn bare_passwords(&self) -> BarePassword {
        self.inner.bare_passwords
    }

    /// The values of the password field of an entry; none where there is no such entry.
    pub(crate) fn passwords(&self, dn: &str) -> Result<Vec<Secret>, SearchError> {
        let Inner { store, secret, .. } = &*self.inner;
        let dn = Dn::parse(dn).map_err(|error| SearchError::BadRequest(error.to_string()))?;
        let field = secret.as_deref().and_then(AttributeName::parse);
        let Some(field) = field else { return Ok(Vec::new()) };
        let names = store.selected(&field);
        let entry = store.region(&dn, Scope::Base).ids.next().and_then(|id| store.entry(id));
        Ok(entry.map_or_else(Vec::new, |entry| entry.values(&names).map(Secret::from).collect()))
    }

    pub(crate) fn probe(&self) -> Finding {
        let Inner { subject, base_text, store, .. } = &*self.inner;
        let result = match store.len() {
            0 => Err("there is no entry in it".to_owned()),
            entries => Ok(format!("{entries} entries at or below {base_text:?}")),
        };
        Finding { subject: subject.clone(), result }
    }

    /// How many entries there are.
    pub fn entries(&self) -> usize {
        self.inner.store.len()
    }

    /// Searches. Where an index answers, which is the case for equality and for what is joined
    /// with it, this does not wait; a search that must look at every entry lets other tasks run
    /// in between.
    pub(crate) async fn search(
        &self,
        query: &BoundQuery,
        deadline: Instant,
    ) -> Result<Page, SearchError> {
        let started = Instant::now();
        let result = self.inner.search(query, deadline).await;
        self.inner.metrics.record(started.elapsed(), &result);
        result
    }
}

impl Inner {
    async fn search(&self, query: &BoundQuery, deadline: Instant) -> Result<Page, SearchError> {
        let plan = Plan::new(&self.store, query);
        let mut page = PageBuilder::new(query.size_limit, self.limits);
        for (looked_at, id) in plan.candidates().enumerate() {
            if looked_at % ENTRIES_AT_A_TIME == ENTRIES_AT_A_TIME - 1 {
                tokio::task::yield_now().await;
                if Instant::now() >= deadline {
                    return Err(SearchError::Timeout);
                }
            }
            let Some(entry) = self.store.entry(id).filter(|entry| plan.matches(entry)) else {
                continue;
            };
            let found = || Ok::<_, SearchError>(plan.view(entry));
            if page.add(found)? == Filling::Full {
                break;
            }
        }
        Ok(page.finish(true))
    }
}

//! A directory that repeats what another one once answered.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::{BoundQuery, Dn, DnError, Finding, Page, Scope, SearchError};

/// One search with what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The base as it was sent, parameters bound and escaped (RFC 4514).
    pub base: String,
    /// How far below the base.
    pub scope: Scope,
    /// The filter as it was sent, parameters bound and escaped (RFC 4515).
    pub filter: String,
    /// The attributes asked for.
    pub attributes: Vec<String>,
    /// More entries than this make the page incomplete.
    pub size_limit: u32,
    /// What came back.
    pub answer: Result<Page, SearchError>,
}

impl Exchange {
    /// A query with its answer.
    pub fn new(query: &BoundQuery, answer: Result<Page, SearchError>) -> Self {
        Self {
            base: query.base_string(),
            scope: query.scope(),
            filter: query.filter_string(),
            attributes: query.attributes().map(str::to_owned).collect(),
            size_limit: query.size_limit(),
            answer,
        }
    }

    /// Everything that it takes to be asked for again, for people.
    fn describe(&self) -> String {
        let scope = match self.scope {
            Scope::Base => "base",
            Scope::OneLevel => "one-level",
            Scope::Subtree => "subtree",
        };
        let (base, filter, limit) = (&self.base, &self.filter, self.size_limit);
        let attributes = self.attributes.join(", ");
        format!("{base} {filter}, {scope}, attributes [{attributes}], size-limit {limit}")
    }

    fn is_of(&self, query: &BoundQuery) -> bool {
        self.scope == query.scope()
            && self.size_limit == query.size_limit()
            && self.filter == query.filter_string()
            && self.base == query.base_string()
            && self.attributes.iter().map(String::as_str).eq(query.attributes())
    }
}

/// Recorded searches in a directory's place. Each answers once, in whatever order they are asked
/// for; a search that was not recorded is an error. Clones share everything.
#[derive(Clone)]
pub struct ReplayDirectory {
    inner: Arc<Inner>,
}

struct Inner {
    name: Arc<str>,
    base: Dn,
    base_text: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    left: Vec<Exchange>,
    unrecorded: Vec<String>,
}

impl ReplayDirectory {
    /// A directory under `name` with this base, which knows nothing yet.
    ///
    /// # Errors
    /// A base that is no distinguished name.
    pub fn new(name: impl Into<Arc<str>>, base: &str) -> Result<Self, DnError> {
        let inner = Inner {
            name: name.into(),
            base: Dn::parse(base)?,
            base_text: base.to_owned(),
            state: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// From now on these searches are answered, and no other.
    pub fn load(&self, exchanges: Vec<Exchange>) {
        *self.inner.state.lock() = State { left: exchanges, unrecorded: Vec::new() };
    }

    /// The searches that nobody has asked for yet, each in words.
    pub fn left(&self) -> Vec<String> {
        self.inner.state.lock().left.iter().map(Exchange::describe).collect()
    }

    /// The searches that were not recorded and asked for all the same, each in words.
    pub fn unrecorded(&self) -> Vec<String> {
        self.inner.state.lock().unrecorded.clone()
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.inner.name
    }

    pub(crate) fn base(&self) -> &Dn {
        &self.inner.base
    }

    pub(crate) fn base_text(&self) -> &str {
        &self.inner.base_text
    }

    pub(crate) fn probe(&self) -> Finding {
        let result = Ok(format!("{} recorded searches", self.inner.state.lock().left.len()));
        Finding { subject: "recorded searches".into(), result }
    }

    pub(crate) fn search(&self, query: &BoundQuery) -> Result<Page, SearchError> {
        let mut state = self.inner.state.lock();
        if let Some(place) = state.left.iter().position(|exchange| exchange.is_of(query)) {
            return state.left.remove(place).answer;
        }
        let unknown = SearchError::Other("this search was not recorded".into());
        state.unrecorded.push(Exchange::new(query, Err(unknown.clone())).describe());
        Err(unknown)
    }
}

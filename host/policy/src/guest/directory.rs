//! The `directory` interface: what a grant allows, within the budgets of a decision.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout_at;
use wasmtime::component::Resource;
use waypost_directory::{BoundQuery, Entry, Exchange, Page, Query, Scope, SearchError};

use super::{Asked, Breach, Guest};
use crate::Limits;
use crate::bindings::Connector;
use crate::bindings::waypost::policy::directory as wit;
use crate::clock::timed;
use crate::observation::Exchanged;
use crate::settings::GrantedDirectory;
use crate::text::tame;

/// How much longer than its deadline a search may take before it is cut off from outside.
const GRACE: Duration = Duration::from_millis(50);
/// How much is shown of a base or filter that cannot be bound, in octets.
const SHOWN: usize = 1024;

/// A decision's use of directories.
pub(crate) struct Access {
    directories: Arc<[GrantedDirectory]>,
    /// When the decision ends.
    ends: Instant,
    host_call: Duration,
    searches_left: u32,
    bytes_left: usize,
    /// The entries that searches have returned: place of the directory, distinguished name.
    found: Vec<(u32, Arc<str>)>,
    /// A search is under way, or ended in `unavailable` or `timeout`.
    degraded: bool,
    /// What searches took of this thread.
    busy: Duration,
}

impl Access {
    pub(super) fn new(
        directories: Arc<[GrantedDirectory]>,
        limits: &Limits,
        ends: Instant,
    ) -> Self {
        Self {
            directories,
            ends,
            host_call: limits.host_call,
            searches_left: limits.searches,
            bytes_left: limits.bytes,
            found: Vec::new(),
            degraded: false,
            busy: Duration::ZERO,
        }
    }

    /// Whether a directory could not be asked, or had not answered when the decision ended.
    pub(crate) fn degraded(&self) -> bool {
        self.degraded
    }

    /// How many searches were made, and how many octets they brought, of what `limits` allow.
    pub(crate) fn used(&self, limits: &Limits) -> (u32, usize) {
        let searches = limits.searches.saturating_sub(self.searches_left);
        (searches, limits.bytes.saturating_sub(self.bytes_left))
    }

    /// How long searches kept this thread busy.
    pub(crate) fn busy(&self) -> Duration {
        self.busy
    }

    /// The entry, as directory and distinguished name, if a search of this decision returned it.
    pub(crate) fn found(&self, directory: &str, dn: &str) -> Option<(Arc<str>, Arc<str>)> {
        let name = |place: u32| Some(self.directories.get(place as usize)?.directory.name());
        self.found.iter().filter(|(_, found)| **found == *dn).find_map(|(place, dn)| {
            let name = name(*place).filter(|name| ***name == *directory)?;
            Some((name.clone(), dn.clone()))
        })
    }

    fn place(&self, name: &str) -> Option<u32> {
        let place = self.directories.iter().position(|d| **d.directory.name() == *name)?;
        u32::try_from(place).ok()
    }

    fn take_search(&mut self) -> wasmtime::Result<()> {
        let left = self.searches_left.checked_sub(1);
        self.searches_left =
            left.ok_or_else(|| Breach::error("more searches than one decision may make"))?;
        Ok(())
    }

    /// Charges a page and notes its entries.
    fn charge(&mut self, place: u32, page: Page) -> Result<Page, SearchError> {
        let size = page.entries.iter().map(size).fold(0, usize::saturating_add);
        self.bytes_left = self.bytes_left.checked_sub(size).ok_or(SearchError::TooLarge)?;
        self.found.extend(page.entries.iter().map(|entry| (place, Arc::from(&*entry.dn))));
        Ok(page)
    }

    /// The error as the plugin gets it. An answer that was made without the directory is not for
    /// everybody.
    fn refuse(&mut self, error: SearchError) -> wit::Error {
        match error {
            SearchError::BadRequest(reason) => wit::Error::BadRequest(reason),
            SearchError::Unavailable(_) => {
                self.degraded = true;
                wit::Error::Unavailable
            }
            SearchError::Timeout => {
                self.degraded = true;
                wit::Error::Timeout
            }
            SearchError::TooLarge => wit::Error::TooLarge,
            SearchError::Other(words) => wit::Error::Other(words),
        }
    }
}

/// The directory behind a handle. Handles are made by `open` only, so that there is one.
fn granted<'a>(
    directories: &'a [GrantedDirectory],
    connector: &Resource<Connector>,
) -> wasmtime::Result<&'a GrantedDirectory> {
    let granted = directories.get(connector.rep() as usize);
    granted.ok_or_else(|| Breach::error("a connector that was never opened"))
}

impl wit::Host for Guest {
    fn open(&mut self, name: String) -> wasmtime::Result<Result<Resource<Connector>, wit::Error>> {
        let place = self.asked("directory.open")?.access.place(&name);
        Ok(place.map(Resource::new_own).ok_or(wit::Error::NotGranted))
    }
}

impl wit::HostConnector for Guest {
    fn base(&mut self, connector: Resource<Connector>) -> wasmtime::Result<String> {
        let access = &self.asked("connector.base")?.access;
        Ok(granted(&access.directories, &connector)?.directory.base().to_owned())
    }

    async fn search(
        &mut self,
        connector: Resource<Connector>,
        query: wit::Query,
    ) -> wasmtime::Result<Result<wit::Page, wit::Error>> {
        let asked = self.asked("connector.search")?;
        asked.access.take_search()?;
        let directories = asked.access.directories.clone();
        let granted = granted(&directories, &connector)?;
        let started = Instant::now();
        let deadline = asked.access.ends.min(started + asked.access.host_call);

        let bound = bind(granted, &query);
        asked.explain_begin(granted, &query, bound.as_ref().ok());
        let found = match bound {
            Ok(bound) => {
                let before = std::mem::replace(&mut asked.access.degraded, true);
                let (found, busy) = search(granted, &bound, deadline).await;
                asked.access.busy += busy;
                asked.access.degraded = before;
                found
            }
            Err(reason) => Err(SearchError::BadRequest(reason)),
        };
        let outcome = outcome(&found);
        let found = found.and_then(|page| asked.access.charge(connector.rep(), page));
        asked.explain_end(&found, started);
        let page = match found {
            Ok(page) => Ok(convert_page(page)),
            Err(error) => Err(asked.access.refuse(error)),
        };
        self.voice.metrics().searched(granted.directory.name(), outcome);
        // What the guest sees next of the clock passed while it waited.
        self.meter.excuse();
        Ok(page)
    }

    fn drop(&mut self, _: Resource<Connector>) -> wasmtime::Result<()> {
        // The connections are the host's.
        Ok(())
    }
}

impl Asked {
    /// Notes a search for whoever wants to see it, before anything can come in between.
    fn explain_begin(
        &mut self,
        granted: &GrantedDirectory,
        query: &wit::Query,
        bound: Option<&BoundQuery>,
    ) {
        let Some(explained) = &mut self.explained else { return };
        let cut_off = Err(SearchError::Timeout);
        let exchange = match bound {
            Some(bound) => Exchange::new(bound, cut_off),
            // What cannot be bound is shown as the plugin gave it.
            None => Exchange {
                base: tame(query.base.clone(), SHOWN),
                scope: scope(query.scope),
                filter: tame(query.filter.clone(), SHOWN),
                attributes: query.attributes.clone(),
                size_limit: query.size_limit,
                answer: cut_off,
            },
        };
        explained.push(Exchanged {
            directory: granted.directory.name().clone(),
            exchange,
            is_sent: bound.is_some(),
            is_cut_off: true,
            took: Duration::ZERO,
        });
    }

    /// Notes how the search ended.
    fn explain_end(&mut self, found: &Result<Page, SearchError>, started: Instant) {
        let Some(search) = self.explained.as_mut().and_then(|all| all.last_mut()) else { return };
        search.took = started.elapsed();
        search.is_cut_off = false;
        search.exchange.answer = found.clone();
    }
}

fn scope(scope: wit::Scope) -> Scope {
    match scope {
        wit::Scope::Base => Scope::Base,
        wit::Scope::OneLevel => Scope::OneLevel,
        wit::Scope::Subtree => Scope::Subtree,
    }
}

/// Parses, binds and checks a query against the grant.
fn bind(granted: &GrantedDirectory, query: &wit::Query) -> Result<BoundQuery, String> {
    let query = Query {
        base: &query.base,
        scope: scope(query.scope),
        filter: &query.filter,
        parameters: &query.parameters,
        attributes: &query.attributes,
        size_limit: query.size_limit,
    };
    let bound = BoundQuery::bind(&query, granted.directory.base_dn());
    let bound = bound.map_err(|error| error.to_string())?;
    granted.grant.check(&bound).map_err(|denied| denied.to_string())?;
    Ok(bound)
}

/// Searches, by `deadline` even if the directory forgets it; and says how long that kept this
/// thread busy.
async fn search(
    granted: &GrantedDirectory,
    query: &BoundQuery,
    deadline: Instant,
) -> (Result<Page, SearchError>, Duration) {
    let latest = (deadline + GRACE).into();
    // In place: the connectors' futures are large to move.
    let search = pin!(granted.directory.search(query, deadline));
    let (found, busy) = timed(timeout_at(latest, search)).await;
    let mut found = found.unwrap_or(Err(SearchError::Timeout));
    if let Ok(page) = &mut found {
        page.entries.iter_mut().for_each(|entry| granted.grant.restrict(entry));
    }
    (found, busy)
}

/// The name in metrics.
fn outcome(found: &Result<Page, SearchError>) -> &'static str {
    match found {
        Ok(page) if page.entries.is_empty() => "none",
        Ok(_) => "found",
        Err(error) => error.kind(),
    }
}

/// What an entry costs, in octets.
fn size(entry: &Entry) -> usize {
    let attribute = |(name, values): &(String, Vec<Vec<u8>>)| {
        values.iter().fold(name.len(), |size, value| size.saturating_add(value.len()))
    };
    entry.attributes.iter().map(attribute).fold(entry.dn.len(), usize::saturating_add)
}

fn convert_page(page: Page) -> wit::Page {
    let entries = page.entries.into_iter().map(convert).collect();
    wit::Page { entries, complete: page.complete }
}

fn convert(entry: Entry) -> wit::Entry {
    let attribute = |(name, values)| wit::Attribute { name, values };
    wit::Entry { dn: entry.dn, attributes: entry.attributes.into_iter().map(attribute).collect() }
}

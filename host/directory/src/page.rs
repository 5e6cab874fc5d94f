use thiserror::Error;

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// At most as many entries as the query's size limit. A directory keeps no order among them.
    pub entries: Vec<Entry>,
    /// Whether these are all.
    pub complete: bool,
}

impl Page {
    /// The page of a search that found nothing, such as one below a base that does not exist.
    pub fn empty() -> Self {
        Self { entries: Vec::new(), complete: true }
    }
}

/// One entry found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its distinguished name, as the directory writes it.
    pub dn: String,
    /// Those of the attributes asked for that it has, in the order and under the names of the
    /// query, each with at least one value.
    pub attributes: Vec<(String, Vec<Vec<u8>>)>,
}

/// Why a search brought no page. The texts are for the log.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SearchError {
    /// The directory takes the base or the filter for malformed.
    #[error("the directory does not accept the query: {0}")]
    BadRequest(String),
    /// The directory cannot be reached, cannot be logged in to, or is shutting down.
    #[error("the directory is unavailable: {0}")]
    Unavailable(String),
    /// No answer before the deadline, or the directory gave up for want of time.
    #[error("the directory did not answer in time")]
    Timeout,
    /// More entries or octets than the operator allows.
    #[error("the directory found more than is allowed")]
    TooLarge,
    /// The directory refused; its words.
    #[error("the directory refused: {0}")]
    Other(String),
}

impl SearchError {
    /// The name in metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad-request",
            Self::Unavailable(_) => "unavailable",
            Self::Timeout => "timeout",
            Self::TooLarge => "too-large",
            Self::Other(_) => "other",
        }
    }
}

/// How much one search may bring, whatever the query asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most entries: 1,000.
    pub entries: u32,
    /// The most octets of names and values together, with a little added for each: 1 MiB.
    pub octets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 1000, octets: 1024 * 1024 }
    }
}

/// What each name and each value counts beside its own octets: about what it costs in memory.
const OVERHEAD: usize = 32;

/// A page while it is filled, and what it may still take.
pub(crate) struct PageBuilder {
    page: Page,
    size_limit: usize,
    entry_limit: usize,
    octets_left: usize,
}

/// Whether a page takes more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filling {
    /// It does.
    Open,
    /// There was one entry more than the query's size limit.
    Full,
}

impl PageBuilder {
    pub(crate) fn new(size_limit: u32, limits: Limits) -> Self {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            page: Page::empty(),
            size_limit: count(size_limit),
            entry_limit: count(limits.entries),
            octets_left: limits.octets,
        }
    }

    /// Adds an entry, made by `entry` only if there is room for it.
    pub(crate) fn add<E: From<SearchError>>(
        &mut self,
        entry: impl FnOnce() -> Result<Entry, E>,
    ) -> Result<Filling, E> {
        if self.page.entries.len() >= self.size_limit {
            self.page.complete = false;
            return Ok(Filling::Full);
        }
        if self.page.entries.len() >= self.entry_limit {
            return Err(SearchError::TooLarge.into());
        }
        let entry = entry()?;
        self.octets_left =
            self.octets_left.checked_sub(octets_of(&entry)).ok_or(SearchError::TooLarge)?;
        self.page.entries.push(entry);
        Ok(Filling::Open)
    }

    /// The page; `complete` unless the directory held something back.
    pub(crate) fn finish(mut self, complete: bool) -> Page {
        self.page.complete &= complete;
        self.page
    }
}

fn octets_of(entry: &Entry) -> usize {
    let mut octets = entry.dn.len() + OVERHEAD;
    for (name, values) in &entry.attributes {
        octets += name.len() + OVERHEAD;
        octets += values.iter().map(|value| value.len() + OVERHEAD).sum::<usize>();
    }
    octets
}

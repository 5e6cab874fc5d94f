//! A directory that fails on demand, for tests of what stands above.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::{BoundQuery, Directory, Page, SearchError};

/// Another directory, made to fail or to hesitate as a test wants it. Clones share everything.
#[derive(Clone)]
pub struct FaultyDirectory {
    inner: Arc<Inner>,
}

struct Inner {
    directory: Directory,
    mood: Mutex<Mood>,
    searches: AtomicUsize,
}

#[derive(Clone, Default)]
struct Mood {
    error: Option<SearchError>,
    delay: Duration,
    /// The one search that is affected, counted from one; `None` is every search.
    only: Option<usize>,
    /// Searches since the mood began.
    begun: usize,
}

impl Mood {
    /// What the next search meets.
    fn next(&mut self) -> (Option<SearchError>, Duration) {
        self.begun = self.begun.saturating_add(1);
        if self.only.is_some_and(|only| only != self.begun) {
            return (None, Duration::ZERO);
        }
        (self.error.clone(), self.delay)
    }
}

impl FaultyDirectory {
    /// A double of `directory` that answers as it does, until told otherwise.
    pub fn new(directory: Directory) -> Self {
        let inner = Inner { directory, mood: Mutex::default(), searches: AtomicUsize::new(0) };
        Self { inner: Arc::new(inner) }
    }

    /// From now on every search ends in `error`.
    pub fn fail(&self, error: SearchError) {
        self.inner.mood.lock().error = Some(error);
    }

    /// From now on every search takes `delay` longer, or until its deadline.
    pub fn delay(&self, delay: Duration) {
        self.inner.mood.lock().delay = delay;
    }

    /// Error and delay concern the search alone that is the `number`th from now, counted from one;
    /// those before it and after it are answered.
    pub fn only(&self, number: usize) {
        let mut mood = self.inner.mood.lock();
        mood.only = Some(number);
        mood.begun = 0;
    }

    /// From now on searches are answered again, at once.
    pub fn heal(&self) {
        *self.inner.mood.lock() = Mood::default();
    }

    /// How many searches were begun.
    pub fn searches(&self) -> usize {
        self.inner.searches.load(Ordering::SeqCst)
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.inner.directory
    }

    pub(crate) async fn search(
        &self,
        query: &BoundQuery,
        deadline: Instant,
    ) -> Result<Page, SearchError> {
        self.hesitate(deadline).await?;
        Box::pin(self.directory().search(query, deadline)).await
    }

    /// What the mood makes of a question: nothing, or an error.
    pub(crate) async fn hesitate(&self, deadline: Instant) -> Result<(), SearchError> {
        self.inner.searches.fetch_add(1, Ordering::SeqCst);
        let (error, delay) = self.inner.mood.lock().next();
        if !delay.is_zero() {
            let until = Instant::now() + delay;
            sleep_until(until.min(deadline)).await;
            if until >= deadline {
                return Err(SearchError::Timeout);
            }
        }
        error.map_or(Ok(()), Err)
    }
}

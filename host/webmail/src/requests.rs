//! How many requests there may be at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

/// Counts the requests of the process, and those of each user. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Requests(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    max: usize,
    max_per_user: usize,
    all: AtomicUsize,
    users: Mutex<HashMap<Arc<str>, usize>>,
}

impl Requests {
    pub(crate) fn new(max: usize, max_per_user: usize) -> Self {
        let (all, users) = (AtomicUsize::new(0), Mutex::default());
        Self(Arc::new(Shared { max, max_per_user, all, users }))
    }

    /// Takes a place for a request, which dropping it gives back; `None` where there are as many as
    /// there may be.
    pub(crate) fn take(&self) -> Option<Place> {
        let taken = self.0.all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |all| {
            (all < self.0.max).then_some(all + 1)
        });
        taken.is_ok().then(|| Place { shared: self.0.clone(), user: None })
    }
}

/// The place of one request among all, later among its user's too.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    user: Option<Arc<str>>,
}

impl Place {
    /// Counts the request as its user's as well; `false` where that user has as many as they may.
    pub(crate) fn of_user(&mut self, user: &Arc<str>) -> bool {
        let mut users = self.shared.users.lock();
        let count = users.entry(user.clone()).or_default();
        if *count >= self.shared.max_per_user {
            return false;
        }
        *count += 1;
        self.user = Some(user.clone());
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.all.fetch_sub(1, Ordering::Relaxed);
        let Some(user) = self.user.take() else { return };
        let mut users = self.shared.users.lock();
        match users.get_mut(&user) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(users.remove(&user)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Requests;

    #[test]
    fn places_are_given_back() {
        let requests = Requests::new(2, 1);
        let mut first = requests.take().unwrap();
        let mut second = requests.take().unwrap();
        assert!(requests.take().is_none());
        assert!(first.of_user(&"a".into()));
        assert!(!second.of_user(&"a".into()), "one at once");
        drop(first);
        assert!(second.of_user(&"a".into()));
        drop(second);
        assert!(requests.0.users.lock().is_empty());
        assert!(requests.take().is_some());
    }
}

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Weak};

use hashbrown::HashTable;
use parking_lot::Mutex;
use waypost_model::Route;

/// Keeps one copy of each route that is in use, so that a hundred thousand users of one back end
/// cost one route.
#[derive(Default)]
pub(crate) struct Interner {
    hasher: RandomState,
    routes: Mutex<Routes>,
}

#[derive(Default)]
struct Routes {
    table: HashTable<(u64, Weak<Route>)>,
    /// Dead ones are swept out when the table has grown to this.
    sweep_at: usize,
}

const SMALLEST_SWEEP: usize = 1024;

impl Interner {
    /// The copy in use that equals `route`, or `route` itself from now on.
    pub(crate) fn intern(&self, route: Arc<Route>) -> Arc<Route> {
        let hash = self.hasher.hash_one(&*route);
        let mut routes = self.routes.lock();
        for (_, weak) in routes.table.iter_hash(hash) {
            if let Some(known) = weak.upgrade().filter(|known| *known == route) {
                return known;
            }
        }
        routes.sweep_when_full();
        routes.table.insert_unique(hash, (hash, Arc::downgrade(&route)), |(hash, _)| *hash);
        route
    }
}

impl Routes {
    fn sweep_when_full(&mut self) {
        if self.table.len() < self.sweep_at.max(SMALLEST_SWEEP) {
            return;
        }
        self.table.retain(|(_, route)| route.strong_count() > 0);
        self.sweep_at = self.table.len() * 2;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Interner, SMALLEST_SWEEP};
    use crate::testing::route;

    #[test]
    fn equal_routes_are_one() {
        let interner = Interner::default();
        let one = interner.intern(route("north.test"));
        let other = interner.intern(route("south.test"));
        assert!(!Arc::ptr_eq(&one, &other));
        assert!(Arc::ptr_eq(&one, &interner.intern(route("north.test"))));
    }

    #[test]
    fn routes_out_of_use_are_swept_out() {
        let interner = Interner::default();
        let kept = interner.intern(route("kept.test"));
        for number in 0..10 * SMALLEST_SWEEP {
            interner.intern(route(&format!("host{number}.test")));
        }
        assert!(interner.routes.lock().table.len() <= 2 * SMALLEST_SWEEP);
        assert!(Arc::ptr_eq(&kept, &interner.intern(route("kept.test"))));
    }
}

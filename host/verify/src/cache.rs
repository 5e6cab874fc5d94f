//! Verifications that have succeeded a short while ago.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use waypost_model::Principal;

use crate::keyed::Print;

/// The most principals that are remembered; a few MiB.
const MOST: usize = 50_000;

/// For each principal the last password that was right, as a print.
pub(crate) struct Cache {
    keep: Duration,
    entries: Mutex<HashMap<Place, Entry>>,
}

/// A directory's name and a distinguished name in it.
type Place = (Arc<str>, Arc<str>);

struct Entry {
    /// Of the password, and of everything that must not have changed since.
    print: Print,
    until: Instant,
}

impl Cache {
    pub(crate) fn new(keep: Duration) -> Self {
        Self { keep, entries: Mutex::default() }
    }

    /// Whether what `print` stands for was right a short while ago.
    pub(crate) fn knows(&self, principal: &Principal, print: Print, now: Instant) -> bool {
        if self.keep.is_zero() {
            return false;
        }
        let entries = self.entries.lock();
        entries.get(&key(principal)).is_some_and(|it| it.print == print && it.until > now)
    }

    /// Notes that it is right. What was noted of the principal before is forgotten: there is one
    /// right password.
    pub(crate) fn note(&self, principal: &Principal, print: Print, now: Instant) {
        if self.keep.is_zero() {
            return;
        }
        let mut entries = self.entries.lock();
        if entries.len() >= MOST {
            entries.retain(|_, entry| entry.until > now);
        }
        if entries.len() >= MOST {
            // Under such a load a check more does no harm; memory without bound would.
            entries.clear();
        }
        entries.insert(key(principal), Entry { print, until: now + self.keep });
    }

    /// Forgets a principal.
    pub(crate) fn forget(&self, principal: &Principal) {
        self.entries.lock().remove(&key(principal));
    }
}

fn key(principal: &Principal) -> Place {
    (principal.directory.clone(), principal.dn.clone())
}

//! Who has how much of the spool's space.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;

use crate::Id;
use crate::error::Error;
use crate::metrics::Metrics;

/// How long the file system's word about its free space is taken for true. Others may fill it
/// meanwhile; what is promised is secured by other means.
const FREE_IS_FRESH: Duration = Duration::from_secs(1);

/// The kept messages and their bytes, and the bytes that are reserved.
pub(crate) struct Ledger {
    max: u64,
    metrics: Metrics,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: BTreeMap<Id, u64>,
    kept_bytes: u64,
    reserved: u64,
    /// Of what is reserved, what the file system has been given already.
    written: u64,
    free: Option<Free>,
}

/// What the file system said of its free space, less what was reserved and not written.
struct Free {
    at: Instant,
    left: u64,
}

/// How much the spool holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Kept messages.
    pub messages: usize,
    /// The bytes that they take.
    pub bytes: u64,
    /// The bytes that are reserved for messages under way.
    pub reserved: u64,
    /// The most that both may be together.
    pub max_bytes: u64,
}

/// What came of an attempt to reserve.
pub(crate) enum Attempt {
    /// Here it is.
    Reserved(Space),
    /// The file system must be asked for its free space first.
    AskFree,
}

impl Ledger {
    pub(crate) fn new(max: u64, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self { max, metrics, state: Mutex::default() })
    }

    /// Reserves `bytes` if the limit allows and the file system has recently said that it has them.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: u64) -> Result<Attempt, Error> {
        let mut state = self.state.lock();
        self.check_limit(&state, bytes)?;
        let fresh = |free: &&mut Free| free.at.elapsed() < FREE_IS_FRESH && free.left >= bytes;
        let Some(free) = state.free.as_mut().filter(fresh) else { return Ok(Attempt::AskFree) };
        free.left = free.left.saturating_sub(bytes);
        Ok(Attempt::Reserved(self.take(&mut state, bytes)))
    }

    /// Reserves `bytes`, where the file system has just said that it has `free` bytes.
    pub(crate) fn reserve_of(self: &Arc<Self>, free: u64, bytes: u64) -> Result<Space, Error> {
        let mut state = self.state.lock();
        self.check_limit(&state, bytes)?;
        let unwritten = state.reserved.saturating_sub(state.written);
        let Some(left) = free.saturating_sub(unwritten).checked_sub(bytes) else {
            self.metrics.full.inc();
            return Err(Error::FileSystemFull { wanted: bytes });
        };
        state.free = Some(Free { at: Instant::now(), left });
        Ok(self.take(&mut state, bytes))
    }

    fn check_limit(&self, state: &State, bytes: u64) -> Result<(), Error> {
        if state.kept_bytes.saturating_add(state.reserved).saturating_add(bytes) <= self.max {
            return Ok(());
        }
        self.metrics.full.inc();
        Err(Error::Full { wanted: bytes, max: self.max })
    }

    fn take(self: &Arc<Self>, state: &mut State, bytes: u64) -> Space {
        state.reserved = state.reserved.saturating_add(bytes);
        self.show(state);
        Space { ledger: self.clone(), bytes, written: 0 }
    }

    /// Notes a kept message, or that it takes so many bytes now. No limit is asked: what is promised
    /// is promised.
    pub(crate) fn keep(&self, id: Id, bytes: u64) {
        let mut state = self.state.lock();
        self.enter(&mut state, id, bytes);
    }

    fn enter(&self, state: &mut State, id: Id, bytes: u64) {
        let before = state.kept.insert(id, bytes).unwrap_or(0);
        state.kept_bytes = state.kept_bytes.saturating_sub(before).saturating_add(bytes);
        self.show(state);
    }

    /// Forgets a message that was removed.
    pub(crate) fn forget(&self, id: Id) {
        let mut state = self.state.lock();
        let bytes = state.kept.remove(&id).unwrap_or(0);
        state.kept_bytes = state.kept_bytes.saturating_sub(bytes);
        self.show(&state);
    }

    /// When the oldest kept message arrived.
    pub(crate) fn oldest(&self) -> Option<SystemTime> {
        self.state.lock().kept.first_key_value().map(|(id, _)| id.time())
    }

    pub(crate) fn usage(&self) -> Usage {
        let state = self.state.lock();
        Usage {
            messages: state.kept.len(),
            bytes: state.kept_bytes,
            reserved: state.reserved,
            max_bytes: self.max,
        }
    }

    fn show(&self, state: &State) {
        let set = |gauge: &Gauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.metrics.messages, u64::try_from(state.kept.len()).unwrap_or(u64::MAX));
        set(&self.metrics.bytes, state.kept_bytes);
        set(&self.metrics.reserved, state.reserved);
    }
}

/// Bytes that are reserved; dropping it gives them back.
pub(crate) struct Space {
    ledger: Arc<Ledger>,
    bytes: u64,
    written: u64,
}

impl Space {
    /// Notes that the file system has given so many of them.
    pub(crate) fn wrote(&mut self, bytes: u64) {
        self.written = self.written.saturating_add(bytes);
        let mut state = self.ledger.state.lock();
        state.written = state.written.saturating_add(bytes);
    }

    /// Makes them the bytes of a kept message, which takes `bytes` of them or, if it must be, more.
    pub(crate) fn keep(mut self, id: Id, bytes: u64) {
        let ledger = self.ledger.clone();
        let mut state = ledger.state.lock();
        self.give_back(&mut state);
        ledger.enter(&mut state, id, bytes);
    }

    fn give_back(&mut self, state: &mut State) {
        state.reserved = state.reserved.saturating_sub(std::mem::take(&mut self.bytes));
        state.written = state.written.saturating_sub(std::mem::take(&mut self.written));
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let ledger = self.ledger.clone();
        let mut state = ledger.state.lock();
        self.give_back(&mut state);
        ledger.show(&state);
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempt, Ledger};
    use crate::{Error, Id, Metrics};

    #[test]
    fn what_is_reserved_kept_and_given_back_adds_up() {
        let ledger = Ledger::new(100, Metrics::default());
        assert!(matches!(ledger.reserve(60), Ok(Attempt::AskFree)), "nobody has asked yet");
        let mut first = ledger.reserve_of(1000, 60).unwrap();
        assert!(matches!(ledger.reserve(41), Err(Error::Full { wanted: 41, max: 100 })));
        let Ok(Attempt::Reserved(second)) = ledger.reserve(40) else { panic!("it is fresh") };
        drop(second);
        first.wrote(50);
        let id = Id::generate();
        first.keep(id, 30);
        let usage = ledger.usage();
        assert_eq!((usage.messages, usage.bytes, usage.reserved), (1, 30, 0));
        ledger.keep(id, 35);
        assert_eq!(ledger.usage().bytes, 35);
        assert_eq!(ledger.oldest(), Some(id.time()));
        ledger.forget(id);
        let usage = ledger.usage();
        assert_eq!((usage.messages, usage.bytes, usage.reserved), (0, 0, 0));
        assert_eq!(ledger.oldest(), None);
        assert_eq!(ledger.state.lock().written, 0);
    }

    #[test]
    fn the_file_system_has_what_is_reserved_and_not_written() {
        let ledger = Ledger::new(u64::MAX, Metrics::default());
        let mut first = ledger.reserve_of(100, 60).unwrap();
        assert!(matches!(ledger.reserve(41), Ok(Attempt::AskFree)), "ask again before refusing");
        let full = ledger.reserve_of(100, 41);
        assert!(matches!(full, Err(Error::FileSystemFull { wanted: 41 })));
        first.wrote(60);
        drop(ledger.reserve_of(40, 40).unwrap());
        assert!(ledger.reserve_of(40, 41).is_err());
    }
}

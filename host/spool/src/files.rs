//! The storage as the rest of the crate uses it: errors say what was done to which file, failures
//! are counted, and those who wait for the folder at the same time share one sync.

use std::ffi::OsString;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::error::Error;
use crate::metrics::Metrics;
use crate::name::Name;
use crate::storage::{Access, Operation, Storage, StoredFile};

/// The files of the spool.
pub(crate) struct Files {
    storage: Arc<dyn Storage>,
    metrics: Metrics,
    folder: Rounds,
}

impl Files {
    pub(crate) fn new(storage: Arc<dyn Storage>, metrics: Metrics) -> Self {
        Self { storage, metrics, folder: Rounds::default() }
    }

    pub(crate) fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    pub(crate) fn create(&self, name: Name) -> Result<File, Error> {
        let result = self.storage.create(&name.to_string());
        Ok(self.file(name, self.judge(Operation::Create, name, result)?))
    }

    pub(crate) fn open(&self, name: Name, access: Access) -> Result<File, Error> {
        let result = self.storage.open(&name.to_string(), access);
        Ok(self.file(name, self.judge(Operation::Open, name, result)?))
    }

    pub(crate) fn rename(&self, from: Name, to: Name) -> Result<(), Error> {
        let result = self.storage.rename(&from.to_string(), &to.to_string());
        self.judge(Operation::Rename, from, result)
    }

    /// Removes a file; one that is not there is removed already.
    pub(crate) fn remove(&self, name: Name) -> Result<(), Error> {
        match self.storage.remove(&name.to_string()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => self.judge(Operation::Remove, name, result),
        }
    }

    pub(crate) fn list(&self) -> Result<Vec<OsString>, Error> {
        self.judge(Operation::List, '.', self.storage.list())
    }

    pub(crate) fn free(&self) -> Result<u64, Error> {
        self.judge(Operation::Free, '.', self.storage.free())
    }

    /// Makes every creation, renaming and removal that has returned durable. Blocks until a sync
    /// that began after the call has ended, whoever began it.
    pub(crate) fn sync_folder(&self) -> Result<(), Error> {
        let result = self.folder.sync(|| {
            let began = Instant::now();
            let result = self.storage.sync_folder();
            self.metrics.sync_seconds.observe(began.elapsed().as_secs_f64());
            if result.is_err() {
                self.metrics.failure(Operation::SyncFolder);
            }
            result
        });
        result.map_err(|error| Error::Io {
            operation: Operation::SyncFolder,
            name: ".".to_owned(),
            error,
        })
    }

    fn file(&self, name: Name, file: Arc<dyn StoredFile>) -> File {
        File { name, file, metrics: self.metrics.clone() }
    }

    fn judge<T>(
        &self,
        operation: Operation,
        name: impl ToString,
        result: io::Result<T>,
    ) -> Result<T, Error> {
        judge(&self.metrics, operation, name, result)
    }
}

/// An open file of the spool.
#[derive(Clone)]
pub(crate) struct File {
    name: Name,
    file: Arc<dyn StoredFile>,
    metrics: Metrics,
}

impl File {
    pub(crate) fn name(&self) -> Name {
        self.name
    }

    pub(crate) fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<usize, Error> {
        self.judge(Operation::Read, self.file.read_at(offset, buf))
    }

    pub(crate) fn write_at(&self, offset: u64, octets: &[u8]) -> Result<(), Error> {
        self.judge(Operation::Write, self.file.write_at(offset, octets))
    }

    pub(crate) fn allocate(&self, length: u64) -> Result<(), Error> {
        self.judge(Operation::Allocate, self.file.allocate(length))
    }

    pub(crate) fn length(&self) -> Result<u64, Error> {
        self.judge(Operation::Read, self.file.length())
    }

    pub(crate) fn sync(&self) -> Result<(), Error> {
        let began = Instant::now();
        let result = self.file.sync();
        self.metrics.sync_seconds.observe(began.elapsed().as_secs_f64());
        self.judge(Operation::Sync, result)
    }

    fn judge<T>(&self, operation: Operation, result: io::Result<T>) -> Result<T, Error> {
        judge(&self.metrics, operation, self.name, result)
    }
}

fn judge<T>(
    metrics: &Metrics,
    operation: Operation,
    name: impl ToString,
    result: io::Result<T>,
) -> Result<T, Error> {
    result.map_err(|error| {
        metrics.failure(operation);
        Error::Io { operation, name: name.to_string(), error: Arc::new(error) }
    })
}

/// Syncs of one folder, of which each serves all who came before it began.
#[derive(Default)]
struct Rounds {
    state: Mutex<RoundsState>,
    ended: Condvar,
}

#[derive(Default)]
struct RoundsState {
    running: bool,
    /// The one that has not begun.
    next: Arc<Round>,
}

type Round = OnceLock<Result<(), Arc<io::Error>>>;

impl Rounds {
    fn sync(&self, sync: impl FnOnce() -> io::Result<()>) -> Result<(), Arc<io::Error>> {
        let mut state = self.state.lock();
        let round = state.next.clone();
        loop {
            if let Some(result) = round.get() {
                return result.clone();
            }
            if !state.running {
                break;
            }
            self.ended.wait(&mut state);
        }
        // Nobody has begun the round that we are in, so it is still the next.
        state.running = true;
        state.next = Arc::default();
        drop(state);
        let result = sync().map_err(Arc::new);
        let mut state = self.state.lock();
        state.running = false;
        let result = round.get_or_init(|| result).clone();
        drop(state);
        self.ended.notify_all();
        result
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread;

    use super::Rounds;

    #[test]
    fn those_who_come_during_a_sync_share_the_next_one() {
        let rounds = &Rounds::default();
        let syncs = &AtomicUsize::new(0);
        let (begin, begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(|| {
                rounds.sync(move || {
                    begin.send(()).unwrap();
                    released.recv().unwrap();
                    Err(io::Error::other("the first"))
                })
            });
            begun.recv().unwrap();
            let later: Vec<_> = (0..5)
                .map(|_| {
                    let sync = || {
                        syncs.fetch_add(1, Ordering::SeqCst);
                        Ok(())
                    };
                    scope.spawn(move || rounds.sync(sync))
                })
                .collect();
            // They all hold the round that has not begun before the first ends.
            while Arc::strong_count(&rounds.state.lock().next) < 6 {
                thread::yield_now();
            }
            release.send(()).unwrap();
            for result in later {
                result.join().unwrap().expect("the first one's failure is not theirs");
            }
        });
        assert_eq!(syncs.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_failure_is_told_to_those_whose_it_is() {
        let rounds = Rounds::default();
        assert!(rounds.sync(|| Err(io::Error::other("no"))).is_err());
        assert!(rounds.sync(|| Ok(())).is_ok());
    }
}

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::Mutex;
use waypost_spool::simulated::Simulated;
use waypost_spool::{
    Access, CopyReader, Error, Id, Kept, LockError, Metrics, Opened, Operation, Settings, Spool,
    Storage, StoredFile,
};

/// Runs a future as a worker would: on one thread, where nothing may block for long.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub(crate) fn open_on(storage: Arc<dyn Storage>) -> Opened {
    Spool::open_on(storage, Settings::default(), Metrics::default()).unwrap()
}

pub(crate) fn open_disk(disk: &Simulated) -> Opened {
    open_on(disk.storage())
}

pub(crate) fn open_folder(folder: &Path) -> Opened {
    Spool::open(folder, Settings::default(), Metrics::default()).unwrap()
}

/// Octets that are nowhere the same, so that none can be taken for another.
pub(crate) fn octets(length: usize) -> Vec<u8> {
    (0_u32..)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes())
        .take(length)
        .collect()
}

/// Reads a copy to its end.
pub(crate) async fn read_all(mut reader: CopyReader) -> Result<Vec<u8>, Error> {
    let mut octets = Vec::new();
    let mut buf = vec![0; 10_000];
    while (octets.len() as u64) < reader.len() {
        let read = reader.read_at(octets.len() as u64, &mut buf).await?;
        assert!(read > 0, "nothing at {} of {}", octets.len(), reader.len());
        octets.extend_from_slice(&buf[..read]);
    }
    Ok(octets)
}

/// Keeps a message.
pub(crate) async fn keep(spool: &Spool, copy: &[u8], record: &[u8]) -> Result<Kept, Error> {
    let reservation = spool.reserve(copy.len() as u64, record.len()).await?;
    let mut draft = spool.begin(Id::generate(), reservation);
    draft.append(copy).await?;
    draft.sync().await?;
    draft.keep(record.to_vec()).await
}

/// A storage that stops at a certain operation until it is told to go on.
pub(crate) struct Gate {
    storage: Arc<dyn Storage>,
    state: Arc<GateState>,
}

struct GateState {
    stop: Mutex<Option<Barrier>>,
}

/// What to stop at, whom to tell, and for whom to wait.
struct Barrier {
    operation: Operation,
    tell: mpsc::Sender<()>,
    wait: mpsc::Receiver<()>,
}

/// The other end of a [`Gate`].
pub(crate) struct Keeper {
    state: Arc<GateState>,
}

/// One stop.
pub(crate) struct Stop {
    reached: mpsc::Receiver<()>,
    go_on: mpsc::Sender<()>,
}

impl Gate {
    pub(crate) fn before(storage: Arc<dyn Storage>) -> (Arc<Self>, Keeper) {
        let state = Arc::new(GateState { stop: Mutex::default() });
        (Arc::new(Self { storage, state: state.clone() }), Keeper { state })
    }
}

impl Keeper {
    /// The next operation of this kind stops.
    pub(crate) fn stop_at(&self, operation: Operation) -> Stop {
        let (tell, reached) = mpsc::channel();
        let (go_on, wait) = mpsc::channel();
        *self.state.stop.lock() = Some(Barrier { operation, tell, wait });
        Stop { reached, go_on }
    }
}

impl Stop {
    pub(crate) fn wait_until_reached(&self) {
        let patience = Duration::from_secs(60);
        self.reached.recv_timeout(patience).expect("the operation is reached");
    }

    pub(crate) fn go_on(self) {
        self.go_on.send(()).unwrap();
    }
}

impl GateState {
    fn pass(&self, operation: Operation) {
        let barrier = self.stop.lock().take_if(|barrier| barrier.operation == operation);
        if let Some(barrier) = barrier {
            barrier.tell.send(()).unwrap();
            // Whoever stopped it may have gone.
            let _ = barrier.wait.recv();
        }
    }
}

impl Storage for Gate {
    fn blocks(&self) -> bool {
        true
    }

    fn place(&self) -> String {
        self.storage.place()
    }

    fn lock(&self) -> Result<(), LockError> {
        self.storage.lock()
    }

    fn unlock(&self) {
        self.storage.unlock();
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        self.state.pass(Operation::Create);
        let file = self.storage.create(name)?;
        Ok(Arc::new(GatedFile { file, state: self.state.clone() }))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn StoredFile>> {
        self.state.pass(Operation::Open);
        let file = self.storage.open(name, access)?;
        Ok(Arc::new(GatedFile { file, state: self.state.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.state.pass(Operation::Rename);
        self.storage.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state.pass(Operation::Remove);
        self.storage.remove(name)
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.state.pass(Operation::SyncFolder);
        self.storage.sync_folder()
    }

    fn list(&self) -> io::Result<Vec<std::ffi::OsString>> {
        self.storage.list()
    }

    fn free(&self) -> io::Result<u64> {
        self.state.pass(Operation::Free);
        self.storage.free()
    }
}

struct GatedFile {
    file: Arc<dyn StoredFile>,
    state: Arc<GateState>,
}

impl StoredFile for GatedFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.state.pass(Operation::Read);
        self.file.read_at(offset, buf)
    }

    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()> {
        self.state.pass(Operation::Write);
        self.file.write_at(offset, octets)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.state.pass(Operation::Allocate);
        self.file.allocate(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn sync(&self) -> io::Result<()> {
        self.state.pass(Operation::Sync);
        self.file.sync()
    }
}

//! A file system in memory that loses what was not synced, for crash tests of the spool and of what
//! stands above it.
//!
//! It is as unkind as POSIX allows. At a crash each write that was not synced may have reached the
//! disk or not, in part, and before those that came earlier; so may each creation, renaming and
//! removal until the folder is synced. After a sync that failed, a later one that succeeds says
//! nothing about what came before the first.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::slot::blocks;
use crate::storage::{Access, LockError, Operation, Storage, StoredFile};

mod log;
mod survivors;

use log::{Entry, Fate, Log, NodeId, Write};

/// A disk with one folder. A clone is the same disk.
#[derive(Clone, Debug, Default)]
pub struct Simulated {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Default)]
struct Disk {
    /// Every file that has ever been, by its number.
    nodes: Vec<Node>,
    folder: Log<Entry>,
    /// The folder as those see it who use it.
    names: BTreeMap<String, NodeId>,
    operations: u64,
    crash_after: Option<u64>,
    fail_at: Option<u64>,
    failing: Vec<(Operation, u64)>,
    space: Option<u64>,
    locked: bool,
    blocks: bool,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// The content as those see it who use it.
    content: Vec<u8>,
    /// How many octets have a place on the disk.
    allocated: u64,
    log: Log<Write>,
}

impl Simulated {
    /// An empty disk without limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has the spool use threads, as it does on a real disk. Otherwise everything is done on the
    /// caller's thread, in a fixed order.
    pub fn with_threads(self) -> Self {
        self.disk.lock().blocks = true;
        self
    }

    /// The disk as a spool uses it.
    pub fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(Handle { disk: self.disk.clone(), holds: Mutex::new(false) })
    }

    /// How many operations have changed the disk, or tried to: creations, writes, allocations,
    /// syncs, renamings, removals.
    pub fn operations(&self) -> u64 {
        self.disk.lock().operations
    }

    /// The power fails after operation `number`, counted from the disk's beginning: whatever comes
    /// after it fails, reading too.
    pub fn crash_after(&self, number: u64) {
        self.disk.lock().crash_after = Some(number);
    }

    /// Whether the power has failed.
    pub fn crashed(&self) -> bool {
        let disk = self.disk.lock();
        disk.crash_after.is_some_and(|number| disk.operations > number)
    }

    /// Operation `number` fails with an input/output error.
    pub fn fail_at(&self, number: u64) {
        self.disk.lock().fail_at = Some(number);
    }

    /// The next `times` operations of this kind fail with an input/output error.
    pub fn fail(&self, operation: Operation, times: u64) {
        self.disk.lock().failing.push((operation, times));
    }

    /// From now on the disk has space for so many octets in all, what it holds included.
    pub fn limit_space(&self, octets: u64) {
        self.disk.lock().space = Some(octets);
    }

    /// How many octets are taken.
    pub fn taken(&self) -> u64 {
        self.disk.lock().taken()
    }

    /// The names in the folder.
    pub fn names(&self) -> Vec<String> {
        self.disk.lock().names.keys().cloned().collect()
    }

    /// The content of a file.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let disk = self.disk.lock();
        Some(disk.nodes.get(*disk.names.get(name)?)?.content.clone())
    }

    /// Puts a file there, durable, whatever was there before.
    pub fn put(&self, name: &str, content: &[u8]) {
        let mut disk = self.disk.lock();
        let node = disk.nodes.len();
        disk.nodes.push(Node::durable(content.to_vec()));
        disk.names.insert(name.to_owned(), node);
        disk.folder.push(Entry::set(name, node), Fate::Durable);
    }

    /// The states in which the disk may be found if the power fails now, each as a disk of its own:
    /// all of them in which what survives is the first part of what was done, if they are no more
    /// than `at_most`, else so many of them; and some more in which anything survives. Which ones
    /// depends on nothing but what was done.
    pub fn survivors(&self, at_most: usize) -> Vec<Self> {
        survivors::survivors(&self.disk.lock(), at_most).into_iter().map(Self::from_disk).collect()
    }

    fn from_disk(disk: Disk) -> Self {
        Self { disk: Arc::new(Mutex::new(disk)) }
    }
}

impl Node {
    fn durable(content: Vec<u8>) -> Self {
        let allocated = blocks(content.len() as u64);
        let log = Log::durable(Write::Octets(0, content.clone()));
        Self { content, allocated, log }
    }
}

impl Disk {
    /// Counts an operation that changes the disk and says whether it is to fail.
    fn change(&mut self, operation: Operation) -> io::Result<()> {
        self.operations += 1;
        let number = self.operations;
        self.alive()?;
        let fails = self.fail_at == Some(number) || self.take_failure(operation);
        if fails { Err(io::Error::from_raw_os_error(EIO)) } else { Ok(()) }
    }

    /// Says whether an operation that only reads is to fail.
    fn look(&mut self, operation: Operation) -> io::Result<()> {
        self.alive()?;
        let fails = self.take_failure(operation);
        if fails { Err(io::Error::from_raw_os_error(EIO)) } else { Ok(()) }
    }

    fn alive(&self) -> io::Result<()> {
        match self.crash_after {
            Some(number) if self.operations > number => Err(io::Error::other("the power is off")),
            _ => Ok(()),
        }
    }

    fn take_failure(&mut self, operation: Operation) -> bool {
        let mut failing = self.failing.iter_mut();
        match failing.find(|(failing, times)| *failing == operation && *times > 0) {
            Some((_, times)) => {
                *times -= 1;
                true
            }
            None => false,
        }
    }

    fn taken(&self) -> u64 {
        let nodes = self.names.values().filter_map(|node| self.nodes.get(*node));
        nodes.map(|node| node.allocated).sum()
    }

    /// Gives a file space for its first `length` octets, or as many as there are.
    fn allocate(&mut self, node: NodeId, length: u64) -> io::Result<()> {
        let taken = self.taken();
        let node = self.nodes.get_mut(node).ok_or(io::ErrorKind::NotFound)?;
        let wanted = blocks(length).saturating_sub(node.allocated);
        let free = self.space.map_or(u64::MAX, |space| space.saturating_sub(taken));
        if wanted <= free {
            node.allocated += wanted;
            return Ok(());
        }
        node.allocated += free / crate::slot::BLOCK * crate::slot::BLOCK;
        Err(io::Error::from_raw_os_error(ENOSPC))
    }
}

const EIO: i32 = rustix::io::Errno::IO.raw_os_error();
const ENOSPC: i32 = rustix::io::Errno::NOSPC.raw_os_error();

/// The disk in use.
struct Handle {
    disk: Arc<Mutex<Disk>>,
    holds: Mutex<bool>,
}

impl Storage for Handle {
    fn blocks(&self) -> bool {
        self.disk.lock().blocks
    }

    fn place(&self) -> String {
        "in memory".to_owned()
    }

    fn lock(&self) -> Result<(), LockError> {
        let mut disk = self.disk.lock();
        if std::mem::replace(&mut disk.locked, true) {
            return Err(LockError::Held { pid: Some(std::process::id()) });
        }
        *self.holds.lock() = true;
        Ok(())
    }

    fn unlock(&self) {
        if std::mem::take(&mut *self.holds.lock()) {
            self.disk.lock().locked = false;
        }
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        let mut disk = self.disk.lock();
        disk.change(Operation::Create)?;
        if disk.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let node = disk.nodes.len();
        disk.nodes.push(Node::default());
        disk.names.insert(name.to_owned(), node);
        disk.folder.push(Entry::set(name, node), Fate::Open);
        Ok(Arc::new(Opened { disk: self.disk.clone(), node, writes: true }))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn StoredFile>> {
        let mut disk = self.disk.lock();
        disk.look(Operation::Open)?;
        let node = *disk.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        let writes = access == Access::Write;
        Ok(Arc::new(Opened { disk: self.disk.clone(), node, writes }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.change(Operation::Rename)?;
        let node = disk.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        disk.names.insert(to.to_owned(), node);
        disk.folder.push(Entry::rename(from, to, node), Fate::Open);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.change(Operation::Remove)?;
        disk.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        disk.folder.push(Entry::remove(name), Fate::Open);
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut disk = self.disk.lock();
        let result = disk.change(Operation::SyncFolder);
        if disk.alive().is_ok() {
            disk.folder.sync(result.is_ok());
        }
        result
    }

    fn list(&self) -> io::Result<Vec<OsString>> {
        let mut disk = self.disk.lock();
        disk.look(Operation::List)?;
        Ok(disk.names.keys().map(OsString::from).collect())
    }

    fn free(&self) -> io::Result<u64> {
        let mut disk = self.disk.lock();
        disk.look(Operation::Free)?;
        let taken = disk.taken();
        Ok(disk.space.map_or(u64::MAX, |space| space.saturating_sub(taken)))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.unlock();
    }
}

struct Opened {
    disk: Arc<Mutex<Disk>>,
    node: NodeId,
    writes: bool,
}

impl Opened {
    fn writable(&self) -> io::Result<()> {
        if self.writes { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl StoredFile for Opened {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut disk = self.disk.lock();
        disk.look(Operation::Read)?;
        let node = disk.nodes.get(self.node).ok_or(io::ErrorKind::NotFound)?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let content = node.content.get(offset..).unwrap_or_default();
        let length = content.len().min(buf.len());
        buf[..length].copy_from_slice(&content[..length]);
        Ok(length)
    }

    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()> {
        self.writable()?;
        let mut disk = self.disk.lock();
        disk.change(Operation::Write)?;
        let result = disk.allocate(self.node, offset.saturating_add(octets.len() as u64));
        let node = disk.nodes.get_mut(self.node).ok_or(io::ErrorKind::NotFound)?;
        let fits = usize::try_from(node.allocated.saturating_sub(offset)).unwrap_or(usize::MAX);
        let octets = octets.get(..fits).unwrap_or(octets);
        let write = Write::Octets(offset, octets.to_vec());
        write.apply(&mut node.content);
        node.log.push(write, Fate::Open);
        result
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.writable()?;
        let mut disk = self.disk.lock();
        disk.change(Operation::Allocate)?;
        disk.allocate(self.node, length)?;
        let node = disk.nodes.get_mut(self.node).ok_or(io::ErrorKind::NotFound)?;
        let write = Write::Extend(length);
        write.apply(&mut node.content);
        node.log.push(write, Fate::Open);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        let mut disk = self.disk.lock();
        disk.look(Operation::Read)?;
        Ok(disk.nodes.get(self.node).ok_or(io::ErrorKind::NotFound)?.content.len() as u64)
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk.lock();
        let result = disk.change(Operation::Sync);
        if disk.alive().is_ok() {
            let node = disk.nodes.get_mut(self.node).ok_or(io::ErrorKind::NotFound)?;
            node.log.sync(result.is_ok());
        }
        result
    }
}

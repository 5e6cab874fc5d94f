use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustix::fs::{
    Access as Rights, AtFlags, CWD, Dir, FallocateFlags, FileType, FlockOperation, Mode, OFlags,
    access, fallocate, flock, fstat, fstatvfs, fsync, mkdirat, openat, renameat, unlinkat,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{geteuid, getpid};

use super::{Access, LockError, Storage, StoredFile};
use crate::error::OpenError;
use crate::name;

/// Only its owner may look into the folder, and into a file.
const FOLDER_MODE: Mode = Mode::RWXU;
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);
/// The rights of anybody else.
const OTHERS: Mode = Mode::RWXG.union(Mode::RWXO);
/// A process id takes fewer octets.
const MAX_PID: usize = 16;
const ZEROS: &[u8] = &[0; 64 * 1024];

/// A folder of a real file system. Every file in it is reached through the folder's descriptor, so
/// that nobody can put another folder in its place.
pub(crate) struct Folder {
    path: PathBuf,
    folder: OwnedFd,
    lock: Mutex<Option<File>>,
}

impl Folder {
    /// Opens the spool's folder, which is made if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let made = match mkdirat(CWD, path, FOLDER_MODE) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(failed(path, "create", errno)),
        };
        let folder = Self::existing(path)?;
        folder.check()?;
        // A folder that a crash may take away would take everything along. Who made it earlier may
        // have had no time to sync it; where we may not, it has been there for longer.
        match sync_parent(path) {
            Err(errno) if made => Err(failed(path, "sync the parent of", errno)),
            _ => Ok(folder),
        }
    }

    /// Opens the folder as it is, to look into it.
    pub(crate) fn existing(path: &Path) -> Result<Self, OpenError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(CWD, path, flags, Mode::empty()) {
            Ok(folder) => Ok(Self { path: path.to_owned(), folder, lock: Mutex::default() }),
            Err(Errno::NOTDIR | Errno::LOOP) => Err(OpenError::NotAFolder(path.to_owned())),
            Err(errno) => Err(failed(path, "open", errno)),
        }
    }

    /// The folder of a spool that somebody else may be using; `None` where it is still to be made.
    pub(crate) fn found(path: &Path) -> Result<Option<Self>, OpenError> {
        let folder = match Self::existing(path) {
            Err(OpenError::Folder { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            found => found?,
        };
        folder.check()?;
        access(path, Rights::WRITE_OK | Rights::EXEC_OK)
            .map_err(|errno| failed(path, "write to", errno))?;
        Ok(Some(folder))
    }

    /// What the file system could hold if nothing else were in it, and what it can take now.
    pub(crate) fn room(&self) -> io::Result<(u64, u64)> {
        let total = fstatvfs(&self.folder)?;
        Ok((total.f_blocks.saturating_mul(total.f_frsize), self.free()?))
    }

    /// Whether the folder is ours and nobody else's.
    fn check(&self) -> Result<(), OpenError> {
        let stat = fstat(&self.folder).map_err(|errno| failed(&self.path, "look at", errno))?;
        let user = geteuid().as_raw();
        if stat.st_uid != user {
            let (folder, owner) = (self.path.clone(), stat.st_uid);
            return Err(OpenError::Owner { folder, owner, user });
        }
        if Mode::from_raw_mode(stat.st_mode).intersects(OTHERS) {
            let mode = stat.st_mode & 0o7777;
            return Err(OpenError::Exposed { folder: self.path.clone(), mode });
        }
        Ok(())
    }

    fn open_file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        // Whatever lies there, opening it neither follows a link nor waits for a pipe's other end.
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = openat(&self.folder, name, flags, FILE_MODE)?;
        if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
            return Err(io::Error::other("it is no plain file"));
        }
        Ok(file.into())
    }
}

impl Storage for Folder {
    fn blocks(&self) -> bool {
        true
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn lock(&self) -> Result<(), LockError> {
        let file =
            self.open_file(name::LOCK, OFlags::RDWR | OFlags::CREATE).map_err(LockError::Io)?;
        match retry_on_intr(|| flock(&file, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(LockError::Held { pid: read_pid(&file) }),
            Err(errno) => return Err(LockError::Io(errno.into())),
        }
        // Only for whoever finds it locked: on a full file system it may fail.
        if file.set_len(0).is_ok() {
            let _ = file.write_all_at(format!("{}\n", getpid()).as_bytes(), 0);
        }
        *self.lock.lock() = Some(file);
        Ok(())
    }

    fn unlock(&self) {
        self.lock.lock().take();
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn StoredFile>> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        Ok(Arc::new(FolderFile(self.open_file(name, flags)?)))
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Arc<dyn StoredFile>> {
        let flags = match access {
            Access::Read => OFlags::RDONLY,
            Access::Write => OFlags::RDWR,
        };
        Ok(Arc::new(FolderFile(self.open_file(name, flags)?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.folder, from, &self.folder, to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.folder, name, AtFlags::empty())?)
    }

    fn sync_folder(&self) -> io::Result<()> {
        Ok(retry_on_intr(|| fsync(&self.folder))?)
    }

    fn list(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.folder)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn free(&self) -> io::Result<u64> {
        let free = fstatvfs(&self.folder)?;
        // Two files for each message. A file system that does not count files says none at all.
        if free.f_files > 0 && free.f_favail < 2 {
            return Ok(0);
        }
        Ok(free.f_bavail.saturating_mul(free.f_frsize))
    }
}

struct FolderFile(File);

impl StoredFile for FolderFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while let Some(rest) = buf.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset.saturating_add(read as u64)) {
                Ok(0) => break,
                Ok(more) => read = read.saturating_add(more),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()> {
        self.0.write_all_at(octets, offset)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        match retry_on_intr(|| fallocate(&self.0, FallocateFlags::empty(), 0, length)) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill(&self.0, length),
            result => Ok(result?),
        }
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        // fdatasync(2): the length is synced with it, the time of the last change need not be.
        self.0.sync_data()
    }
}

/// Lengthens a file with zeros where the file system cannot allocate. Only when they are synced is
/// it known that they have a place.
fn fill(file: &File, length: u64) -> io::Result<()> {
    let mut offset = file.metadata()?.len();
    while offset < length {
        let rest = usize::try_from(length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let zeros = ZEROS.get(..rest).unwrap_or(ZEROS);
        file.write_all_at(zeros, offset)?;
        offset = offset.saturating_add(zeros.len() as u64);
    }
    file.sync_data()
}

fn sync_parent(path: &Path) -> Result<(), Errno> {
    let parent = match path.parent() {
        None => return Ok(()),
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let parent = openat(CWD, parent, flags, Mode::empty())?;
    retry_on_intr(|| fsync(parent.as_fd()))
}

fn read_pid(file: &File) -> Option<u32> {
    let mut text = [0; MAX_PID];
    let length = file.read_at(&mut text, 0).ok()?;
    str::from_utf8(text.get(..length)?).ok()?.trim_end().parse().ok()
}

fn failed(path: &Path, what: &'static str, errno: Errno) -> OpenError {
    OpenError::Folder { folder: path.to_owned(), what, error: errno.into() }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::fill;

    #[test]
    fn where_nothing_can_be_allocated_zeros_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        fill(&file, 200_000).unwrap();
        assert_eq!(fs::read(&path).unwrap(), vec![0; 200_000]);
        fs::write(&path, b"content").unwrap();
        fill(&file, 10).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"content\0\0\0", "what is there stays");
        fill(&file, 5).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 10, "never shortened");
    }
}

//! The folder. Everything in it is reached through its descriptor, so that nobody can put another
//! folder in its place.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW, fstat,
    mkdirat, openat, renameat, statat, unlinkat, utimensat,
};
use rustix::io::Errno;
use rustix::process::{Uid, geteuid};

use super::CodeCacheError;

const FOLDER_MODE: Mode = Mode::RWXU;
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);
/// The rights of anybody else.
const OTHERS: Mode = Mode::RWXG.union(Mode::RWXO);
/// What the name of an entry ends with.
const ENTRY: &str = ".code";
/// What the name of an entry ends with while it is written.
const DRAFT: &str = ".new";
/// A draft as old as this is of a process that has ended.
const DRAFT_AGE: Duration = Duration::from_secs(3600);

/// A folder that is ours and nobody else's.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    folder: OwnedFd,
    owner: Uid,
    device: u64,
    inode: u64,
}

impl Folder {
    /// Opens the folder, which is made if only its last part is missing.
    pub(super) fn make(path: &Path) -> Result<Self, CodeCacheError> {
        match mkdirat(CWD, path, FOLDER_MODE) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed("create", path, errno)),
        }
        let folder = Self::existing(path)?;
        folder.ok_or_else(|| failed("open", path, Errno::NOENT))
    }

    /// Opens the folder as it is; `None` where there is none.
    pub(super) fn existing(path: &Path) -> Result<Option<Self>, CodeCacheError> {
        Self::of(path, geteuid())
    }

    fn of(path: &Path, owner: Uid) -> Result<Option<Self>, CodeCacheError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = match openat(CWD, path, flags, Mode::empty()) {
            Ok(folder) => folder,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP) => {
                return Err(CodeCacheError::NotAFolder(path.into()));
            }
            Err(errno) => return Err(failed("open", path, errno)),
        };
        let stat = fstat(&folder).map_err(|errno| failed("look at", path, errno))?;
        if stat.st_uid != owner.as_raw() {
            let (path, user) = (path.into(), owner.as_raw());
            return Err(CodeCacheError::Owner { path, owner: stat.st_uid, user });
        }
        if Mode::from_raw_mode(stat.st_mode).intersects(OTHERS) {
            return Err(CodeCacheError::Exposed { path: path.into(), mode: stat.st_mode & 0o7777 });
        }
        let (device, inode) = (stat.st_dev, stat.st_ino);
        Ok(Some(Self { path: path.into(), folder, owner, device, inode }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this is the folder that `stat` is of.
    pub(super) fn is_the_same(&self, stat: &Stat) -> bool {
        (stat.st_dev, stat.st_ino) == (self.device, self.inode)
    }

    /// The content of a file, read whole; `None` where there is none. The error says why it is not
    /// one that this cache has written.
    pub(super) fn read(&self, name: &str, at_most: u64) -> Result<Option<Vec<u8>>, String> {
        // Whatever lies there, opening it neither follows a link nor waits for a pipe's other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match openat(&self.folder, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err("it is a link".into()),
            Err(errno) => return Err(format!("it cannot be opened: {errno}")),
        };
        let stat = fstat(&file).map_err(|errno| format!("it cannot be looked at: {errno}"))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err("it is no plain file".into());
        }
        if stat.st_uid != self.owner.as_raw() {
            return Err(format!("it belongs to user {}", stat.st_uid));
        }
        if Mode::from_raw_mode(stat.st_mode).intersects(OTHERS) {
            return Err(format!("others have rights in it (mode {:04o})", stat.st_mode & 0o7777));
        }
        let size = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
        if size > at_most {
            return Err(format!("it has {size} octets"));
        }
        // The file may have another size by now; what has been read is what is checked.
        let mut octets = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
        let read = File::from(file).take(at_most).read_to_end(&mut octets);
        read.map_err(|error| format!("it cannot be read: {error}"))?;
        Ok(Some(octets))
    }

    /// Puts a file in the place of whatever has this name, whole or not at all.
    pub(super) fn write(&self, name: &str, pieces: &[&[u8]]) -> io::Result<()> {
        let draft = format!("{name}.{:016x}{DRAFT}", rand::random::<u64>());
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.folder, &draft, flags, FILE_MODE)?);
        let written = pieces.iter().try_for_each(|piece| file.write_all(piece));
        // A crash may leave the old or nothing, never half of the new under its name.
        let placed = written.and_then(|()| file.sync_data()).and_then(|()| {
            renameat(&self.folder, &draft, &self.folder, name).map_err(io::Error::from)
        });
        if placed.is_err() {
            let _ = unlinkat(&self.folder, &draft, AtFlags::empty());
        }
        placed
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match unlinkat(&self.folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Notes that an entry has been used.
    pub(super) fn touch(&self, name: &str) {
        let now = || Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let times = Timestamps { last_access: now(), last_modification: now() };
        // It only says which entry goes first.
        let _ = utimensat(&self.folder, name, &times, AtFlags::SYMLINK_NOFOLLOW);
    }

    /// Removes entries that have not been used for the longest time, until those that are left take
    /// no more than `max_bytes`, and drafts that nobody will finish. The entry `keep` stays.
    pub(super) fn make_room(&self, max_bytes: u64, keep: &str) -> io::Result<()> {
        let mut entries = Vec::new();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        for name in self.names()? {
            let Ok(stat) = statat(&self.folder, &name, AtFlags::SYMLINK_NOFOLLOW) else {
                // Another process has removed it.
                continue;
            };
            let used = (stat.st_mtime, stat.st_mtime_nsec);
            let octets = name.as_bytes();
            if octets.ends_with(DRAFT.as_bytes()) {
                let written = Duration::from_secs(u64::try_from(used.0).unwrap_or_default());
                if now.saturating_sub(written) > DRAFT_AGE {
                    unlinkat(&self.folder, &name, AtFlags::empty())?;
                }
            } else if octets.ends_with(ENTRY.as_bytes()) {
                entries.push((used, u64::try_from(stat.st_size).unwrap_or_default(), name));
            }
        }
        entries.sort_unstable();
        let mut total = entries.iter().fold(0, |sum: u64, (_, size, _)| sum.saturating_add(*size));
        for (_, size, name) in entries.iter().filter(|(_, _, name)| name != keep) {
            if total <= max_bytes {
                break;
            }
            match unlinkat(&self.folder, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => total = total.saturating_sub(*size),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.folder)? {
            names.push(OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned());
        }
        Ok(names)
    }
}

fn failed(what: &'static str, path: &Path, errno: Errno) -> CodeCacheError {
    CodeCacheError::Io { what, path: path.into(), error: errno.into() }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::time::{Duration, SystemTime};

    use rustix::process::{Uid, geteuid};

    use super::super::CodeCacheError;
    use super::Folder;

    #[test]
    fn a_folder_is_made_for_its_owner_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("code");
        assert!(Folder::existing(&path).unwrap().is_none());
        Folder::make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700);
        Folder::make(&path).unwrap();
        let deep = place.path().join("a/b");
        assert!(Folder::make(&deep).unwrap_err().to_string().contains("a/b"));
    }

    #[test]
    fn a_folder_that_others_have_to_do_with_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("code");
        fs::create_dir(&path).unwrap();
        for mode in [0o755, 0o770, 0o720, 0o702, 0o701, 0o1777] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let refused = Folder::make(&path).unwrap_err();
            assert!(matches!(refused, CodeCacheError::Exposed { .. }), "{mode:o}: {refused}");
            assert!(refused.to_string().contains("chmod go="), "{refused}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        Folder::make(&path).unwrap();
        let stranger = Uid::from_raw(geteuid().as_raw() + 1);
        let refused = Folder::of(&path, stranger).unwrap_err();
        assert!(matches!(refused, CodeCacheError::Owner { .. }), "{refused}");
        let link = place.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(Folder::make(&link), Err(CodeCacheError::NotAFolder(_))));
        let file = place.path().join("file");
        File::create(&file).unwrap();
        assert!(matches!(Folder::make(&file), Err(CodeCacheError::NotAFolder(_))));
    }

    #[test]
    fn what_is_no_file_of_ours_is_not_read() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::make(&place.path().join("code")).unwrap();
        let at = |name: &str| place.path().join("code").join(name);
        assert_eq!(folder.read("a", 10).unwrap(), None);
        folder.write("a", &[b"con", b"tent"]).unwrap();
        assert_eq!(folder.read("a", 10).unwrap().unwrap(), b"content");
        assert_eq!(fs::metadata(at("a")).unwrap().permissions().mode() & 0o7777, 0o600);
        assert!(folder.read("a", 6).unwrap_err().contains("7 octets"));
        for mode in [0o640, 0o620, 0o602] {
            fs::set_permissions(at("a"), Permissions::from_mode(mode)).unwrap();
            assert!(folder.read("a", 10).unwrap_err().contains("others have rights"), "{mode:o}");
        }
        symlink(at("a"), at("b")).unwrap();
        assert!(folder.read("b", 10).unwrap_err().contains("a link"));
        fs::create_dir(at("c")).unwrap();
        assert!(folder.read("c", 10).unwrap_err().contains("no plain file"));
        let stranger = Uid::from_raw(geteuid().as_raw() + 1);
        let folder = Folder { owner: stranger, ..folder };
        fs::set_permissions(at("a"), Permissions::from_mode(0o600)).unwrap();
        assert!(folder.read("a", 10).unwrap_err().contains("belongs to user"));
    }

    #[test]
    fn what_is_written_replaces_a_link_and_not_what_it_leads_to() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::make(&place.path().join("code")).unwrap();
        let precious = place.path().join("precious");
        fs::write(&precious, "kept").unwrap();
        symlink(&precious, place.path().join("code/a.code")).unwrap();
        folder.write("a.code", &[b"new"]).unwrap();
        assert_eq!(folder.read("a.code", 10).unwrap().unwrap(), b"new");
        assert_eq!(fs::read_to_string(precious).unwrap(), "kept");
        assert_eq!(fs::read_dir(place.path().join("code")).unwrap().count(), 1, "no draft left");
    }

    #[test]
    fn the_least_lately_used_goes_first() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::make(&place.path().join("code")).unwrap();
        let at = |name: &str| place.path().join("code").join(name);
        let hours_ago = |name: &str, hours: u64| {
            let file = File::options().write(true).open(at(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
        };
        for name in ["a.code", "b.code", "c.code", "d.code"] {
            folder.write(name, &[&[7; 100]]).unwrap();
        }
        fs::write(at("notes"), "somebody's").unwrap();
        for draft in ["e.code.0.new", "f.code.0.new"] {
            fs::write(at(draft), "draft").unwrap();
        }
        for (name, hours) in
            [("a.code", 2), ("b.code", 4), ("c.code", 3), ("d.code", 1), ("f.code.0.new", 2)]
        {
            hours_ago(name, hours);
        }
        folder.touch("b.code");
        folder.make_room(250, "a.code").unwrap();
        let there = |name| at(name).exists();
        assert!(there("a.code"), "what is to stay stays");
        assert!(!there("c.code") && !there("d.code") && there("b.code"));
        assert!(there("notes") && there("e.code.0.new") && !there("f.code.0.new"));
    }
}

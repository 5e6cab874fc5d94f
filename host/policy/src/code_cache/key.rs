//! The key under which entries are digested: 32 octets in a file of their own.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, fstat, openat, renameat_with, statat,
    unlinkat,
};
use rustix::io::Errno;
use rustix::process::{Uid, geteuid};
use zeroize::Zeroizing;

use super::CodeCacheError;
use super::folder::Folder;

/// How many octets a key has.
pub(super) const LENGTH: usize = 32;
/// What the file's octets are used for; another use would have another word.
const PURPOSE: &str = "waypost 2026-11 digests of compiled plugins";
/// Only its owner may have to do with it.
const MODE: Mode = Mode::RUSR.union(Mode::WUSR);
/// A key of root's may be read by the group of who serves, as a key that an operator puts down.
const ROOTS: Mode = Mode::WGRP.union(Mode::XGRP).union(Mode::RWXO);
const OTHERS: Mode = Mode::RWXG.union(Mode::RWXO);

/// The key.
pub(super) struct Key(Zeroizing<[u8; LENGTH]>);

impl Key {
    /// The key in the file at `path`, which is made if it is not there.
    pub(super) fn read_or_make(path: &Path, folder: &Folder) -> Result<Self, CodeCacheError> {
        if let Some(key) = Self::existing(path, folder)? {
            return Ok(key);
        }
        make(path)?;
        let key = Self::existing(path, folder)?;
        key.ok_or_else(|| failed("read", path, Errno::NOENT))
    }

    /// The key in the file at `path`; `None` where there is no file.
    pub(super) fn existing(path: &Path, folder: &Folder) -> Result<Option<Self>, CodeCacheError> {
        check_place(path, folder)?;
        read(path, geteuid())
    }

    /// The digest of what these pieces make together.
    pub(super) fn digest(&self, pieces: &[&[u8]]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for piece in pieces {
            hasher.update(piece);
        }
        hasher.finalize()
    }
}

/// The key must not lie where the entries lie, however deep: who can write the ones could write the
/// other.
fn check_place(path: &Path, folder: &Folder) -> Result<(), CodeCacheError> {
    // What is wrong with a path that leads nowhere is said when the file is opened.
    let Ok(place) = fs::canonicalize(parent(path)) else { return Ok(()) };
    let is_inside = place.ancestors().any(|ancestor| {
        statat(CWD, ancestor, AtFlags::empty()).is_ok_and(|stat| folder.is_the_same(&stat))
    });
    if is_inside { Err(CodeCacheError::KeyInside(path.into())) } else { Ok(()) }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn read(path: &Path, user: Uid) -> Result<Option<Key>, CodeCacheError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match openat(CWD, path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(CodeCacheError::NotAKey(path.into())),
        Err(errno) => return Err(failed("open", path, errno)),
    };
    let stat = fstat(&file).map_err(|errno| failed("look at", path, errno))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(CodeCacheError::NotAKey(path.into()));
    }
    let owner = Uid::from_raw(stat.st_uid);
    if owner != user && owner != Uid::ROOT {
        let (path, owner, user) = (path.into(), owner.as_raw(), user.as_raw());
        return Err(CodeCacheError::Owner { path, owner, user });
    }
    let forbidden = if owner == user { OTHERS } else { ROOTS };
    if Mode::from_raw_mode(stat.st_mode).intersects(forbidden) {
        return Err(CodeCacheError::Exposed { path: path.into(), mode: stat.st_mode & 0o7777 });
    }
    // One octet more than a key has, to see that there is none.
    let mut octets = Zeroizing::new([0; LENGTH + 1]);
    let mut length = 0;
    let mut file = File::from(file);
    while let Some(rest) = octets.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(more) => length = length.saturating_add(more),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io_failed("read", path, error)),
        }
    }
    let key = octets.get(..length).filter(|key| key.len() == LENGTH);
    let key = key.ok_or_else(|| CodeCacheError::NotAKey(path.into()))?;
    Ok(Some(Key(Zeroizing::new(derive(key)))))
}

fn derive(secret: &[u8]) -> [u8; LENGTH] {
    blake3::derive_key(PURPOSE, secret)
}

/// Makes a new key. Whole or not at all: of two processes that do, both use the key of the first.
fn make(path: &Path) -> Result<(), CodeCacheError> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{:016x}.new", rand::random::<u64>()));
    let draft = Path::new(&name);
    let secret: Zeroizing<[u8; LENGTH]> = Zeroizing::new(rand::random());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(CWD, draft, flags, MODE).map_err(|errno| failed("create", path, errno))?;
    let mut file = File::from(file);
    let written = file.write_all(&*secret).and_then(|()| file.sync_all());
    let placed =
        written.map_err(|error| io_failed("write", path, error)).and_then(
            |()| match renameat_with(CWD, draft, CWD, path, RenameFlags::NOREPLACE) {
                Ok(()) | Err(Errno::EXIST) => Ok(()),
                Err(errno) => Err(failed("create", path, errno)),
            },
        );
    // Where it was renamed, there is nothing left to be removed.
    let _ = unlinkat(CWD, draft, AtFlags::empty());
    placed
}

fn failed(what: &'static str, path: &Path, errno: Errno) -> CodeCacheError {
    io_failed(what, path, errno.into())
}

fn io_failed(what: &'static str, path: &Path, error: std::io::Error) -> CodeCacheError {
    CodeCacheError::Io { what, path: path.into(), error }
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use rustix::process::{Uid, geteuid};

    use super::super::CodeCacheError;
    use super::super::folder::Folder;
    use super::{Key, LENGTH, read};

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::make(&place.path().join("code")).unwrap();
        let path = place.path().join("key");
        assert!(Key::existing(&path, &folder).unwrap().is_none());
        let made = Key::read_or_make(&path, &folder).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        let secret = fs::read(&path).unwrap();
        assert_eq!(secret.len(), LENGTH);
        assert_ne!(*made.0, *secret, "the file's octets are derived from, not used");
        let again = Key::read_or_make(&path, &folder).unwrap();
        assert_eq!(made.0, again.0);
        assert_eq!(fs::read(&path).unwrap(), secret);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2, "no draft is left");
    }

    #[test]
    fn what_is_no_safe_key_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::make(&place.path().join("code")).unwrap();
        let path = place.path().join("key");
        let refusal = || Key::read_or_make(&path, &folder).err().unwrap().to_string();
        let mode = |mode| fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();

        for content in [&b""[..], &[7; LENGTH - 1], &[7; LENGTH + 1]] {
            fs::write(&path, content).unwrap();
            mode(0o600);
            assert!(refusal().contains("is no key"), "{}", content.len());
        }
        fs::write(&path, [7; LENGTH]).unwrap();
        for exposed in [0o604, 0o620, 0o602, 0o660] {
            mode(exposed);
            assert!(refusal().contains("chmod go="), "{exposed:o}");
        }
        mode(0o400);
        assert!(Key::read_or_make(&path, &folder).is_ok());
        fs::rename(&path, place.path().join("elsewhere")).unwrap();
        symlink(place.path().join("elsewhere"), &path).unwrap();
        assert!(refusal().contains("is no key"), "a link");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(refusal().contains("is no key"), "a folder");
        fs::create_dir_all(place.path().join("code/sub/deeper")).unwrap();
        for inside in ["code/../code/key", "code/sub/key", "code/sub/deeper/key"] {
            let refused = Key::read_or_make(&place.path().join(inside), &folder).err().unwrap();
            assert!(matches!(refused, CodeCacheError::KeyInside(_)), "{inside}: {refused}");
        }
        let nowhere = place.path().join("nowhere/key");
        let refused = Key::read_or_make(&nowhere, &folder).err().unwrap().to_string();
        assert!(refused.contains("nowhere/key"), "{refused}");
    }

    #[test]
    fn a_key_of_somebody_else_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("key");
        fs::write(&path, [7; LENGTH]).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert!(read(&path, geteuid()).unwrap().is_some());
        let stranger = Uid::from_raw(geteuid().as_raw() + 1);
        let as_stranger = read(&path, stranger);
        // Root's keys are everybody's to use who can read them.
        assert_eq!(as_stranger.is_ok(), geteuid().is_root());
        if let Err(error) = as_stranger {
            assert!(matches!(error, CodeCacheError::Owner { .. }), "{error}");
        }
    }
}

//! What a component is made from, as a digest.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::package::Package;

/// The files and folders that a component is made from, relative to one folder, with `/` between
/// names on every system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Sources {
    /// Folders of packages, of which `Cargo.toml`, `build.rs` and `src` count.
    packages: BTreeSet<String>,
    /// Files, and folders of which every file counts.
    others: BTreeSet<String>,
}

impl Sources {
    /// What `package` is made from, relative to `base`.
    pub(crate) fn of(package: &Package, base: &Path) -> io::Result<Self> {
        let base = base.canonicalize()?;
        let lock = ["Cargo.toml", "Cargo.lock"].map(|file| package.workspace.join(file));
        let lock = lock.into_iter().filter(|file| file.is_file());
        let packages = package.folders.iter().map(|folder| relative(folder, &base));
        let others = package.sources.iter().cloned().chain(lock);
        let others = others.map(|path| relative(&path, &base));
        Ok(Self {
            packages: packages.collect::<io::Result<_>>()?,
            others: others.collect::<io::Result<_>>()?,
        })
    }

    /// The SHA-256 of every file's name, length and content, in hexadecimal.
    pub(crate) fn digest(&self, base: &Path) -> io::Result<String> {
        let mut files = BTreeSet::new();
        for package in &self.packages {
            collect(base, &format!("{package}/Cargo.toml"), &mut files)?;
            for part in ["build.rs", "src"].map(|part| format!("{package}/{part}")) {
                if base.join(&part).exists() {
                    collect(base, &part, &mut files)?;
                }
            }
        }
        for other in &self.others {
            collect(base, other, &mut files)?;
        }
        let mut digest = Sha256::new();
        for file in files {
            let content = std::fs::read(base.join(&file)).map_err(|error| named(&file, error))?;
            digest.update(format!("{file}\0{}\0", content.len()));
            digest.update(content);
        }
        Ok(hexadecimal(&digest.finalize()))
    }
}

/// The SHA-256 of `bytes`, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Adds the file `name`, or every file below the folder of that name.
fn collect(base: &Path, name: &str, files: &mut BTreeSet<String>) -> io::Result<()> {
    let path = base.join(name);
    if !std::fs::metadata(&path).map_err(|error| named(name, error))?.is_dir() {
        files.insert(name.into());
        return Ok(());
    }
    for entry in path.read_dir()? {
        let entry = entry?.file_name();
        let entry =
            entry.to_str().ok_or_else(|| named(name, io::ErrorKind::InvalidFilename.into()))?;
        // What editors leave behind.
        if !entry.starts_with('.') && !entry.ends_with('~') {
            collect(base, &format!("{name}/{entry}"), files)?;
        }
    }
    Ok(())
}

fn named(name: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{name}: {error}"))
}

/// The way from the folder `base`, which is canonical, to `path`.
fn relative(path: &Path, base: &Path) -> io::Result<String> {
    let path: PathBuf =
        path.canonicalize().map_err(|error| named(&path.to_string_lossy(), error))?;
    let common = path.components().zip(base.components()).take_while(|(a, b)| a == b).count();
    let up = base.components().skip(common).map(|_| OsStr::new(".."));
    let down = path.components().skip(common).map(Component::as_os_str);
    let names: Vec<_> = up.chain(down).map(OsStr::to_string_lossy).collect();
    Ok(names.join("/"))
}

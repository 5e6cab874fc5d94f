use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What a configuration refers to outside itself. The program uses [`System`]; tests say what
/// they like.
pub trait Surroundings {
    /// The content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// What kind of file it is and who may read it.
    fn inspect(&self, path: &Path) -> io::Result<FileFacts>;

    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<OsString>;

    /// The name of this machine.
    fn hostname(&self) -> Option<String>;

    /// The plugins that come with the program.
    fn plugins(&self) -> &[BuiltinPlugin];
}

/// A plugin that comes with the program.
#[derive(Clone, Copy)]
pub struct BuiltinPlugin {
    /// What stands behind `builtin:`.
    pub name: &'static str,
    /// The component.
    pub bytes: &'static [u8],
}

impl fmt::Debug for BuiltinPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuiltinPlugin({})", self.name)
    }
}

/// What is known of a file without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Whether it can be read like one: not a folder.
    pub is_file: bool,
    /// Whether everybody on this machine may read it.
    pub is_world_readable: bool,
}

/// The machine on which the program runs.
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// The plugins that come with the program.
    pub plugins: &'static [BuiltinPlugin],
}

impl Surroundings for System {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn inspect(&self, path: &Path) -> io::Result<FileFacts> {
        let facts = std::fs::metadata(path)?;
        Ok(FileFacts {
            is_file: !facts.is_dir(),
            is_world_readable: facts.permissions().mode() & 0o004 != 0,
        })
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name)
    }

    fn hostname(&self) -> Option<String> {
        let name = rustix::system::uname();
        name.nodename().to_str().ok().map(str::to_owned)
    }

    fn plugins(&self) -> &[BuiltinPlugin] {
        self.plugins
    }
}

/// A place where there is nothing: no file, no variable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nowhere;

impl Surroundings for Nowhere {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn inspect(&self, _: &Path) -> io::Result<FileFacts> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn variable(&self, _: &str) -> Option<OsString> {
        None
    }

    fn hostname(&self) -> Option<String> {
        None
    }

    fn plugins(&self) -> &[BuiltinPlugin] {
        &[]
    }
}

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::Background;

/// The program under test, as it was built.
const PROGRAM: &str = "waypost";

/// A Waypost with a configuration of its own.
#[derive(Debug)]
pub(crate) struct Waypost {
    process: Background,
    folder: TempDir,
}

impl Waypost {
    /// Writes `configuration` and `files` into a folder of their own and serves it. Comes back
    /// when Waypost says that it is ready.
    pub fn start(configuration: &str, files: &[(&str, &str)]) -> Self {
        Self::start_in(folder(configuration, files), None)
    }

    /// As [`Waypost::start`], in a folder that is prepared already. It aborts where it comes to
    /// the fail point of this name.
    pub fn start_in(folder: TempDir, fail_point: Option<&str>) -> Self {
        let process = launch(&folder, fail_point, &[]);
        Self { process, folder }
    }

    /// As [`Waypost::start_in`], with a recording of what its policies decide.
    pub fn start_recording(folder: TempDir, records: &Path) -> Self {
        let process = launch(&folder, None, &["--record".as_ref(), records.as_os_str()]);
        Self { process, folder }
    }

    /// Starts it again, with what lies in its folder.
    pub fn restart(&mut self, fail_point: Option<&str>) {
        self.process = launch(&self.folder, fail_point, &[]);
    }

    /// Where its configuration lies.
    pub fn configuration(&self) -> PathBuf {
        self.folder.path().join("waypost.toml")
    }

    /// A file beside its configuration.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Background {
        &mut self.process
    }

    /// Has it load its configuration anew.
    pub fn reload(&self) {
        self.process.signal(Signal::HUP);
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(&mut self) -> Option<i32> {
        self.process.signal(Signal::TERM);
        self.process.wait(Duration::from_secs(40))
    }
}

fn launch(folder: &TempDir, fail_point: Option<&str>, arguments: &[&OsStr]) -> Background {
    let mut command = Command::new(program());
    command.arg("run").arg("--config").arg(folder.path().join("waypost.toml"));
    command.args(arguments);
    if let Some(name) = fail_point {
        command.env("WAYPOST_FAIL_POINT", name);
    }
    let mut process = Background::start(PROGRAM, &mut command, folder.path());
    process.wait_for_log("ready");
    process
}

/// A folder with a configuration, and files beside it.
pub(crate) fn folder(configuration: &str, files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::Builder::new().prefix("waypost-").tempdir().unwrap();
    fs::write(folder.path().join("waypost.toml"), configuration).unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// The program lies two folders above the test.
pub(crate) fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    let program = folder.join(PROGRAM);
    assert!(program.exists(), "{} is missing: cargo build -p waypost", program.display());
    program
}

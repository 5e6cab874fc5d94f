//! `waypost reload`: a new generation, and at this terminal why there is none.

use crate::output::say;
use std::path::{Path, PathBuf};

use serde_json::Value;
use waypost_control::Request;

use crate::cli::ControlArgs;
use crate::control;

/// The command with which the process is told to load its configuration anew.
pub(crate) const RELOAD: &str = "reload";
/// The argument that names the configuration, for the process to see whether it is its own.
pub(crate) const CONFIG: &str = "config";
/// In the answer, what is probably not meant, and what waits for the next start.
pub(crate) const REMARKS: &str = "remarks";
/// In the answer, what could not be read anew beside the configuration.
pub(crate) const TROUBLES: &str = "troubles";

/// Has the process that serves load its configuration anew.
pub(crate) fn run(arguments: &ControlArgs) -> anyhow::Result<()> {
    let mut request = Request::new(RELOAD);
    // Who names the socket by itself need not know the file.
    if arguments.control.is_none() {
        request = request.with(CONFIG, plain(&arguments.config.config).display().to_string());
    }
    let loaded = control::command(arguments, &request)?;
    let list = |key| loaded.get(key).and_then(Value::as_array).map(Vec::as_slice);
    let (remarks, troubles) = (list(REMARKS), list(TROUBLES).unwrap_or_default());
    for told in remarks.unwrap_or_default().iter().chain(troubles) {
        eprintln!("waypost: {}", told.as_str().unwrap_or_default());
    }
    let file = loaded.get(CONFIG).and_then(Value::as_str).unwrap_or("the configuration");
    say!("{file} was loaded anew");
    anyhow::ensure!(troubles.is_empty(), "not all of what it names, see above");
    Ok(())
}

/// A file's name without links on the way, so that two for the same file are equal.
pub(crate) fn plain(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.into())
}

//! `waypost plugin build`.

use crate::output::say;
use std::path::PathBuf;

use waypost_harness::build::build_project;
use waypost_harness::inspect::Inspection;

use super::problem::{Code, Problem};
use crate::cli::PluginBuildArgs;

/// Builds the plugin and says where the component is.
pub(super) fn run(arguments: &PluginBuildArgs) -> Result<(), Problem> {
    let component = build_project(&arguments.folder)?;
    let path = match &arguments.output {
        Some(path) => path.clone(),
        None => usual_output(arguments)?,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Problem::file(folder, &error))?;
    }
    std::fs::write(&path, &component).map_err(|error| Problem::file(&path, &error))?;
    let inspection = Inspection::of(&component).map_err(|error| Problem::inspect(&path, &error))?;
    say!("{}\n{inspection}", path.display());
    Ok(())
}

/// `target/NAME.wasm` in the plugin's folder, NAME being the folder's own.
fn usual_output(arguments: &PluginBuildArgs) -> Result<PathBuf, Problem> {
    let folder = &arguments.folder;
    let whole = folder.canonicalize().map_err(|error| Problem::file(folder, &error))?;
    let name = whole.file_name().ok_or_else(|| {
        Problem::new(Code::Unreadable, "the folder has no name; say --output FILE")
    })?;
    Ok(folder.join("target").join(name).with_extension("wasm"))
}

//! `waypost plugin inspect`.

use crate::output;
use std::path::Path;

use waypost_harness::inspect::Inspection;
use waypost_policy::PluginSource;

use super::problem::{Code, Problem};
use crate::builtin::case_plugins;
use crate::cli::PluginInspectArgs;

/// Prints what the component is.
pub(super) fn run(arguments: &PluginInspectArgs) -> Result<(), Problem> {
    output::write(format_args!("{}", inspection(&arguments.component)?), "");
    Ok(())
}

/// What the component is.
pub(super) fn inspection(component: &str) -> Result<Inspection, Problem> {
    let found = match source(component)? {
        PluginSource::Builtin { bytes, .. } => Inspection::of(bytes),
        PluginSource::File(path) => Inspection::read(&path),
    };
    found.map_err(|error| Problem::inspect(Path::new(component), &error))
}

/// A component as the command line names it: a file, or `builtin:NAME`.
pub(super) fn source(component: &str) -> Result<PluginSource, Problem> {
    let Some(name) = component.strip_prefix("builtin:") else {
        return Ok(PluginSource::File(component.into()));
    };
    let plugins = case_plugins();
    let known = plugins.iter().find(|plugin| plugin.name == name);
    let known = known.ok_or_else(|| {
        let names: Vec<_> = plugins.iter().map(|plugin| plugin.name).collect();
        let message = format!("there is no builtin plugin {name:?}; known: {}", names.join(", "));
        Problem::new(Code::Unreadable, message)
    })?;
    Ok(PluginSource::Builtin { name: known.name, bytes: known.bytes })
}

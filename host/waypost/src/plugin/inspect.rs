//! `waypost plugin inspect`.

use waypost_harness::inspect::Inspection;

use super::problem::Problem;
use crate::cli::PluginInspectArgs;

/// Prints what the component is.
pub(super) fn run(arguments: &PluginInspectArgs) -> Result<(), Problem> {
    let component = &arguments.component;
    let inspection =
        Inspection::read(component).map_err(|error| Problem::inspect(component, &error))?;
    print!("{inspection}");
    Ok(())
}

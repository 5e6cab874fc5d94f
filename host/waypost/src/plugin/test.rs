//! `waypost plugin test`.

use crate::output;
use waypost_harness::cases::{Report, Suite, junit};

use super::problem::{Code, Problem};
use crate::builtin::case_plugins;
use crate::cli::{PluginTestArgs, ReportFormat};

/// Runs every file of cases and reports. A problem when a case fails.
pub(super) fn run(arguments: &PluginTestArgs) -> Result<(), Problem> {
    // All are read before the first is run.
    let plugin = arguments.plugin.as_deref();
    let builtins = case_plugins();
    let read = |path| Suite::read(path, plugin, &builtins);
    let suites = arguments.cases.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let run = |suite: &Suite| suite.run(&arguments.filter);
    let reports = suites.iter().map(run).collect::<Result<Vec<_>, _>>()?;
    let text = match arguments.format {
        ReportFormat::Text => reports.iter().map(ToString::to_string).collect(),
        ReportFormat::Json => {
            let all: Vec<_> = reports.iter().map(Report::to_json).collect();
            format!("{:#}\n", serde_json::Value::Array(all))
        }
        ReportFormat::Junit => {
            junit(&reports).map_err(|error| Problem::new(Code::Cases, error.to_string()))?
        }
    };
    match &arguments.output {
        Some(path) => std::fs::write(path, text).map_err(|error| Problem::file(path, &error))?,
        None => output::write(format_args!("{text}"), ""),
    }
    if reports.iter().all(|report| report.cases.is_empty()) {
        let message = format!("no case has {:?} in its name", arguments.filter);
        return Err(Problem::new(Code::Failed, message));
    }
    match reports.iter().map(Report::failed).sum() {
        0 => Ok(()),
        1 => Err(Problem::new(Code::Failed, "a case failed")),
        failed => Err(Problem::new(Code::Failed, format!("{failed} cases failed"))),
    }
}

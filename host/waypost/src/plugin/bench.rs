//! `waypost plugin bench`.

use crate::output::{self, say};
use waypost_harness::cases::{Suite, bench};
use waypost_model::Address;

use super::problem::{Code, Problem};
use crate::builtin::case_plugins;
use crate::cli::{BenchFormat, PluginBenchArgs};

/// Asks the same over and over and prints what that costs.
pub(super) fn run(arguments: &PluginBenchArgs) -> Result<(), Problem> {
    if let Some(address) = &arguments.address {
        Address::new(address, None).map_err(|error| {
            Problem::new(
                Code::CommandLine,
                format!("--address: {address:?} is no address: {error}"),
            )
        })?;
    }
    let plugin = arguments.plugin.as_deref();
    let suite = Suite::read(&arguments.cases, plugin, &case_plugins())?;
    let suite = match &arguments.address {
        Some(address) => suite.asking(address)?,
        None => suite,
    };
    let report = bench::run(&suite, &arguments.filter, arguments.decisions)?;
    if report.questions.is_empty() {
        let message = format!("no case that asks has {:?} in its name", arguments.filter);
        return Err(Problem::new(Code::Failed, message));
    }
    match arguments.format {
        BenchFormat::Text => output::write(format_args!("{report}"), ""),
        BenchFormat::Json => say!("{:#}", report.to_json()),
    }
    Ok(())
}

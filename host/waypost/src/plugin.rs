//! `waypost plugin`: for those who write policies.

mod build;
mod check;
mod inspect;
mod problem;
mod test;

use std::process::ExitCode;

use crate::cli::PluginCommand;
use problem::Problem;

/// Does what is asked. What is wrong goes to standard error; its kind is the exit code.
pub(crate) fn run(command: &PluginCommand) -> ExitCode {
    let done = match command {
        PluginCommand::Build(arguments) => build::run(arguments),
        PluginCommand::Check(arguments) => check::run(arguments),
        PluginCommand::Inspect(arguments) => inspect::run(arguments),
        PluginCommand::Test(arguments) => test::run(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Problem { code, message }) => {
            eprintln!("waypost: {message}");
            code.into()
        }
    }
}

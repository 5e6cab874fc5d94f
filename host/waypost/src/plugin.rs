//! `waypost plugin`: for those who write policies.

mod bench;
mod build;
mod check;
mod inspect;
mod new;
mod problem;
mod test;

use std::process::ExitCode;

use crate::cli::PluginCommand;
use problem::Problem;

/// Does what is asked. What is wrong goes to standard error; its kind is the exit code.
pub(crate) fn run(command: &PluginCommand) -> ExitCode {
    let done = match command {
        PluginCommand::New(arguments) => new::run(arguments),
        PluginCommand::Build(arguments) => build::run(arguments),
        PluginCommand::Check(arguments) => check::run(arguments),
        PluginCommand::Inspect(arguments) => inspect::run(arguments),
        PluginCommand::Test(arguments) => test::run(arguments),
        PluginCommand::Bench(arguments) => bench::run(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Problem { code, message }) => {
            eprintln!("waypost: {message}");
            code.into()
        }
    }
}

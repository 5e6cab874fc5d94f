//! The program: command line, start, reload and stop. It wires, it does not decide.

mod assembly;
mod builtin;
mod check;
mod cli;
mod control;
mod demo;
mod doors;
mod generation;
mod logging;
mod mail;
mod metrics;
mod output;
mod plugin;
mod record;
mod reload;
mod rights;
mod route;
mod run;
mod spool;
mod web;
mod workers;

use std::alloc::System;
use std::process::ExitCode;

use clap::Parser as _;
use zeroizing_alloc::ZeroAlloc;

use crate::cli::{Cli, Command};

/// Memory is overwritten when it is freed. What is known to be secret is overwritten where it is
/// dropped; rustls copies each record that it has decrypted, and frees the copy as it is.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Run(arguments) => run::serve(&arguments.config.config, &arguments.record, || ()),
        Command::Check(arguments) => check::run(&arguments),
        Command::Route(arguments) => route::run(&arguments),
        Command::Spool(arguments) => spool::run(&arguments),
        Command::Reload(arguments) => reload::run(&arguments),
        // With exit codes of its own.
        Command::Plugin(command) => return plugin::run(&command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("waypost: {error:#}");
            ExitCode::FAILURE
        }
    }
}

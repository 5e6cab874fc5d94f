//! Builds plugins to components, and says whether prebuilt ones are current.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use waypost_harness::prebuilt::{Comparison, Prebuilt, State};
use waypost_harness::toolchain::Toolchain;

/// Builds each plugin to NAME.wasm, with a record of what it was made from in NAME.toml.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Build nothing, and need no toolchain: say whether each component is what its sources make.
    #[arg(long, conflicts_with = "compare")]
    check: bool,
    /// Build, write nothing, and say whether the bytes are those of the component.
    #[arg(long)]
    compare: bool,
    /// Where the components are [default: the folder `prebuilt` beside the plugin's].
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
    /// The plugins, each a folder with a Cargo.toml.
    #[arg(required = true)]
    plugins: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut code = ExitCode::SUCCESS;
    for plugin in &arguments.plugins {
        match run(&arguments, plugin) {
            Ok(message) => println!("{}: {message}", plugin.display()),
            Err(error) => {
                eprintln!("{}: {error}", plugin.display());
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

/// Does with one plugin what the arguments ask for. Answers what is to be said of it, as an error
/// where the component is not what it should be.
fn run(arguments: &Arguments, plugin: &Path) -> Result<String, Box<dyn Error>> {
    let prebuilt = Prebuilt::new(plugin, arguments.into.as_deref())?;
    if arguments.check {
        return match prebuilt.check()? {
            State::Current => Ok("the component is current".into()),
            State::Outdated => Err("the sources have changed since the component was built".into()),
            State::Altered => Err("the component is not the one that its record describes".into()),
        };
    }
    let toolchain = Toolchain::detect()?;
    if arguments.compare {
        return match prebuilt.compare(&toolchain)? {
            Comparison::Same => Ok("built again, the bytes are the same".into()),
            Comparison::Different => Err("built again, the bytes differ".into()),
            Comparison::OtherToolchain { recorded, here } => Ok(format!(
                "built again with {here}; the component was built with {recorded}, so that their \
                 bytes cannot be compared"
            )),
        };
    }
    let size = prebuilt.make(&toolchain)?;
    Ok(format!("{} ({size} octets)", prebuilt.component().display()))
}

//! Making a component of a plugin's folder.

mod scripted;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use thiserror::Error;
use wit_component::{ComponentEncoder, DecodedWasm};

use crate::package::Package;
use crate::template::Language;
use crate::toolchain::{Library, TARGET, Toolchain, ToolchainError};

/// The guest's stack, in octets. A decision starts from fresh memory, so what is not reserved need
/// not be cleared: with Rust's default of a MiB, a decision costs twice as much.
const STACK: u32 = 64 * 1024;

/// The package of the interfaces that a component may import.
const INTERFACES: &str = "waypost:policy/";
/// The interface that makes a component a plugin, of whatever version.
const MAPPING: &str = "waypost:policy/mapping@";

/// Variables that would change what is built, or for whom.
const FOREIGN: &[&str] = &[
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_INCREMENTAL",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
];
/// Variables of which all do so that begin like this.
const FOREIGN_KINDS: &[&str] = &["CARGO_PROFILE_", "CARGO_TARGET_WASM32_", "CARGO_UNSTABLE_"];

/// Why no component was made.
#[derive(Debug, Error)]
pub enum BuildError {
    /// A file cannot be read.
    #[error("{}: {error}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// Cargo cannot be started.
    #[error("cargo does not run: {0}")]
    Cargo(std::io::Error),
    /// Cargo does not understand the package.
    #[error("cargo cannot read the plugin's package: {0}")]
    Metadata(String),
    /// No language's project is in the folder.
    #[error(
        "{}: no plugin's sources are here, neither Cargo.toml nor package.json nor \
         requirements.txt; `waypost plugin new` makes some", .0.display()
    )]
    NoProject(PathBuf),
    /// There is no compiler for Rust.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The tool of another language is not there in the version that the project wants.
    #[error("{tool} is {found}; run in {}: {advice}", .folder.display())]
    Tool {
        /// Which, with its version.
        tool: String,
        /// How it is instead.
        found: String,
        /// The project.
        folder: PathBuf,
        /// What to run there.
        advice: &'static str,
    },
    /// The project leaves it open which version of the tool it wants.
    #[error("{} does not pin {tool} to a version", .path.display())]
    Unpinned {
        /// The file that should.
        path: PathBuf,
        /// The tool.
        tool: &'static str,
    },
    /// A file of the project cannot be understood.
    #[error("{}: {reason}", .path.display())]
    Project {
        /// Which.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A tool does not start.
    #[error("{tool} does not start: {error}")]
    Start {
        /// Which.
        tool: &'static str,
        /// Why not.
        error: std::io::Error,
    },
    /// The tool has said why.
    #[error("{0} makes no component; its own words are above")]
    Tooling(&'static str),
    /// The folder holds no plugin.
    #[error("{}: a plugin's package has a library with crate-type = [\"cdylib\", …]", .0.display())]
    NoComponent(PathBuf),
    /// The compiler has said why.
    #[error("the plugin does not compile; the compiler's words are above")]
    Compile,
    /// Encoding failed.
    #[error("the module cannot be made a component: {0}")]
    Encode(String),
    /// Nothing in it answers questions.
    #[error(
        "the component does not export `{MAPPING}…`: a plugin in Rust calls \
         `waypost_sdk::export!`"
    )]
    Export,
    /// The component wants more than a policy gets.
    #[error("the component imports {0}: a policy gets `{INTERFACES}…` only, no system interface")]
    Import(String),
}

/// A component and what went into it.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) package: Package,
    pub(crate) component: Vec<u8>,
}

/// Builds the plugin in `folder` into a component, in whatever language it is written.
///
/// What the language's own tools say goes to standard error.
///
/// # Errors
/// What is missing or wrong, for the author.
pub fn build_project(folder: &Path) -> Result<Vec<u8>, BuildError> {
    match language(folder)? {
        Language::Rust => build(folder, &Toolchain::detect()?),
        Language::Python => scripted::python(folder),
        Language::JavaScript => scripted::javascript(folder),
    }
}

/// The language of the sources in a folder.
fn language(folder: &Path) -> Result<Language, BuildError> {
    folder.read_dir().map_err(|error| BuildError::Read { path: folder.into(), error })?;
    let all = [
        ("Cargo.toml", Language::Rust),
        (scripted::PACKAGE, Language::JavaScript),
        (scripted::REQUIREMENTS, Language::Python),
    ];
    let found = all.into_iter().find(|(file, _)| folder.join(file).is_file());
    found.map(|(_, language)| language).ok_or_else(|| BuildError::NoProject(folder.into()))
}

/// Builds the Rust plugin in `folder`, the one with its `Cargo.toml`, into a component.
///
/// Cargo's progress and the compiler's words go to standard error. The same sources, lock file and
/// toolchain give the same bytes, wherever the folder lies.
pub fn build(folder: &Path, toolchain: &Toolchain) -> Result<Vec<u8>, BuildError> {
    Ok(build_package(folder, toolchain)?.component)
}

pub(crate) fn build_package(folder: &Path, toolchain: &Toolchain) -> Result<Built, BuildError> {
    let package = Package::read(folder, toolchain)?;
    let module = compile(&package, toolchain)?;
    let module =
        std::fs::read(&module).map_err(|error| BuildError::Read { path: module, error })?;
    let component = encode(&module)?;
    Ok(Built { package, component })
}

/// Compiles the package and answers where its module lies.
fn compile(package: &Package, toolchain: &Toolchain) -> Result<PathBuf, BuildError> {
    let mut cargo = Command::new(&toolchain.cargo);
    cargo
        .args(["build", "--release", "--lib", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(&package.manifest)
        .arg("--target-dir")
        .arg(&package.target)
        .stdout(Stdio::piped());
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if FOREIGN.contains(&&*name) || FOREIGN_KINDS.iter().any(|kind| name.starts_with(kind)) {
            cargo.env_remove(&variable);
        }
    }
    // The encoded form, since a path may hold spaces.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(package, toolchain));
    if package.workspace.join("Cargo.lock").is_file() {
        cargo.arg("--locked");
    }
    if toolchain.library == Library::Source {
        // Unstable options of this compiler's own, tried with it.
        cargo.env("RUSTC", &toolchain.rustc).env("RUSTC_BOOTSTRAP", "1");
        cargo.arg("-Zbuild-std=std,panic_abort");
    }
    if let Some(linker) = &toolchain.linker {
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    let output =
        cargo.spawn().and_then(|child| child.wait_with_output()).map_err(BuildError::Cargo)?;
    if !output.status.success() {
        return Err(BuildError::Compile);
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    messages
        .lines()
        .find_map(|line| module_of(line, &package.manifest))
        .ok_or_else(|| BuildError::NoComponent(package.manifest.clone()))
}

/// The compiler's flags: a small stack, and no path of this machine in the module.
fn flags(package: &Package, toolchain: &Toolchain) -> OsString {
    let mut flags = OsString::from(format!("-Clink-arg=-zstack-size={STACK}"));
    let mut remap = |from: &Path, to: &str| {
        flags.push("\u{1f}--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    };
    // The last that fits counts, so the wider come first.
    if let Some(cargo_home) = cargo_home() {
        remap(&cargo_home, "/cargo");
        // Each folder there has the name of a registry, or of a mirror, which is no matter of the
        // component's. Reading the package has fetched what it depends on.
        let registries = cargo_home.join("registry/src");
        for registry in registries.read_dir().into_iter().flatten().flatten() {
            remap(&registry.path(), "/cargo/registry");
        }
    }
    remap(&toolchain.sysroot.join("lib/rustlib/src/rust"), "/rust");
    // What the workspace's own prefix covers is left out: with the same flags, the plugins of one
    // workspace share a standard library.
    for folder in package.folders.iter().filter(|it| !it.starts_with(&package.workspace)) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        remap(folder, &format!("/{name}"));
    }
    remap(&package.workspace, "/plugins");
    flags
}

fn cargo_home() -> Option<PathBuf> {
    let home = || std::env::home_dir().map(|home| home.join(".cargo"));
    std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home)
}

/// The WebAssembly module that one of Cargo's messages says it has made of the package.
fn module_of(message: &str, manifest: &Path) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Artifact {
        manifest_path: PathBuf,
        filenames: Vec<PathBuf>,
    }
    // Messages of other kinds have no such fields.
    let artifact: Artifact = serde_json::from_str(message).ok()?;
    let is_module = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "wasm");
    (artifact.manifest_path == manifest).then(|| artifact.filenames.into_iter().find(is_module))?
}

/// Makes a component of a module that carries its interface.
fn encode(module: &[u8]) -> Result<Vec<u8>, BuildError> {
    let encoded = ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode());
    let component = encoded.map_err(|error| BuildError::Encode(format!("{error:#}")))?;
    check(&component)?;
    Ok(component)
}

/// Refuses a component that is no plugin or wants more than a policy gets.
fn check(component: &[u8]) -> Result<(), BuildError> {
    let decoded = wit_component::decode(component);
    let (resolve, world) =
        match decoded.map_err(|error| BuildError::Encode(format!("{error:#}")))? {
            DecodedWasm::Component(resolve, world) => (resolve, world),
            DecodedWasm::WitPackage(..) => return Err(BuildError::Export),
        };
    let world = &resolve.worlds[world];
    let mut imports = world.imports.keys().map(|key| resolve.name_world_key(key));
    if let Some(foreign) = imports.find(|name| !name.starts_with(INTERFACES)) {
        return Err(BuildError::Import(foreign));
    }
    let mut exports = world.exports.keys().map(|key| resolve.name_world_key(key));
    if !exports.any(|name| name.starts_with(MAPPING)) {
        return Err(BuildError::Export);
    }
    Ok(())
}

//! Components as shipped, each with a record of what it was made from.
//!
//! Running Waypost needs no WebAssembly toolchain, since the components that come with it are in
//! the repository. So that they cannot silently fall behind their sources, `NAME.toml` beside
//! `NAME.wasm` holds the digest of these; comparing it needs no toolchain either.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::build::{BuildError, Built, build_package};
use crate::sources::{Sources, sha256};
use crate::toolchain::{Toolchain, ToolchainError};

/// The place of one plugin's component and its record.
#[derive(Clone, Debug)]
pub struct Prebuilt {
    plugin: PathBuf,
    folder: PathBuf,
    name: String,
}

/// How a component stands to its sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It was made from the sources as they are.
    Current,
    /// The sources have changed since.
    Outdated,
    /// It is not the component that the record was written for.
    Altered,
}

/// What building again shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same bytes.
    Same,
    /// Other bytes, although the toolchain is the recorded one.
    Different,
    /// Another toolchain, whose bytes prove nothing: the recorded one, and this one.
    OtherToolchain {
        /// Which the record names.
        recorded: String,
        /// Which is here.
        here: String,
    },
}

/// Why a prebuilt component could not be made or looked at.
#[derive(Debug, Error)]
pub enum PrebuiltError {
    /// The plugin does not build.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The toolchain does not say what it is.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// A file cannot be read or written.
    #[error("{}: {error}", .path.display())]
    File {
        /// The file or its folder.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The record is not one.
    #[error("{}: {reason}; build the plugin again", .path.display())]
    Record {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// What `NAME.toml` holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Record {
    component_sha256: String,
    sources_sha256: String,
    toolchain: String,
    sources: Sources,
}

impl Prebuilt {
    /// The component of the plugin in the folder `plugin`, kept in `folder` or, without, in the
    /// folder `prebuilt` beside the plugin's. It is called as the plugin's folder is.
    pub fn new(plugin: &Path, folder: Option<&Path>) -> Result<Self, PrebuiltError> {
        let plugin = plugin.canonicalize().map_err(file(plugin))?;
        let name = plugin.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = folder.map_or_else(|| plugin.with_file_name("prebuilt"), Path::to_owned);
        Ok(Self { plugin, folder, name })
    }

    /// Where the component is.
    pub fn component(&self) -> PathBuf {
        self.folder.join(format!("{}.wasm", self.name))
    }

    /// Where its record is.
    pub fn record(&self) -> PathBuf {
        self.folder.join(format!("{}.toml", self.name))
    }

    /// Builds the component and writes it with its record. Answers its size in octets.
    pub fn make(&self, toolchain: &Toolchain) -> Result<usize, PrebuiltError> {
        std::fs::create_dir_all(&self.folder).map_err(file(&self.folder))?;
        let Built { package, component } = build_package(&self.plugin, toolchain)?;
        let sources = Sources::of(&package, &self.folder).map_err(file(&self.plugin))?;
        let record = Record {
            component_sha256: sha256(&component),
            sources_sha256: sources.digest(&self.folder).map_err(file(&self.folder))?,
            toolchain: toolchain.describe()?,
            sources,
        };
        std::fs::write(self.component(), &component).map_err(file(&self.component()))?;
        std::fs::write(self.record(), record.to_text()).map_err(file(&self.record()))?;
        Ok(component.len())
    }

    /// Compares the component with its record and the record with the sources. Needs no toolchain.
    pub fn check(&self) -> Result<State, PrebuiltError> {
        let record = Record::read(&self.record())?;
        let component = std::fs::read(self.component()).map_err(file(&self.component()))?;
        if sha256(&component) != record.component_sha256 {
            return Ok(State::Altered);
        }
        match record.sources.digest(&self.folder) {
            Ok(digest) if digest == record.sources_sha256 => Ok(State::Current),
            Ok(_) => Ok(State::Outdated),
            // A source that was renamed or removed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::Outdated),
            Err(error) => Err(PrebuiltError::File { path: self.folder.clone(), error }),
        }
    }

    /// Builds the plugin again and compares, without changing anything.
    pub fn compare(&self, toolchain: &Toolchain) -> Result<Comparison, PrebuiltError> {
        let record = Record::read(&self.record())?;
        let Built { component, .. } = build_package(&self.plugin, toolchain)?;
        if sha256(&component) == record.component_sha256 {
            return Ok(Comparison::Same);
        }
        let here = toolchain.describe()?;
        if here == record.toolchain {
            return Ok(Comparison::Different);
        }
        Ok(Comparison::OtherToolchain { recorded: record.toolchain, here })
    }
}

impl Record {
    fn read(path: &Path) -> Result<Self, PrebuiltError> {
        let text = std::fs::read_to_string(path).map_err(file(path))?;
        toml::from_str(&text).map_err(|error| PrebuiltError::Record {
            path: path.into(),
            reason: error.message().to_owned(),
        })
    }

    fn to_text(&self) -> String {
        let table = toml::to_string_pretty(self).unwrap_or_default();
        format!(
            "# What the component of this name was made from. Written when it was built.\n{table}"
        )
    }
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> PrebuiltError {
    let path = path.to_owned();
    |error| PrebuiltError::File { path, error }
}

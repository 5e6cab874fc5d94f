//! What Cargo says about a plugin's package.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::build::BuildError;
use crate::toolchain::Toolchain;

/// A plugin's package and everything on this machine that it is made from.
#[derive(Debug)]
pub(crate) struct Package {
    /// Its manifest.
    pub(crate) manifest: PathBuf,
    /// The folder of the workspace that holds it.
    pub(crate) workspace: PathBuf,
    /// Where Cargo builds it.
    pub(crate) target: PathBuf,
    /// The folders of the package and of the local packages that it depends on.
    pub(crate) folders: BTreeSet<PathBuf>,
    /// What else is compiled in, by `package.metadata.waypost.sources` of any of these.
    pub(crate) sources: BTreeSet<PathBuf>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    resolve: Resolve,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct MetadataPackage {
    id: String,
    manifest_path: PathBuf,
    /// `None` for a package on this machine.
    source: Option<String>,
    targets: Vec<Target>,
    metadata: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Target {
    crate_types: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

impl Package {
    /// Asks Cargo about the package whose manifest lies in `folder`.
    pub(crate) fn read(folder: &Path, toolchain: &Toolchain) -> Result<Self, BuildError> {
        let manifest = folder.join("Cargo.toml");
        let manifest =
            manifest.canonicalize().map_err(|error| BuildError::Read { path: manifest, error })?;
        let mut cargo = Command::new(&toolchain.cargo);
        cargo.args(["metadata", "--format-version=1", "--manifest-path"]).arg(&manifest);
        let output = cargo.output().map_err(BuildError::Cargo)?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(BuildError::Metadata(reason));
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout)
            .map_err(|error| BuildError::Metadata(error.to_string()))?;
        Self::from_metadata(&manifest, metadata)
    }

    fn from_metadata(manifest: &Path, metadata: Metadata) -> Result<Self, BuildError> {
        let packages: BTreeMap<_, _> =
            metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
        let package = metadata
            .packages
            .iter()
            .find(|package| package.manifest_path == manifest)
            .filter(|package| package.targets.iter().any(Target::is_component))
            .ok_or_else(|| BuildError::NoComponent(manifest.into()))?;
        let mut folders = BTreeSet::new();
        let mut sources = BTreeSet::new();
        for id in compiled(&package.id, &metadata.resolve.nodes) {
            let Some(package) = packages.get(id).filter(|package| package.source.is_none()) else {
                continue;
            };
            let Some(folder) = package.manifest_path.parent() else { continue };
            sources.extend(package.sources().map(|source| folder.join(source)));
            folders.insert(folder.to_owned());
        }
        Ok(Self {
            manifest: manifest.into(),
            workspace: metadata.workspace_root,
            target: metadata.target_directory,
            folders,
            sources,
        })
    }
}

impl MetadataPackage {
    fn sources(&self) -> impl Iterator<Item = &str> {
        let sources =
            self.metadata.as_ref().and_then(|metadata| metadata.pointer("/waypost/sources"));
        sources
            .and_then(|list| list.as_array())
            .into_iter()
            .flatten()
            .filter_map(|item| item.as_str())
    }
}

impl Target {
    fn is_component(&self) -> bool {
        self.crate_types.iter().any(|kind| kind == "cdylib")
    }
}

/// The package and everything that is compiled for it: dependencies and build dependencies of any
/// depth, not what only its tests need.
fn compiled<'a>(root: &'a str, nodes: &'a [Node]) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::from([root]);
    let mut unread = vec![root];
    while let Some(id) = unread.pop() {
        let dependencies = nodes.iter().filter(|node| node.id == id).flat_map(|node| &node.deps);
        for dependency in dependencies {
            let for_tests = |kind: &DependencyKind| kind.kind.as_deref() == Some("dev");
            if !dependency.dep_kinds.iter().all(for_tests) && found.insert(&dependency.pkg) {
                unread.push(&dependency.pkg);
            }
        }
    }
    found
}

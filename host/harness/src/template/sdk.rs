//! The SDK as a project carries it along: its sources as they are, its manifest by itself instead
//! of within a workspace, and a lock file with the versions that it was tried with.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::{PluginName, TemplateError};

/// Where it lies in a project. Its own `../../wit` is then the project's `wit`.
const FOLDER: &str = "vendor/waypost-sdk";
const PACKAGE: &str = "waypost-sdk";

const MANIFEST: &str = include_str!("../../../../plugins/sdk/Cargo.toml");
const WORKSPACE: &str = include_str!("../../../../plugins/Cargo.toml");
const LOCK: &str = include_str!("../../../../plugins/Cargo.lock");
const LICENCES: [(&str, &str); 2] = [
    ("LICENSE-APACHE", include_str!("../../../../LICENSE-APACHE")),
    ("LICENSE-MIT", include_str!("../../../../LICENSE-MIT")),
];

// `SOURCES`: every file below `src`, as the build script has found them.
include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// The files to be written: path in the project, text.
pub(super) fn vendored(name: &PluginName) -> Result<Vec<(String, String)>, TemplateError> {
    let made = || {
        let manifest = parse(MANIFEST)?;
        let needed = locked(&manifest, &parse(LOCK)?)?;
        Ok((alone(&manifest, &parse(WORKSPACE)?)?, needed))
    };
    let (manifest, needed) = made().map_err(TemplateError::Broken)?;
    if needed.iter().any(|package| text_of(package, "name") == name.to_string()) {
        return Err(TemplateError::Taken(name.to_string()));
    }
    let mut files = vec![
        (format!("{FOLDER}/Cargo.toml"), manifest),
        ("Cargo.lock".to_owned(), lock(name, needed)),
    ];
    for (path, text) in SOURCES.iter().chain(&LICENCES) {
        files.push((format!("{FOLDER}/{path}"), (*text).to_owned()));
    }
    Ok(files)
}

fn parse(text: &str) -> Result<Table, String> {
    toml::from_str(text).map_err(|error| error.to_string())
}

fn table<'a>(of: &'a Table, name: &str) -> Result<&'a Table, String> {
    of.get(name).and_then(Value::as_table).ok_or_else(|| format!("there is no table {name}"))
}

/// The manifest with what it inherits written out, without what only this repository needs: tests
/// and lints.
fn alone(manifest: &Table, workspace: &Table) -> Result<String, String> {
    let workspace = table(workspace, "workspace")?;
    let inherited = |from: &str, own: &Table| -> Result<Table, String> {
        let common = table(workspace, from)?;
        let value = |(key, value): (&String, &Value)| {
            let is_inherited = value.get("workspace").is_some();
            let value = if is_inherited { common.get(key) } else { Some(value) };
            let value = value.ok_or_else(|| format!("{from} has no {key}"))?;
            Ok((key.clone(), value.clone()))
        };
        own.iter().map(value).collect()
    };
    let mut package = inherited("package", table(manifest, "package")?)?;
    package.remove("metadata");
    let alone = Table::from_iter([
        ("package".to_owned(), Value::Table(package)),
        (
            "dependencies".to_owned(),
            Value::Table(inherited("dependencies", table(manifest, "dependencies")?)?),
        ),
    ]);
    let text = toml::to_string(&alone).map_err(|error| error.to_string())?;
    Ok(format!(
        "# The SDK of Waypost's plugins, with its licences. Not to be changed here.\n\n{text}"
    ))
}

/// The SDK's entry in the repository's lock file, and those of all that it needs.
fn locked(manifest: &Table, lock: &Table) -> Result<Vec<Table>, String> {
    let packages = lock.get("package").and_then(Value::as_array).ok_or("no package is locked")?;
    let mut known: BTreeMap<&str, Vec<&Table>> = BTreeMap::new();
    for package in packages.iter().filter_map(Value::as_table) {
        known.entry(text_of(package, "name")).or_default().push(package);
    }
    let find = |dependency: &str| {
        let (name, version) = dependency.split_once(' ').unwrap_or((dependency, ""));
        let named = known.get(name).map(Vec::as_slice).unwrap_or_default();
        let found = named.iter().find(|p| version.is_empty() || text_of(p, "version") == version);
        found.copied().ok_or_else(|| format!("{dependency} is not locked"))
    };
    let sdk = without_tests(find(PACKAGE)?, table(manifest, "dependencies")?);
    let mut unread: Vec<String> = dependencies(&sdk).map(str::to_owned).collect();
    let mut seen = BTreeSet::new();
    let mut all = vec![sdk];
    while let Some(dependency) = unread.pop() {
        if seen.insert(dependency.clone()) {
            let package = find(&dependency)?;
            unread.extend(dependencies(package).map(str::to_owned));
            all.push(package.clone());
        }
    }
    Ok(all)
}

/// The lock file of a project that needs the SDK alone.
fn lock(name: &PluginName, mut packages: Vec<Table>) -> String {
    packages.push(Table::from_iter([
        ("name".to_owned(), Value::String(name.to_string())),
        ("version".to_owned(), Value::String("0.1.0".into())),
        ("dependencies".to_owned(), Value::Array(vec![Value::String(PACKAGE.into())])),
    ]));
    let key = |package: &Table| ["name", "version"].map(|key| text_of(package, key).to_owned());
    packages.sort_by_key(key);
    packages.dedup_by_key(|package| key(package));
    let head = "# This file is automatically @generated by Cargo.\n\
                # It is not intended for manual editing.\nversion = 4\n";
    head.to_owned() + &packages.iter().map(entry).collect::<String>()
}

/// A package's entry, written as Cargo writes it.
fn entry(package: &Table) -> String {
    let mut text = "\n[[package]]\n".to_owned();
    for key in ["name", "version", "source", "checksum"] {
        if let Some(value) = package.get(key).and_then(Value::as_str) {
            text.push_str(&format!("{key} = {value:?}\n"));
        }
    }
    let needed: Vec<_> = dependencies(package).collect();
    if !needed.is_empty() {
        let lines: String = needed.iter().map(|name| format!(" {name:?},\n")).collect();
        text.push_str(&format!("dependencies = [\n{lines}]\n"));
    }
    text
}

/// The SDK's entry without what its tests need.
fn without_tests(sdk: &Table, needed: &Table) -> Table {
    let mut sdk = sdk.clone();
    if let Some(Value::Array(all)) = sdk.get_mut("dependencies") {
        all.retain(|dependency| {
            let name = dependency.as_str().and_then(|text| text.split(' ').next());
            name.is_some_and(|name| needed.contains_key(name))
        });
    }
    sdk
}

fn dependencies(package: &Table) -> impl Iterator<Item = &str> {
    let list = package.get("dependencies").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

fn text_of<'a>(package: &'a Table, key: &str) -> &'a str {
    package.get(key).and_then(Value::as_str).unwrap_or_default()
}

//! `waypost plugin check`.

use std::path::Path;

use waypost_harness::cases::{settings_json, sha256_from_hex};
use waypost_model::VerificationGrant;
use waypost_policy::{
    EngineSettings, Host, Limits, Metrics, PluginSource, Policy, PolicySettings, TargetPatterns,
};

use super::problem::{Code, Problem};
use crate::builtin::CASE_PLUGINS;
use crate::cli::PluginCheckArgs;

/// Loads the component as serving would, with production's limits.
pub(super) fn run(arguments: &PluginCheckArgs) -> Result<(), Problem> {
    let component = &arguments.component;
    let sha256 = arguments.sha256.as_deref().map(digest).transpose()?;
    let settings_json = match &arguments.settings {
        Some(path) => settings(path)?,
        None => "{}".to_owned(),
    };
    let engine = EngineSettings { concurrency: 1, ..EngineSettings::default() };
    let host = Host::new(&engine, Metrics::unregistered())
        .map_err(|error| Problem::new(Code::Host, error))?;
    let settings = PolicySettings {
        name: "checked".into(),
        plugin: source(component)?,
        sha256,
        settings_json,
        directories: Vec::new(),
        targets: TargetPatterns::default(),
        verification: VerificationGrant::ALL,
        limits: Limits::default(),
    };
    let policy = Policy::load(&host, settings).map_err(|error| Problem::load(component, &error))?;
    println!("{component} loads and accepts its settings, sha256 {}", policy.digest());
    if !policy.is_snapshot() {
        println!("  its memory cannot be kept: `configure` runs at the start of every decision");
    }
    Ok(())
}

fn source(component: &str) -> Result<PluginSource, Problem> {
    let Some(name) = component.strip_prefix("builtin:") else {
        return Ok(PluginSource::File(component.into()));
    };
    let known = CASE_PLUGINS.iter().find(|plugin| plugin.name == name);
    let known = known.ok_or_else(|| {
        let names: Vec<_> = CASE_PLUGINS.iter().map(|plugin| plugin.name).collect();
        let message = format!("there is no builtin plugin {name:?}; known: {}", names.join(", "));
        Problem::new(Code::Unreadable, message)
    })?;
    Ok(PluginSource::Builtin { name: known.name, bytes: known.bytes })
}

fn digest(hex: &str) -> Result<[u8; 32], Problem> {
    sha256_from_hex(hex).ok_or_else(|| {
        Problem::new(Code::Digest, format!("{hex:?} is no SHA-256: expected 64 hexadecimal digits"))
    })
}

fn settings(path: &Path) -> Result<String, Problem> {
    let text = std::fs::read_to_string(path).map_err(|error| Problem::file(path, &error))?;
    settings_json(&text)
        .map_err(|error| Problem::new(Code::Settings, format!("{}: {error}", path.display())))
}

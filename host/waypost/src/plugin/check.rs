//! `waypost plugin check`.

use crate::output::{self, say};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json};
use waypost_harness::cases::{limits, settings_json, sha256_from_hex};
use waypost_model::{Fault, VerificationGrant};
use waypost_policy::{
    EngineSettings, Host, Limits, LoadError, Metrics, Policy, PolicySettings, TargetPatterns,
    read_setting_file,
};

use super::inspect::{inspection, source};
use super::problem::{Code, Problem};
use crate::cli::{Assignment, PluginCheckArgs};

/// The memory that is tried for a plugin that does not fit into its own, at most.
const MOST_MEMORY: usize = 1 << 30;
/// The processor time that is tried.
const MOST_CPU: Duration = Duration::from_secs(60);

/// Loads the component as serving would, with production's limits where no others are given.
pub(super) fn run(arguments: &PluginCheckArgs) -> Result<(), Problem> {
    let component = &arguments.component;
    let settings = PolicySettings {
        name: "checked".into(),
        plugin: source(component)?,
        sha256: arguments.sha256.as_deref().map(digest).transpose()?,
        settings_json: settings(arguments)?,
        directories: Vec::new(),
        targets: TargetPatterns::default(),
        verification: VerificationGrant::ALL,
        limits: limits_of(&arguments.limits)?,
    };
    let engine = EngineSettings { concurrency: 1, ..EngineSettings::default() };
    let host = Host::new(&engine, Metrics::unregistered())
        .map_err(|error| Problem::new(Code::Host, error))?;
    let began = Instant::now();
    let policy = match Policy::load(&host, settings.clone()) {
        Ok(policy) => policy,
        Err(error) => {
            let problem = Problem::load(component, &error);
            return Err(problem.and(enough(&host, settings, &error)));
        }
    };
    let took = began.elapsed();
    say!("{component} loads and accepts its settings");
    output::write(format_args!("{}", inspection(component)?), "");
    say!("loads     in {:.1} s, within {}", took.as_secs_f64(), spelt(&settings.limits));
    match policy.is_snapshot() {
        true => say!("starts    each decision from the memory that `configure` left"),
        false => say!(
            "starts    each decision with `configure`, since its memory cannot be kept: what that \
             costs comes with every decision"
        ),
    }
    Ok(())
}

/// Where a limit was in the way: one with which the plugin loads, or that none does.
fn enough(host: &Host, settings: PolicySettings, error: &LoadError) -> Option<String> {
    let is_limit = match error {
        LoadError::Memory { .. } | LoadError::Start(_) => true,
        LoadError::Configure(fault) => {
            matches!(fault, Fault::Memory | Fault::Cpu | Fault::Deadline | Fault::Trap(_))
        }
        _ => false,
    };
    if !is_limit {
        return None;
    }
    let mut limits = settings.limits.clone();
    limits.configure_cpu = limits.configure_cpu.max(MOST_CPU);
    limits.configure_wall = limits.configure_wall.max(MOST_CPU);
    loop {
        let found =
            Policy::load(host, PolicySettings { limits: limits.clone(), ..settings.clone() });
        match found {
            Ok(_) => return Some(format!("it loads within {}", spelt(&limits))),
            Err(LoadError::Problems(_)) => {
                return Some(format!("within {} it reads its settings", spelt(&limits)));
            }
            // A trap is how most plugins end for which there is no memory.
            Err(_) if limits.memory < MOST_MEMORY => {
                limits.memory = limits.memory.saturating_mul(2).min(MOST_MEMORY);
            }
            Err(_) => return None,
        }
    }
}

/// The limits that count at load, as a configuration writes them.
fn spelt(limits: &Limits) -> String {
    let period = |period: Duration| match period.subsec_millis() {
        0 => format!("{}s", period.as_secs()),
        _ => format!("{}ms", period.as_millis()),
    };
    let memory = match limits.memory {
        octets if octets % (1 << 20) == 0 => format!("{}MiB", octets >> 20),
        octets => format!("{octets}B"),
    };
    format!(
        "limits = {{ memory = \"{memory}\", configure-cpu = \"{}\", configure-wall = \"{}\" }}",
        period(limits.configure_cpu),
        period(limits.configure_wall)
    )
}

fn limits_of(written: &[Assignment]) -> Result<Limits, Problem> {
    let pairs = written.iter().map(|Assignment { key, value }| (key.as_str(), value.as_str()));
    limits(pairs).map_err(|error| Problem::new(Code::CommandLine, error))
}

fn digest(hex: &str) -> Result<[u8; 32], Problem> {
    sha256_from_hex(hex).ok_or_else(|| {
        let message = format!("--sha256: {hex:?} is no SHA-256: expected 64 hexadecimal digits");
        Problem::new(Code::CommandLine, message)
    })
}

/// The settings, and the files that become some.
fn settings(arguments: &PluginCheckArgs) -> Result<String, Problem> {
    let mut all: Map<String, Json> = Map::new();
    if let Some(path) = &arguments.settings {
        let text = std::fs::read_to_string(path).map_err(|error| Problem::file(path, &error))?;
        all = settings_json(&text).map_err(|error| {
            Problem::new(Code::Settings, format!("{}: {error}", path.display()))
        })?;
    }
    for Assignment { key, value: path } in &arguments.files {
        let text = read_setting_file(Path::new(path))
            .map_err(|error| Problem::new(Code::Unreadable, format!("{path} {error}")))?;
        all.insert(key.clone(), Json::String(text));
    }
    Ok(Json::Object(all).to_string())
}

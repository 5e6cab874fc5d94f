//! Making components of Python and JavaScript: their own tools do it, in the version that the
//! project pins.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::{BuildError, check};

/// The folder of a project's interface, and the world in it.
const WIT: &str = "wit";
const WORLD: &str = "mapping-policy";

/// componentize-py, and where the project says which version.
const PYTHON_TOOL: &str = "componentize-py";
pub(super) const REQUIREMENTS: &str = "requirements.txt";
/// The module with the policy, without `.py`.
const MODULE: &str = "policy";

/// componentize-js, likewise.
const JAVASCRIPT_TOOL: &str = "@bytecodealliance/componentize-js";
pub(super) const PACKAGE: &str = "package.json";

/// Makes a component of `policy.py`.
pub(super) fn python(folder: &Path) -> Result<Vec<u8>, BuildError> {
    let pinned = pinned_python(&read(&folder.join(REQUIREMENTS))?).ok_or_else(|| {
        BuildError::Unpinned { path: folder.join(REQUIREMENTS), tool: PYTHON_TOOL }
    })?;
    let advice = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt";
    let missing = |found: Option<String>| BuildError::Tool {
        tool: format!("{PYTHON_TOOL} {pinned}"),
        found: found.map_or_else(|| "not installed".into(), |found| format!("here as {found}")),
        folder: folder.into(),
        advice,
    };
    let environment = folder.join(".venv");
    let tool = Some(environment.join("bin").join(PYTHON_TOOL)).filter(|tool| tool.is_file());
    let program = tool.clone().unwrap_or_else(|| PYTHON_TOOL.into());
    let version = Command::new(absolute(&program)).arg("--version").output();
    let version = version.map_err(|_| missing(None))?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let found = version.strip_prefix(PYTHON_TOOL).unwrap_or(&version).trim();
    if found != pinned {
        return Err(missing(Some(found.to_owned()).filter(|found| !found.is_empty())));
    }
    made(folder, PYTHON_TOOL, |output| {
        let mut command = Command::new(absolute(&program));
        if tool.is_some() {
            // Where packages are that the policy imports.
            command.env("VIRTUAL_ENV", absolute(&environment));
        }
        command.args(["-d", WIT, "-w", WORLD, "componentize", MODULE, "--stub-wasi", "-o"]);
        command.arg(output);
        command
    })
}

/// Makes a component of the file that `package.json` names as `main`.
pub(super) fn javascript(folder: &Path) -> Result<Vec<u8>, BuildError> {
    let package: Package = parse(&folder.join(PACKAGE))?;
    let pinned = package
        .dev_dependencies
        .get(JAVASCRIPT_TOOL)
        .or_else(|| package.dependencies.get(JAVASCRIPT_TOOL))
        .ok_or_else(|| BuildError::Unpinned {
            path: folder.join(PACKAGE),
            tool: JAVASCRIPT_TOOL,
        })?;
    let missing = |found: String| BuildError::Tool {
        tool: format!("{JAVASCRIPT_TOOL} {pinned}"),
        found,
        folder: folder.into(),
        advice: "npm ci",
    };
    let modules = folder.join("node_modules");
    let installed = parse::<Package>(&modules.join(JAVASCRIPT_TOOL).join(PACKAGE));
    let installed = installed.map_err(|_| missing("not installed".into()))?;
    if installed.version.as_ref() != Some(pinned) {
        return Err(missing(format!("here as {}", installed.version.unwrap_or_default())));
    }
    if Command::new("node").arg("--version").output().is_err() {
        return Err(BuildError::Tool {
            tool: "node".into(),
            found: "not installed".into(),
            folder: folder.into(),
            advice: "apt-get install nodejs npm",
        });
    }
    made(folder, JAVASCRIPT_TOOL, |output| {
        let mut command = Command::new(absolute(&modules.join(".bin/componentize-js")));
        command.arg(&package.main).args(["--wit", WIT, "-n", WORLD]);
        // Nothing of an operating system stays in the component.
        command.args(["-d", "stdio", "random", "clocks", "http", "fetch-event", "-o"]);
        command.arg(output);
        command
    })
}

/// Runs a tool in the project's folder and reads what it has made.
fn made(
    folder: &Path,
    tool: &'static str,
    command: impl FnOnce(&Path) -> Command,
) -> Result<Vec<u8>, BuildError> {
    let target = folder.join("target");
    let unwritable = |error| BuildError::Read { path: target.clone(), error };
    std::fs::create_dir_all(&target).map_err(unwritable)?;
    let output = absolute(&target.join("unchecked.wasm"));
    let mut command = command(&output);
    // What a tool has to say is no output of ours.
    command.current_dir(folder).stdin(Stdio::null()).stdout(std::io::stderr());
    let status = command.status().map_err(|error| BuildError::Start { tool, error })?;
    if !status.success() {
        return Err(BuildError::Tooling(tool));
    }
    let component =
        std::fs::read(&output).map_err(|error| BuildError::Read { path: output.clone(), error })?;
    // What is left of a build is the component that was asked for.
    let _ = std::fs::remove_file(&output);
    check(&component)?;
    Ok(component)
}

/// A path that means the same in another folder.
fn absolute(path: &Path) -> PathBuf {
    // A program's name is looked up on the search path.
    if path.components().count() < 2 {
        return path.into();
    }
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

fn read(path: &Path) -> Result<String, BuildError> {
    std::fs::read_to_string(path).map_err(|error| BuildError::Read { path: path.into(), error })
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, BuildError> {
    serde_json::from_str(&read(path)?)
        .map_err(|error| BuildError::Project { path: path.into(), reason: error.to_string() })
}

/// The version in a line `componentize-py==VERSION`.
fn pinned_python(requirements: &str) -> Option<String> {
    let version = |line: &str| {
        let version = line.trim().strip_prefix(PYTHON_TOOL)?.trim_start().strip_prefix("==")?;
        version.split([' ', ';', '#', '\\']).find(|word| !word.is_empty()).map(str::to_owned)
    };
    requirements.lines().find_map(version)
}

/// What of a `package.json` counts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    version: Option<String>,
    #[serde(default = "usual_main")]
    main: PathBuf,
    #[serde(default)]
    dependencies: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    dev_dependencies: std::collections::BTreeMap<String, String>,
}

fn usual_main() -> PathBuf {
    "policy.js".into()
}

#[cfg(test)]
mod tests {
    use super::{BuildError, javascript, pinned_python, python};

    #[test]
    fn the_pin_is_found() {
        let pinned = |text: &str| pinned_python(text);
        assert_eq!(pinned("# tools\ncomponentize-py==0.25.1\n").as_deref(), Some("0.25.1"));
        assert_eq!(pinned("componentize-py == 1.0 ; x").as_deref(), Some("1.0"));
        assert_eq!(pinned("componentize-py>=1"), None);
        assert_eq!(pinned("componentize-py-x==1"), None);
    }

    #[test]
    fn what_is_missing_is_said_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let said =
            |error: BuildError| error.to_string().replace(&*folder.path().to_string_lossy(), "F");
        write("requirements.txt", "componentize-py==9.9.9\n");
        let python = said(python(folder.path()).unwrap_err());
        assert!(python.starts_with("componentize-py 9.9.9 is "), "{python}");
        assert!(python.ends_with(
            "run in F: python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
        ));
        write("requirements.txt", "componentize-py\n");
        let loose = said(super::python(folder.path()).unwrap_err());
        assert_eq!(loose, "F/requirements.txt does not pin componentize-py to a version");

        let package = r#"{"devDependencies": {"@bytecodealliance/componentize-js": "0.22.0"}}"#;
        write("package.json", package);
        assert_eq!(
            said(javascript(folder.path()).unwrap_err()),
            "@bytecodealliance/componentize-js 0.22.0 is not installed; run in F: npm ci"
        );
        write(
            "node_modules/@bytecodealliance/componentize-js/package.json",
            r#"{"version": "0.1.0"}"#,
        );
        assert_eq!(
            said(javascript(folder.path()).unwrap_err()),
            "@bytecodealliance/componentize-js 0.22.0 is here as 0.1.0; run in F: npm ci"
        );
        write("package.json", "{");
        assert!(said(javascript(folder.path()).unwrap_err()).starts_with("F/package.json: "));
        write("package.json", "{}");
        let loose = said(javascript(folder.path()).unwrap_err());
        assert!(
            loose.ends_with(
                "package.json does not pin @bytecodealliance/componentize-js to a version"
            )
        );
    }
}

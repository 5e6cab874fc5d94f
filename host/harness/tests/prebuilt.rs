//! Whether a prebuilt component is current is told without a toolchain.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use waypost_harness::prebuilt::{Prebuilt, PrebuiltError, State};

/// The repository.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A copy of what the shipped components are made from, and of the components.
fn copy() -> TempDir {
    let copy = TempDir::new().unwrap();
    for part in ["wit", "plugins"] {
        copy_folder(&repository().join(part), &copy.path().join(part));
    }
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        // What builds leave behind, and the examples, whose tools are large.
        if ["target", "examples"].iter().any(|name| entry.file_name() == *name) {
            continue;
        } else if entry.path().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn state(copy: &TempDir) -> Result<State, PrebuiltError> {
    Prebuilt::new(&copy.path().join("plugins/ldap-routing"), None)?.check()
}

fn append(copy: &TempDir, file: &str, text: &str) {
    let file = copy.path().join(file);
    let mut content = std::fs::read(&file).unwrap_or_default();
    content.extend_from_slice(text.as_bytes());
    std::fs::write(file, content).unwrap();
}

#[test]
fn the_shipped_components_are_current() {
    for record in repository().join("plugins/prebuilt").read_dir().unwrap() {
        let record = record.unwrap().path();
        if record.extension().is_some_and(|extension| extension == "toml") {
            let plugin = repository().join("plugins").join(record.file_stem().unwrap());
            let state = Prebuilt::new(&plugin, None).unwrap().check().unwrap();
            assert_eq!(state, State::Current, "{}: build it again", plugin.display());
        }
    }
}

#[test]
fn where_the_folder_lies_does_not_matter() {
    assert_eq!(state(&copy()).unwrap(), State::Current);
}

#[test]
fn a_changed_source_makes_it_outdated() {
    for file in [
        "plugins/ldap-routing/src/lib.rs",
        "plugins/ldap-routing/src/new.rs",
        "plugins/ldap-routing/build.rs",
        "plugins/ldap-routing/Cargo.toml",
        "plugins/sdk/src/template/filter.rs",
        "plugins/Cargo.toml",
        "plugins/Cargo.lock",
        "wit/types.wit",
        "wit/new.wit",
    ] {
        let copy = copy();
        append(&copy, file, "\n");
        assert_eq!(state(&copy).unwrap(), State::Outdated, "{file}");
    }
}

#[test]
fn a_removed_or_renamed_source_makes_it_outdated() {
    let renamed = copy();
    let file = |name: &str| renamed.path().join("plugins/sdk/src").join(name);
    std::fs::rename(file("hosts.rs"), file("host_list.rs")).unwrap();
    assert_eq!(state(&renamed).unwrap(), State::Outdated);
    let removed = copy();
    std::fs::remove_dir_all(removed.path().join("wit")).unwrap();
    assert_eq!(state(&removed).unwrap(), State::Outdated);
}

#[test]
fn tests_and_pages_are_no_sources() {
    let copy = copy();
    append(&copy, "plugins/ldap-routing/tests/routing.rs", "\n");
    append(&copy, "plugins/README.md", "\n");
    append(&copy, "plugins/ldap-routing/src/.lib.rs.swp", "\n");
    append(&copy, "plugins/ldap-routing/src/lib.rs~", "\n");
    assert_eq!(state(&copy).unwrap(), State::Current);
}

#[test]
fn a_component_that_is_not_the_recorded_one_is_told_on() {
    let copy = copy();
    append(&copy, "plugins/prebuilt/ldap-routing.wasm", "\n");
    assert_eq!(state(&copy).unwrap(), State::Altered);
}

#[test]
fn what_is_missing_or_broken_is_named() {
    let missing = copy();
    let component = missing.path().join("plugins/prebuilt/ldap-routing.wasm");
    std::fs::remove_file(&component).unwrap();
    assert!(state(&missing).unwrap_err().to_string().contains("ldap-routing.wasm"));
    let broken = copy();
    append(&broken, "plugins/prebuilt/ldap-routing.toml", "more = 1\n");
    let error = state(&broken).unwrap_err().to_string();
    assert!(error.contains("ldap-routing.toml") && error.contains("more"), "{error}");
    let nowhere = Prebuilt::new(&broken.path().join("plugins/nothing"), None).unwrap_err();
    assert!(nowhere.to_string().contains("nothing"));
}

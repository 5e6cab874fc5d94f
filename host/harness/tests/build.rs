//! Building a plugin, where a toolchain for WebAssembly is installed. The first build of the
//! standard library takes minutes, so these run where they are asked for.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use waypost_harness::build::{BuildError, build, build_project};
use waypost_harness::prebuilt::{Comparison, Prebuilt};
use waypost_harness::template::{Language, create};
use waypost_harness::toolchain::Toolchain;

/// The plugins whose components are in the repository.
const SHIPPED: [&str; 4] = ["ldap-routing", "local-map", "shard", "laser"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Copies everything that git knows of the two folders, links as links, at another depth and under
/// other names.
fn copy_sources(to: &Path) {
    let script = "git ls-files -z wit plugins | xargs -0 cp --no-dereference --parents -t \"$0\"";
    let copied = Command::new("sh").args(["-c", script]).arg(to).current_dir(repository()).status();
    assert!(copied.unwrap().success());
}

#[test]
#[ignore = "builds the standard library"]
fn two_folders_give_the_same_bytes() {
    let toolchain = Toolchain::detect().unwrap();
    let elsewhere = TempDir::with_prefix("a folder with spaces ").unwrap();
    let deeper = elsewhere.path().join("and/deeper");
    std::fs::create_dir_all(&deeper).unwrap();
    copy_sources(&deeper);
    let here = build(&repository().join("plugins/ldap-routing"), &toolchain).unwrap();
    let there = build(&deeper.join("plugins/ldap-routing"), &toolchain).unwrap();
    assert_eq!(here.len(), there.len());
    assert!(here == there, "the bytes differ");
    for path in [repository(), elsewhere.path().to_owned(), std::env::home_dir().unwrap()] {
        let path = path.to_string_lossy().into_owned().into_bytes();
        assert!(!here.windows(path.len()).any(|window| window == path), "a path is in it");
    }
    // Below it each registry has a folder of its name.
    let registries = b"registry/src";
    let names = here.windows(registries.len()).any(|window| window == registries);
    assert!(!names, "a registry is named in it");
}

#[test]
#[ignore = "builds the standard library"]
fn the_shipped_components_are_what_their_sources_make() {
    let toolchain = Toolchain::detect().unwrap();
    for name in SHIPPED {
        let prebuilt = Prebuilt::new(&repository().join("plugins").join(name), None).unwrap();
        match prebuilt.compare(&toolchain).unwrap() {
            Comparison::Same => {}
            Comparison::Different => {
                panic!("{name}: the toolchain is the recorded one, the bytes differ")
            }
            Comparison::OtherToolchain { recorded, here } => {
                println!("{name} is not compared: built with {recorded}, here is {here}");
            }
        }
    }
}

/// Far from this repository, with nothing but what was written.
#[test]
#[ignore = "builds the standard library"]
fn a_new_plugin_builds_as_it_stands_and_its_cases_pass() {
    let folder = TempDir::new().unwrap();
    let project = folder.path().join("mine");
    create(&project, &"mine".parse().unwrap(), Language::Rust).unwrap();
    let locked = std::fs::read_to_string(project.join("Cargo.lock")).unwrap();
    let component = build_project(&project).unwrap();
    std::fs::write(project.join("target/mine.wasm"), component).unwrap();
    waypost_harness::cases::check(project.join("cases.toml"), project.join("target/mine.wasm"));
    // The lock file was the one that Cargo would have made.
    assert_eq!(std::fs::read_to_string(project.join("Cargo.lock")).unwrap(), locked);
}

/// A package that has no component in it.
#[test]
#[ignore = "needs a toolchain for WebAssembly"]
fn a_library_is_no_plugin() {
    let toolchain = Toolchain::detect().unwrap();
    let error = build(&repository().join("plugins/sdk"), &toolchain).unwrap_err();
    assert!(matches!(error, BuildError::NoComponent(_)), "{error}");
}

#[test]
#[ignore = "builds the standard library"]
fn a_plugin_that_does_not_compile_or_is_none() {
    let toolchain = Toolchain::detect().unwrap();
    let folder = TempDir::new().unwrap();
    let manifest =
        "[package]\nname = \"p\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n";
    std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    std::fs::create_dir(folder.path().join("src")).unwrap();
    let source = folder.path().join("src/lib.rs");
    std::fs::write(&source, "fn f() -> u32 { \"no number\" }").unwrap();
    assert!(matches!(build(folder.path(), &toolchain), Err(BuildError::Compile)));
    std::fs::write(&source, "#[unsafe(no_mangle)] pub extern \"C\" fn f() -> u32 { 1 }").unwrap();
    let error = build(folder.path(), &toolchain).unwrap_err();
    assert!(matches!(error, BuildError::Export), "{error}");
    let import = "#[link(wasm_import_module = \"wasi:cli/environment@0.2.0\")] \
                  unsafe extern \"C\" { fn g(); } \
                  #[unsafe(no_mangle)] pub extern \"C\" fn f() { unsafe { g() } }";
    std::fs::write(&source, import).unwrap();
    let error = build(folder.path(), &toolchain).unwrap_err();
    assert!(matches!(error, BuildError::Encode(_)), "{error}");
}

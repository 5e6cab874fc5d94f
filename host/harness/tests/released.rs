//! What has been released of the interface is kept.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use waypost_harness::cases::check;
use waypost_harness::interface::broken;

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

/// A released package is never edited, and all of them are kept by the one that is built on.
#[test]
fn each_released_package_is_kept() {
    let mut versions: Vec<PathBuf> = fs::read_dir(wit().join("released"))
        .expect("there are releases")
        .map(|entry| entry.expect("an entry can be read").path())
        .collect();
    versions.sort();
    assert!(!versions.is_empty());
    for version in versions {
        let broken = broken(&version, &wit()).expect("both packages are sound");
        assert!(broken.is_empty(), "{}:\n{}", version.display(), broken.join("\n"));
    }
}

/// Nothing in these folders is ever built anew.
#[test]
fn what_was_built_for_a_release_runs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/released");
    let releases: Vec<_> = fs::read_dir(folder).expect("there are releases").collect();
    assert!(!releases.is_empty());
    for release in releases {
        let release = release.expect("an entry can be read").path();
        check(release.join("cases.toml"), release.join("ldap-routing.wasm"));
    }
}

/// The files of a package with one thing changed.
fn changed(file: &str, from: &str, to: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder can be made");
    for entry in fs::read_dir(wit()).expect("the folder can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_file() {
            let name = path.file_name().expect("a file has a name");
            fs::copy(&path, folder.path().join(name)).expect("a file can be copied");
        }
    }
    let path = folder.path().join(file);
    let text = fs::read_to_string(&path).expect("the file is text");
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(&path, text.replacen(from, to, 1)).expect("a file can be written");
    folder
}

#[test]
fn what_breaks_a_promise_is_named() {
    for (file, from, to, told) in [
        ("types.wit", "cache-for: option<u32>", "cache-for: option<u64>", "types.answer.cache-for"),
        ("types.wit", "        pass,\n", "        pass,\n        later,\n", "types.decision was"),
        ("types.wit", "starttls,", "start-tls,", "types.encryption.starttls is gone"),
        ("types.wit", "now: func() -> u64", "now: func() -> s64", "types.context.now was"),
        ("types.wit", "now: func() -> u64;", "", "types.context.now is gone"),
        ("types.wit", "Never longer than 512 octets,", "", "types.lookup.address no longer says"),
        ("log.wit", "level: level, message", "message", "log.write was"),
        ("mapping.wit", "path: string", "path: u32", "mapping.problem.path was"),
        ("world.wit", "import log;", "", "the import of log by mapping-policy is gone"),
        ("world.wit", "export mapping", "export mapping;\nexport log", "world mapping-policy was"),
        ("directory.wit", "size-limit: u32,", "limit: u32,", "directory.query.size-limit is gone"),
    ] {
        let broken = broken(&wit(), changed(file, from, to).path()).expect("both are sound");
        assert!(broken.iter().any(|line| line.starts_with(told)), "{told}: {broken:?}");
    }
}

#[test]
fn what_may_grow_grows() {
    for (file, from, to) in [
        (
            "types.wit",
            "        now: func() -> u64;",
            "now: func() -> u64;\nhelo: func() -> string;",
        ),
        ("log.wit", "interface log {", "interface log {\nflush: func();"),
        ("log.wit", "/// Lines", "interface clock { now: func() -> u64; }\n/// Lines"),
        ("world.wit", "import log;", "import log;\nimport types;"),
        ("types.wit", "Why the host asks.", "Why the host asks. Never for fun."),
        ("world.wit", "package waypost:policy@1.0.0", "package waypost:policy@1.1.0"),
    ] {
        let grown = changed(file, from, to);
        assert_eq!(broken(&wit(), grown.path()), Ok(vec![]), "{to}");
    }
}

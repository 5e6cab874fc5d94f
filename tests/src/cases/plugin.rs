//! What the author of a plugin sees of `waypost plugin`, above all when something is wrong.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use super::Case;
use crate::plugins::{self, Plugins};
use crate::servers::{program, run};

pub(crate) const CASES: &[Case] = &[
    ("plugin::cases_are_run_and_reported", cases),
    ("plugin::each_kind_of_bad_input_has_its_exit_code", bad_input),
    ("plugin::a_component_is_described", inspect),
    ("plugin::a_new_plugin_is_a_folder_that_says_what_it_needs", new),
    ("plugin::what_a_decision_costs_is_printed", bench),
    ("plugin::a_limit_that_is_in_the_way_is_told", limits),
    ("plugin::a_reader_that_has_seen_enough_ends_the_command", broken_pipe),
];

/// What `waypost plugin` said: its exit code, and both ends.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn plugin(arguments: &[&str]) -> Said {
    let mut command = Command::new(program());
    let output = run(command.arg("plugin").args(arguments));
    let text = |said: &[u8]| String::from_utf8_lossy(said).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// As with `waypost plugin new … | head -0`.
fn broken_pipe() {
    let folder = tempfile::TempDir::new().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(program());
    command.args(["plugin", "new", "mine", "--lang", "python", "--folder"]);
    command.arg(folder.path().join("mine"));
    let output = command.stdout(writer).stderr(std::process::Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

const ROUTING: &str = r#"
[policy]
plugin = "builtin:ldap-routing"
directories = { main = ["mail", "mailHost"] }

[policy.settings]
directory = "main"
search-base = "%s"
search-pattern = "mail=%e"
host-field = "mailHost"

[directory.main]
base = "dc=example,dc=test"
content = "dn: uid=a,dc=example,dc=test\nmail: a@example.test\nmailHost: 10.0.0.1\n"

[[case]]
name = "known"
address = "a@example.test"
expect = { decision = "route", targets = ["10.0.0.1"] }

[[case]]
name = "unknown"
address = "b@example.test"
expect = { decision = "refuse" }
"#;

fn cases() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cases.toml");
    fs::write(&file, ROUTING).unwrap();
    let file = file.to_str().unwrap();
    let said = plugin(&["test", file]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.contains("ok    known\n") && said.out.contains("2 cases, 0 failed"));

    fs::write(file, ROUTING.replace("10.0.0.1\"]", "10.0.0.2\"]")).unwrap();
    let said = plugin(&["test", file]);
    assert_eq!(said.code, Some(1), "{}", said.out);
    for part in ["FAIL  known", "expected  10.0.0.2", "found     10.0.0.1"] {
        assert!(said.out.contains(part), "{part} in\n{}", said.out);
    }
    assert_eq!(said.err, "waypost: a case failed\n");
    assert_eq!(plugin(&["test", file, "--filter", "unk"]).code, Some(0));
    assert_eq!(plugin(&["test", file, "--filter", "nothing"]).code, Some(1));

    let report = folder.path().join("report.xml");
    let said = plugin(&["test", file, "--format", "junit", "-o", report.to_str().unwrap()]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(fs::read_to_string(report).unwrap().contains("failures=\"1\""));
    let said = plugin(&["test", file, "--format", "json"]);
    assert!(said.out.starts_with('[') && said.out.contains("\"failed\": 1"), "{}", said.out);
}

fn bad_input() {
    let plugins = Plugins::new();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let huge = folder.path().join("huge.wasm");
    File::create(&huge).unwrap().set_len(100 << 20).unwrap();
    let newer = fs::read(plugins.add("newer", plugins::TRAP)).unwrap();
    let newer = replaced(newer, b"waypost:policy/mapping@1.0.0", b"waypost:policy/mapping@2.0.0");
    let settings = file("settings.toml", b"host-field = 7\n");
    let broken = file("broken.toml", b"host-field = \n");
    let core = file("core.wasm", b"\0asm\x01\0\0\0");
    let elf = file("elf.wasm", b"\x7fELF");
    let other = file("other.wasm", b"\0asm\x0d\0\x01\0");
    let newer = file("newer.wasm", &newer);
    let trap = path(&plugins.add("trap", plugins::TRAP_IN_CONFIGURE));
    let zeros = "0".repeat(64);
    let cases = file("cases.toml", b"[policy]\nplugni = 1\n");
    let core_cases = file(
        "core.toml",
        b"[policy]\nplugin = \"core.wasm\"\n[[case]]\nname = \"a\"\naddress = \"a@b.test\"\n\
          expect = { decision = \"pass\" }\n",
    );
    for (arguments, code, parts) in [
        (&["check", "/nonexistent.wasm"][..], 10, &["/nonexistent.wasm", "No such file"][..]),
        (
            &["inspect", "/nonexistent.wasm"],
            10,
            &["/nonexistent.wasm", "No such file", "`waypost plugin build` makes it"],
        ),
        (&["inspect", "Cargo.toml"], 13, &["Cargo.toml: this is no WebAssembly component\n"]),
        (&["check", huge.to_str().unwrap()], 11, &["huge.wasm", "more than 64 MiB"]),
        (&["inspect", huge.to_str().unwrap()], 11, &["huge.wasm", "more than 64 MiB"]),
        (
            &["check", "builtin:ldap-routing", "--sha256", &zeros],
            12,
            &["sha256 is", &zeros, "pin the new digest"],
        ),
        (&["check", &elf], 13, &["elf.wasm", "machine code", "waypost plugin build"]),
        (&["inspect", &elf], 13, &["elf.wasm", "no WebAssembly component"]),
        (&["check", &core], 14, &["core.wasm", "core WebAssembly module"]),
        (&["inspect", &core], 14, &["core.wasm", "core WebAssembly module"]),
        (&["check", &other], 16, &["other.wasm", "it exports no `waypost:policy/mapping@1.0.0`"]),
        (&["check", &newer], 16, &["newer.wasm", "a newer Waypost", "wit/"]),
        (
            &["check", "builtin:ldap-routing", "--settings", &settings],
            17,
            &["refuses its settings", "/host-field"],
        ),
        (&["check", "builtin:ldap-routing", "--settings", &broken], 17, &["broken.toml", "line 1"]),
        (&["check", &trap], 18, &["`configure` failed", "trapped"]),
        (&["test", &cases], 20, &["cases.toml:2:1", "unknown field `plugni`"]),
        (&["test", "/nonexistent.toml"], 20, &["/nonexistent.toml: the cases cannot be read"]),
        (&["test", &core_cases, "--plugin", "builtin:nothing"], 20, &["known: ldap-routing"]),
        (&["check", "builtin:shard", "--sha256", "abc"], 2, &["expected 64 hexadecimal digits"]),
        (&["check", "builtin:shard", "--limit", "memory"], 2, &["a name and a value with ="]),
        (&["test", &core_cases], 14, &["core.wasm", "core WebAssembly module"]),
        (&["build", "/nonexistent"], 10, &["/nonexistent"]),
        (&["test"], 2, &["Usage"]),
    ] {
        let said = plugin(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {}{}", said.out, said.err);
        for part in parts {
            assert!(said.err.contains(part), "{arguments:?}: {part:?} is missing in\n{}", said.err);
        }
    }
}

fn new() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (language, files) in [
        ("rust", &["Cargo.toml", "Cargo.lock", "src/lib.rs", "vendor/waypost-sdk/LICENSE-MIT"][..]),
        ("python", &["policy.py", "requirements.txt"]),
        ("js", &["policy.js", "package.json", "package-lock.json"]),
    ] {
        let made = path(language);
        let said = plugin(&["new", "mine", "--lang", language, "--folder", &made]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(said.out.contains("waypost plugin build"), "{}", said.out);
        for file in files.iter().chain(&["README.md", "cases.toml", "wit/world.wit"]) {
            assert!(Path::new(&made).join(file).is_file(), "{language}: {file}");
        }
    }
    let pinned = "componentize-py==9.9.9\n";
    fs::write(folder.path().join("python/requirements.txt"), pinned).unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    for (arguments, code, part) in [
        (&["new", "mine", "--folder", &path("rust")][..], 24, "is not empty: choose another"),
        (&["new", "Mine", "--folder", &path("a")], 2, "lower-case letters, digits and hyphens"),
        (&["new", "match", "--folder", &path("a")], 2, "choose another name"),
        (&["new", "serde", "--folder", &path("a")], 2, "choose another name"),
        (&["new", "mine", "--lang", "cobol"], 2, "possible values: rust, python, js"),
        (&["build", &path("empty")], 23, "no plugin's sources are here"),
        (&["build", &path("js")], 22, "npm ci"),
        (&["build", &path("python")], 22, "pip install -r requirements.txt"),
    ] {
        let said = plugin(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {}{}", said.out, said.err);
        assert!(said.err.contains(part), "{arguments:?}: {}", said.err);
    }
    // What is missing is said in one line.
    let said = plugin(&["build", &path("js")]);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
}

fn bench() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cases.toml");
    fs::write(&file, ROUTING).unwrap();
    let file = file.to_str().unwrap();
    let said = plugin(&["bench", file, "--decisions", "20", "--filter", "known"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    for part in ["known: route to 10.0.0.1; 20 decisions", "p50 ", "p99 ", "searches 1 of 8"] {
        assert!(said.out.contains(part), "{part} in\n{}", said.out);
    }
    let json =
        ["bench", file, "--decisions", "5", "--format", "json", "--address", "c@example.test"];
    let said = plugin(&json);
    assert!(said.out.contains("\"outcome\": \"refuse, unknown-user\""), "{}", said.out);
    assert!(said.out.contains("\"decisions\": 5"), "{}", said.out);
    assert_eq!(plugin(&["bench", file, "--filter", "nothing"]).code, Some(1));
    let said = plugin(&["bench", file, "--address", "nobody"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("--address: \"nobody\"") && !said.err.contains(file), "{}", said.err);
    let said = plugin(&["bench", file, "--decisions", "1", "--plugin", "builtin:ldap-routing"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
}

fn limits() {
    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("users.map");
    let lines = |count: usize| -> String {
        (0..count).map(|user| format!("user{user}@example.test mail.example.test\n")).collect()
    };
    fs::write(&map, lines(20_000)).unwrap();
    let file = format!("map={}", map.display());
    let arguments = ["check", "builtin:local-map", "--file", &file];
    let said = plugin(&arguments);
    assert_eq!(said.code, Some(0), "{}", said.err);
    for part in
        ["loads and accepts its settings", "contract  waypost:policy 1.0.0", "memory = \"64MiB\""]
    {
        assert!(said.out.contains(part), "{part} in\n{}", said.out);
    }
    let said = plugin(&[&arguments[..], &["--limit", "memory=2MiB"]].concat());
    assert_eq!(said.code, Some(18), "{}", said.err);
    assert!(said.err.contains("it loads within limits = { memory = \""), "{}", said.err);
    for (wrong, code, part) in [
        (&["--limit", "memory=2"][..], 2, "a size such as"),
        (&["--limit", "memroy=2MiB"], 2, "unknown field `memroy`"),
        (&["--file", "map"], 2, "a name and a value with ="),
        (&["--file", "map=/nonexistent"], 10, "/nonexistent cannot be read"),
    ] {
        let said = plugin(&[&arguments[..2], wrong].concat());
        assert_eq!(said.code, Some(code), "{wrong:?}: {}", said.err);
        assert!(said.err.contains(part), "{wrong:?}: {}", said.err);
    }
}

/// The same bytes with others of equal length in the place of some.
fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let places: Vec<_> = bytes
        .windows(from.len())
        .enumerate()
        .filter(|(_, w)| *w == from)
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

fn inspect() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/prebuilt");
    let said = plugin(&["inspect", shipped.join("ldap-routing.wasm").to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let record = fs::read_to_string(shipped.join("ldap-routing.toml")).unwrap();
    let digest = said.out.lines().next().unwrap().split_whitespace().nth(1).unwrap();
    assert!(record.contains(digest), "{}", said.out);
    for part in ["contract  waypost:policy 1.0.0", "waypost:policy/directory@1.0.0", "configure"] {
        assert!(said.out.contains(part), "{part} in\n{}", said.out);
    }
}

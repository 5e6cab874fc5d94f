//! What cases promise: they see what the host sees, and say what differs.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use waypost_harness::cases::{Builtin, CaseReport, Report, RunError, Suite, check, junit};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const ROUTING: Builtin = Builtin {
    name: "ldap-routing",
    bytes: include_bytes!("../../../plugins/prebuilt/ldap-routing.wasm"),
};

/// `ldap-routing` over four entries.
const HEAD: &str = r#"
[policy]
plugin = "builtin:ldap-routing"
directories = { main = ["mail", "mailHost"] }
targets = ["10.0.0.0/8"]

[policy.settings]
directory = "main"
search-base = "%s"
search-pattern = "mail=%e"
host-field = "mailHost"

[directory.main]
content = '''
dn: dc=example,dc=test
objectClass: domain
dc: example

dn: uid=one,dc=example,dc=test
mail: one@example.test
mailHost: 10.0.0.1

dn: uid=two,dc=example,dc=test
mail: two@example.test
mailHost: 10.0.0.2
mailHost: 10.0.0.3

dn: uid=far,dc=example,dc=test
mail: far@example.test
mailHost: 192.0.2.1

dn: uid=bad,dc=example,dc=test
mail: bad@example.test
mailHost: no host
'''
"#;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn read(&self, cases: &str) -> Result<Suite, String> {
        let path = self.file("cases.toml", cases);
        Suite::read(&path, None, &[ROUTING])
            .map_err(|error| error.to_string().replace(&format!("{}:", path.display()), ""))
    }

    /// What comes of cases.
    #[track_caller]
    fn run(&self, cases: &str) -> Report {
        self.read(cases).unwrap().run("").unwrap()
    }
}

/// What comes of cases of `ldap-routing`.
#[track_caller]
fn routing(cases: &str) -> Report {
    Folder::new().run(&format!("{HEAD}{cases}"))
}

#[track_caller]
fn all_well(report: &Report) {
    assert!(report.is_well() && !report.cases.is_empty(), "{report}");
}

/// How a case differs, as `WHAT: EXPECTED | FOUND`.
fn told(case: &CaseReport) -> Vec<String> {
    let told = case.differences.iter();
    told.map(|d| format!("{}: {} | {}", d.what, d.expected, d.found)).collect()
}

/// A component of `host/policy/tests/plugins`.
fn hostile(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policy/tests/plugins");
    let text = included(&folder, &format!("{name}.wat"));
    let mut wit = Resolve::default();
    let wit_folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (package, _) = wit.push_dir(&wit_folder).unwrap();
    let world = wit.select_world(&[package], Some("mapping-policy")).unwrap();
    let mut module = wat::parse_str(text).unwrap();
    embed_component_metadata(&mut module, &wit, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

fn included(folder: &Path, file: &str) -> String {
    let text = fs::read_to_string(folder.join(file)).unwrap();
    let line = |line: &str| match line.trim().strip_prefix("@include ") {
        Some(file) => included(folder, file),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn everything_that_can_be_expected_is_seen() {
    all_well(&routing(
        r#"
        [[case]]
        name = "a route"
        address = "one@example.test"
        expect = { decision = "route", targets = ["10.0.0.1"], identity = false, verification = "by-backend", cache-for = false, searches = ["main dc=example,dc=test (mail=one@example.test)"], log = [], reads = [], within = { searches = 1, cpu = "10s", time = "10s", memory = "64MiB", bytes = "1MiB" } }

        [[case]]
        name = "nobody"
        address = "nobody@example.test"
        expect = { decision = "refuse", refusal = "unknown-user", text = "unknown", searches = 1 }

        [[case]]
        name = "more than one"
        address = "two@example.test"
        expect = { failure = "ambiguous", text = "2 candidates" }

        [[case]]
        name = "the first of two"
        address = "two@example.test"
        settings = { use-first = true }
        repeat = 3
        expect = { decision = "route" }

        [[case]]
        name = "outside"
        address = "far@example.test"
        expect = { target-denied = "192.0.2.1" }

        [[case]]
        name = "outside is inside"
        address = "far@example.test"
        targets = ["192.0.2.0/24"]
        expect = { decision = "route", targets = ["192.0.2.1"] }

        [[case]]
        name = "bad data"
        address = "bad@example.test"
        expect = { failure = "bad-data", text = "no host" }

        [[case]]
        name = "too many searches"
        address = "one@example.test"
        limits = { searches = 0 }
        expect = { fault = "invalid-output", text = "more searches" }

        [[case]]
        name = "settings that are refused"
        settings = { host-field = 7 }
        expect = { not-loaded = "/host-field" }

        [[case]]
        name = "a setting that is missing"
        without-settings = ["host-field"]
        expect = { not-loaded = "host-field" }
        "#,
    ));
}

#[test]
fn directories_fail_and_hesitate_as_the_case_wants_it() {
    all_well(&routing(
        r#"
        [[case]]
        name = "down"
        address = "one@example.test"
        directory.main = { error = "unavailable" }
        expect = { failure = "directory-unavailable" }

        [[case]]
        name = "up again"
        address = "one@example.test"
        expect = { decision = "route" }

        [[case]]
        name = "slow"
        address = "one@example.test"
        limits = { host-call = "50ms" }
        directory.main = { delay = "10s" }
        expect = { failure = "directory-unavailable", within = { time = "5s" } }

        [[case]]
        name = "too slow for the decision"
        address = "one@example.test"
        limits = { wall = "50ms" }
        directory.main = { delay = "10s" }
        expect = { fault = "deadline", within = { time = "5s" } }

        [[case]]
        name = "only the second search"
        address = "one@example.test"
        directory.main = { error = "unavailable", at = 2 }
        expect = { decision = "route" }

        [[case]]
        name = "only the first search"
        address = "one@example.test"
        directory.main = { error = { other = "busy" }, at = 1 }
        expect = { failure = "other" }

        [[case]]
        name = "another content"
        address = "new@example.test"
        directory.main = { base = "dc=example,dc=test", content = "dn: uid=new,dc=example,dc=test\nmail: new@example.test\nmailHost: 10.9.9.9\n" }
        expect = { decision = "route", targets = ["10.9.9.9"] }
        "#,
    ));
}

#[test]
fn a_difference_is_shown() {
    let report = routing(
        r#"
        [[case]]
        name = "well"
        address = "one@example.test"
        expect = { decision = "route" }

        [[case]]
        name = "other <targets>"
        address = "one@example.test"
        expect = { decision = "route", targets = ["10.0.0.9:143"], identity = "a", searches = 2, log-contains = ["x"], reads = ["now"], cache-for = "1h", within = { searches = 0 } }

        [[case]]
        name = "another decision"
        address = "one@example.test"
        expect = { decision = "pass" }

        [[case]]
        name = "no failure"
        address = "nobody@example.test"
        expect = { failure = "ambiguous" }

        [[case]]
        name = "a failure instead"
        address = "two@example.test"
        expect = { decision = "route" }

        [[case]]
        name = "it loads"
        expect = { not-loaded = "a reason" }

        [[case]]
        name = "it does not load"
        address = "one@example.test"
        without-settings = ["host-field"]
        expect = { decision = "route" }
        "#,
    );
    assert_eq!((report.cases.len(), report.failed()), (7, 6), "{report}");
    assert_eq!(
        told(&report.cases[1]),
        [
            "targets: 10.0.0.9 port 143 | 10.0.0.1",
            "identity: a | the client's own",
            "cache-for: 3600s | the operator's time",
            "searches: 2 | 1: main dc=example,dc=test (mail=one@example.test)",
            "log-contains: … x … | none",
            "reads: {\"now\"} | {}",
            "within: searches at most 0 | 1",
        ]
    );
    assert_eq!(told(&report.cases[2]), ["decision: pass | route to 10.0.0.1"]);
    assert_eq!(told(&report.cases[3]), ["failure: ambiguous | refuse, unknown-user"]);
    let failure = "decision: route | failure ambiguous: 2 candidates where one is allowed";
    assert_eq!(told(&report.cases[4]), [failure]);
    let loads = "not-loaded: a reason | the plugin loads and accepts its settings";
    assert_eq!(told(&report.cases[5]), [loads]);
    assert!(told(&report.cases[6])[0].starts_with("decision: route | not loaded: "));

    let text = report.to_string();
    for part in [
        "ok    well\n",
        "FAIL  other <targets> (",
        "cases.toml:",
        "cpu ",
        " of 50.0 ms",
        "memory ",
        " of 64.0 MiB",
        "searches 1 of 8",
        "expected  10.0.0.9 port 143\n",
        "found     10.0.0.1\n",
        "7 cases, 6 failed",
    ] {
        assert!(text.contains(part), "{part:?} in\n{text}");
    }
    let json = report.to_json();
    assert_eq!(json["failed"], 6);
    assert_eq!(json["cases"][0]["well"], true);
    assert_eq!(json["cases"][0]["cost"]["searches"], 1);
    assert_eq!(json["cases"][0]["limits"]["cpu"], 50_000);
    assert_eq!(json["cases"][1]["differences"][0]["what"], "targets");
    let xml = junit(&[report]).unwrap();
    for part in [
        "tests=\"7\"",
        "failures=\"6\"",
        "other &lt;targets&gt;",
        "10.0.0.9 port 143",
        "cpu-limit-microseconds",
    ] {
        assert!(xml.contains(part), "{part:?} in\n{xml}");
    }
}

#[test]
fn faults_are_those_of_the_host() {
    let folder = Folder::new();
    for (name, cases) in [
        ("trap", "expect = { fault = \"trap\", text = \"unreachable\" }\nrepeat = 20"),
        ("loop", "expect = { fault = \"cpu\" }\nlimits = { cpu = \"20ms\" }"),
        ("memory-bomb", "expect = { fault = \"memory\" }"),
        ("trap-in-configure", "expect = { not-loaded = \"`configure` failed\" }"),
        (
            "loop-in-configure",
            "expect = { not-loaded = \"processor time\" }\n\
                               limits = { configure-cpu = \"20ms\" }",
        ),
    ] {
        folder.file("plugin.wasm", hostile(name));
        let report = folder.run(&format!(
            "[policy]\nplugin = \"plugin.wasm\"\n[[case]]\nname = \"a\"\n\
             address = \"a@example.test\"\n{cases}\n"
        ));
        assert!(report.is_well(), "{name}: {report}");
    }
}

#[test]
fn what_was_recorded_is_replayed() {
    let head = HEAD.split("[directory.main]").next().unwrap();
    let head = format!("{head}[directory.main]\nreplay = true\nbase = \"dc=example,dc=test\"\n");
    let entry = r#"entries = [{ dn = "uid=a,dc=example,dc=test", attributes = { mailHost = ["10.0.0.7"] } }]"#;
    let exchange = |address: &str, answer: &str| {
        format!(
            "[[case.replay]]\ndirectory = \"main\"\nbase = \"dc=example,dc=test\"\n\
             scope = \"subtree\"\nfilter = \"(mail={address})\"\nattributes = [\"mailHost\"]\n\
             size-limit = 16\n{answer}\n"
        )
    };
    let case = |expect: &str| {
        format!("[[case]]\nname = \"a\"\naddress = \"a@example.test\"\nexpect = {expect}\n")
    };
    let folder = Folder::new();
    // What is not recorded is told.
    let report = folder.run(&format!("{head}{}", case("{ failure = \"other\" }")));
    let search = |address: &str| {
        format!(
            "main dc=example,dc=test (mail={address}), subtree, attributes [mailHost], \
             size-limit 16"
        )
    };
    let unknown = format!("replay: no such search | {}", search("a@example.test"));
    assert_eq!(told(&report.cases[0]), [unknown]);
    let well = format!(
        "{head}{}{}",
        case("{ decision = \"route\", targets = [\"10.0.0.7\"] }"),
        exchange("a@example.test", entry)
    );
    all_well(&folder.run(&well));
    let down = format!(
        "{head}{}{}",
        case("{ failure = \"directory-unavailable\" }"),
        exchange("a@example.test", "error = \"unavailable\"")
    );
    all_well(&folder.run(&down));
    let more = format!("{well}{}", exchange("b@example.test", entry));
    let report = folder.run(&more);
    let left = format!("replay: {} | not asked for", search("b@example.test"));
    assert_eq!(told(&report.cases[0]), [left]);
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_place() {
    let folder = Folder::new();
    let case = "[[case]]\nname = \"a\"\naddress = \"a@example.test\"\n";
    for (text, line, part) in [
        ("", "", "no plugin"),
        ("[policy]\nplugin = \"x.wasm\"\n", "", "no case"),
        ("[policy\n", "1:", "]"),
        ("[policy]\nplugni = \"x\"\n", "2:1: ", "unknown field `plugni`"),
        ("[policy]\nplugin = 7\n", "2:10: ", "expected a string"),
        (
            "[policy]\nplugin = \"builtin:nothing\"\n[[case]]\nname=\"a\"\nexpect={}\n",
            "",
            "known: ldap-routing",
        ),
        ("[policy]\nplugin = \"x\"\nlimits = { cpu = 5 }\n", "3:", "a duration such as"),
        ("[policy]\nplugin = \"x\"\nlimits = { cpu = \"5 ms\" }\n", "3:", "a duration such as"),
        ("[policy]\nplugin = \"x\"\nlimits = { memory = \"5MB\" }\n", "3:", "a size such as"),
        (
            "[policy]\nplugin = \"x\"\ntargets = [\"a b\"]\n[[case]]\nname=\"a\"\naddress=\"a@b.test\"\nexpect={decision=\"pass\"}\n",
            "3:",
            "a b",
        ),
        (
            "[policy]\nplugin = \"x\"\nsha256 = \"ab\"\n[[case]]\nname=\"a\"\naddress=\"a@b.test\"\nexpect={decision=\"pass\"}\n",
            "3:",
            "64 hexadecimal digits",
        ),
        (
            "[policy]\nplugin = \"x\"\nfiles = { map = \"none.map\" }\n[[case]]\nname=\"a\"\naddress=\"a@b.test\"\nexpect={decision=\"pass\"}\n",
            "3:",
            "none.map cannot be read",
        ),
        (
            "[policy]\nplugin = \"x\"\nfiles = { map = \"a\" }\nsettings = { map = 1 }\n[[case]]\nname=\"a\"\naddress=\"a@b.test\"\nexpect={decision=\"pass\"}\n",
            "3:17: ",
            "\"map\" stands in `settings` already",
        ),
        (
            "[policy]\nplugin = \"x\"\nfiles = { map = \".\" }\n[[case]]\nname=\"a\"\naddress=\"a@b.test\"\nexpect={decision=\"pass\"}\n",
            "3:17: ",
            "is no regular file",
        ),
        (
            "[policy]\nplugin = \"x\"\ndirectories = { main = [\"a\"] }\n[[case]]\nname=\"a\"\naddress=\"a@b.test\"\nexpect={decision=\"pass\"}\n",
            "3:",
            "[directory.main]",
        ),
        (
            "[policy]\nplugin = \"x\"\n[directory.main]\ncontent = \"\"\n[[case]]\nname=\"a\"\naddress=\"a@b.test\"\nexpect={decision=\"pass\"}\n",
            "3:",
            "may not ask",
        ),
    ] {
        let told = folder.read(text).err().unwrap_or_else(|| panic!("{text} is read"));
        assert!(told.starts_with(line) && told.contains(part), "{text}\n{told}");
    }
    let of_case = |more: &str| {
        let text = format!("[policy]\nplugin = \"x\"\n{case}{more}\n");
        folder.read(&text).err().unwrap_or_else(|| panic!("{more} is read"))
    };
    for (more, part) in [
        ("", "missing field `expect`"),
        ("expect = {}", "expected one of `decision`"),
        ("expect = { decision = \"route\", failure = \"other\" }", "expected one of `decision`"),
        ("expect = { decision = \"rout\" }", "unknown variant `rout`"),
        (
            "expect = { decision = \"pass\", targets = [] }",
            "`targets` can be expected with decision",
        ),
        ("expect = { decision = \"route\", targets = [\"a b\"] }", "expected a target"),
        ("expect = { decision = \"route\", refusal = \"denied\" }", "`refusal` can be expected"),
        ("expect = { fault = \"cpu\", cache-for = \"1s\" }", "`cache-for` can be expected"),
        ("expect = { decision = \"pass\", text = \"a\" }", "`text` can be expected"),
        ("expect = { decision = \"pass\", reads = [\"time\"] }", "there is no \"time\""),
        ("expect = { decision = \"pass\", identity = true }", "found true"),
        ("expect = { decision = \"pass\" }\nwithout-settings = [\"a\"]", "no setting \"a\""),
        ("expect = { decision = \"pass\" }\naddress = \"b@b.test\"", "duplicate key"),
        ("expect = { decision = \"pass\" }\npurpose = \"log\"", "unknown variant `log`"),
        ("expect = { decision = \"pass\" }\ncontext = { client-address = \"x\" }", "IP address"),
        ("expect = { decision = \"pass\" }\nrepeat = 0", "nonzero"),
        (
            "expect = { decision = \"pass\" }\n[[case.replay]]\ndirectory=\"m\"\nbase=\"\"\nscope=\"base\"\nfilter=\"(a=b)\"\nsize-limit=1",
            "nothing is replayed",
        ),
        (
            "expect = { decision = \"pass\" }\n[[case]]\nname = \"a\"\nexpect = { problems = [] }",
            "given twice",
        ),
        (
            "expect = { decision = \"pass\" }\n[[case]]\nname = \"b\"\nexpect = { decision = \"pass\" }",
            "expected `address`",
        ),
        (
            "expect = { decision = \"pass\" }\n[[case]]\nname = \"b\"\naddress=\"no address\"\nexpect = { decision = \"pass\" }",
            "is no address",
        ),
    ] {
        let told = of_case(more);
        assert!(told.contains(part), "{more}\n{told}");
    }
    let missing = Suite::read(Path::new("/nonexistent/cases.toml"), None, &[]);
    assert!(missing.err().unwrap().to_string().contains("cannot be read"));
}

#[test]
fn a_component_that_cannot_be_loaded_is_said_once_and_for_all() {
    let folder = Folder::new();
    let cases = "[policy]\nplugin = \"plugin.wasm\"\n[[case]]\nname = \"a\"\n\
                 address = \"a@example.test\"\nexpect = { decision = \"pass\" }\n";
    for (bytes, part) in [
        (&b"\0asm\x01\0\0\0"[..], "core WebAssembly module"),
        (b"hello", "no WebAssembly component"),
        (b"\0asm\x0d\0\x01\0", "does not fit the policy interface"),
    ] {
        folder.file("plugin.wasm", bytes);
        match folder.read(cases).unwrap().run("") {
            Err(error @ RunError::Plugin { .. }) => {
                assert!(error.to_string().contains(part), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
    // Unless that is what the case is about.
    let about = cases.replace("decision = \"pass\"", "not-loaded = \"policy interface\"");
    all_well(&folder.run(&about));
}

#[test]
fn a_filter_leaves_cases_out() {
    let folder = Folder::new();
    let suite = folder.read(&format!(
        "{HEAD}\n[[case]]\nname = \"good one\"\naddress = \"one@example.test\"\n\
         expect = {{ decision = \"route\" }}\n[[case]]\nname = \"bad\"\n\
         address = \"one@example.test\"\nexpect = {{ decision = \"pass\" }}\n"
    ));
    let report = suite.unwrap().run("good").unwrap();
    assert_eq!((report.cases.len(), report.left_out), (1, 1));
    all_well(&report);
    assert!(report.to_string().contains("1 case, 0 failed, 1 left out"));
}

#[test]
fn an_authors_own_test_fails_with_the_report() {
    let folder = Folder::new();
    let plugin = folder.file("plugin.wasm", ROUTING.bytes);
    let cases = |expect: &str| {
        let case = format!(
            "{HEAD}[[case]]\nname = \"mine\"\naddress = \"one@example.test\"\nexpect = {expect}\n"
        );
        folder.file("cases.toml", case)
    };
    check(cases("{ decision = \"route\" }"), &plugin);
    let wrong = cases("{ decision = \"pass\" }");
    let panic = std::panic::catch_unwind(|| check(wrong, &plugin)).unwrap_err();
    let report = panic.downcast_ref::<String>().unwrap();
    assert!(report.contains("FAIL  mine") && report.contains("route to 10.0.0.1"), "{report}");
}

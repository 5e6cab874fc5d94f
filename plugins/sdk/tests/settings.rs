//! Settings: every problem is reported, each with its pointer.

use std::num::NonZeroU16;

use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::{collection, sample};
use waypost_sdk::serde::Deserialize;
use waypost_sdk::testing::{configure, problems};
use waypost_sdk::{
    Answer, AttributeName, Base, Delimiter, DirectoryName, Failure, Filter, Host, HostList,
    HostPort, Lookup, Policy, Problems, Table, pass,
};

/// A setting of every kind.
#[derive(Debug, Deserialize)]
#[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
struct Everything {
    hosts: HostList,
    #[serde(default)]
    attribute: Option<AttributeName>,
    #[serde(default)]
    list: Vec<String>,
    #[serde(default)]
    table: Table<u32>,
    #[serde(default)]
    flag: bool,
    #[serde(default)]
    choice: Choice,
    #[serde(default)]
    within: Option<Within>,
    #[serde(default)]
    pair: (i8, f32),
    #[serde(default)]
    port: Option<NonZeroU16>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
enum Choice {
    #[default]
    Refuse,
    PassOn,
    Weight(u8),
    Named {
        name: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(crate = "waypost_sdk::serde", deny_unknown_fields)]
struct Within {
    depth: u32,
}

impl Policy for Everything {
    type Settings = Self;

    fn configure(settings: Self) -> Result<Self, Problems> {
        let mut problems = Problems::new();
        if settings.flag && settings.list.is_empty() {
            problems.add("/flag", "there is nothing to flag");
        }
        problems.or(settings)
    }

    fn route(&self, _lookup: &Lookup, _host: &dyn Host) -> Result<Answer, Failure> {
        Ok(pass())
    }
}

#[track_caller]
fn assert_problems(json: &str, expected: &[&str]) {
    assert_eq!(problems::<Everything>(json), expected, "{json}");
}

#[test]
fn good_settings() {
    let policy: Everything = configure(
        r#"{"hosts": "a,b:143", "list": ["x"], "table": {"k": 7}, "flag": true, "attribute": "cn",
            "choice": "pass-on", "within": {"depth": 2}, "pair": [-1, 0.5], "port": 143}"#,
    )
    .unwrap();
    assert_eq!(policy.hosts.to_string(), "a,b:143");
    assert_eq!(policy.list, ["x"]);
    assert_eq!(policy.table.0, [("k".to_owned(), 7)]);
    assert_eq!(policy.choice, Choice::PassOn);
    assert_eq!((policy.within.unwrap().depth, policy.pair), (2, (-1, 0.5)));
    assert!(policy.flag && policy.attribute.is_some() && policy.port.is_some());
    let policy: Everything = configure(r#"{"hosts": ["a", "[::1]:1"]}"#).unwrap();
    assert_eq!(policy.hosts.to_string(), "a,[::1]:1");
    assert!(!policy.flag && policy.list.is_empty() && policy.table.0.is_empty());
    for (choice, expected) in [
        (r#"{"weight": 9}"#, Choice::Weight(9)),
        (r#"{"named": {"name": "n"}}"#, Choice::Named { name: "n".into() }),
    ] {
        let json = format!(r#"{{"hosts": "a", "choice": {choice}}}"#);
        assert_eq!(configure::<Everything>(&json).unwrap().choice, expected);
    }
}

#[test]
fn every_problem_is_reported() {
    assert_problems(
        r#"{
            "list": ["ok", 1, null],
            "table": {"a/b~c": -1, "b": "x", "c": 1},
            "flag": "yes",
            "attribute": "*",
            "choice": "ignore",
            "within": {"depht": 1},
            "pair": [1, "x"],
            "port": 0,
            "wrong/key": {}
        }"#,
        &[
            "/attribute: the name of an attribute, such as \"mailHost\", was expected, here is \"*\"",
            "/choice: \"refuse\" or \"pass-on\" or \"weight\" or \"named\" was expected, \
             here is \"ignore\"",
            "/flag: true or false was expected, here is a string",
            "/list/1: a string was expected, here is a number",
            "/list/2: a string was expected, here is nothing",
            "/pair/1: a number was expected, here is a string",
            "/port: a nonzero u16 was expected, here is 0",
            "/table/a~1b~0c: a whole number from 0 to 4294967295 was expected, here is -1",
            "/table/b: a whole number from 0 to 4294967295 was expected, here is a string",
            "/within/depht: there is no such setting",
            "/within/depth: this setting is required",
            "/wrong~1key: there is no such setting",
            "/hosts: this setting is required",
        ],
    );
}

#[test]
fn what_is_missing_does_not_hide_what_is_wrong_elsewhere() {
    assert_problems(
        r#"{"list": [1], "port": 0, "table": {"a": "b"}, "within": {"depht": 1}}"#,
        &[
            "/list/0: a string was expected, here is a number",
            "/port: a nonzero u16 was expected, here is 0",
            "/table/a: a whole number from 0 to 4294967295 was expected, here is a string",
            "/within/depht: there is no such setting",
            "/within/depth: this setting is required",
            "/hosts: this setting is required",
        ],
    );
}

/// As many required settings as there are types of them.
#[derive(Debug, Deserialize)]
#[serde(crate = "waypost_sdk::serde", rename_all = "kebab-case")]
#[expect(dead_code, reason = "only read")]
struct Required {
    directory: DirectoryName,
    search_base: Base,
    search_pattern: Filter,
    attribute: AttributeName,
    host: HostPort,
    hosts: HostList,
    delimiter: Delimiter,
    number: u16,
    flag: bool,
    text: String,
    list: Vec<u8>,
    table: Table<u8>,
    choice: Choice,
    inner: Option<Box<Self>>,
}

#[test]
fn every_required_setting_is_named() {
    let problems = waypost_sdk::settings::read::<Required>("{}").unwrap_err();
    let pointers: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/directory",
            "/search-base",
            "/search-pattern",
            "/attribute",
            "/host",
            "/hosts",
            "/delimiter",
            "/number",
            "/flag",
            "/text",
            "/list",
            "/table",
            "/choice",
        ]
    );
    assert!(problems.iter().all(|problem| problem.message == "this setting is required"));
}

#[test]
fn variants_with_content() {
    for (choice, problem) in [
        (
            r#"{"weight": 256}"#,
            "/choice/weight: a whole number from 0 to 255 was expected, here is 256",
        ),
        (r#"{"named": {}}"#, "/choice/named/name: this setting is required"),
        (
            r#"{"named": {"name": 1}}"#,
            "/choice/named/name: a string was expected, here is a number",
        ),
        (r#"{"refuse": 1}"#, "/choice/refuse: nothing was expected, here is a number"),
        (
            r#"{"a": 1, "b": 2}"#,
            "/choice: \"refuse\" or \"pass-on\" or \"weight\" or \"named\" was expected, here is a table",
        ),
    ] {
        assert_problems(&format!(r#"{{"hosts": "a", "choice": {choice}}}"#), &[problem]);
    }
}

#[test]
fn what_types_cannot_say_comes_when_the_types_are_right() {
    assert_problems(r#"{"hosts": "a", "flag": true}"#, &["/flag: there is nothing to flag"]);
    assert_problems(
        r#"{"hosts": "a", "flag": true, "list": 1}"#,
        &["/list: a list was expected, here is a number"],
    );
}

#[test]
fn hosts() {
    assert_problems(
        r#"{"hosts": ["a", "b c", "d:x"]}"#,
        &[
            "/hosts/1: \"b c\": this is neither a host name nor an address",
            "/hosts/2: \"d:x\": this is not a port: 1 to 65535 is",
        ],
    );
    // That nothing is left is no fault of its own.
    assert_problems(
        r#"{"hosts": ["b c"]}"#,
        &["/hosts/0: \"b c\": this is neither a host name nor an address"],
    );
    assert_problems(r#"{"hosts": []}"#, &["/hosts: a host name or an address is missing"]);
    assert_problems(r#"{"hosts": 1}"#, &["/hosts: a list of hosts was expected, here is a number"]);
}

#[test]
fn problems_are_as_many_as_a_host_shows() {
    let items: Vec<_> = (0..1000).map(|item| item.to_string()).collect();
    let found =
        problems::<Everything>(&format!(r#"{{"hosts": "a", "list": [{}]}}"#, items.join(",")));
    assert_eq!(found.len(), 64);
    let keys: Vec<_> = (0..1000).map(|key| format!("\"k{key}\": 1")).collect();
    assert_eq!(problems::<Everything>(&format!("{{{}}}", keys.join(","))).len(), 64);
}

#[test]
fn what_is_no_table() {
    assert_problems("[]", &[": a table was expected, here is a list"]);
    assert!(problems::<Everything>("{")[0].starts_with(": the settings are not JSON: "));
    let deep = "[".repeat(10_000);
    assert!(problems::<Everything>(&deep)[0].starts_with(": the settings are not JSON: "));
}

/// A table whose keys are of a type of their own, and whose members know their keys.
#[derive(Debug, Deserialize)]
#[serde(crate = "waypost_sdk::serde")]
#[expect(dead_code, reason = "only read")]
struct Keyed {
    #[serde(default)]
    by_name: std::collections::BTreeMap<DirectoryName, Flat>,
    #[serde(default)]
    single: Option<NonZeroU16>,
}

#[derive(Debug, Deserialize)]
#[serde(crate = "waypost_sdk::serde")]
#[expect(dead_code, reason = "only read")]
struct Flat {
    host: HostPort,
    #[serde(flatten)]
    within: Deep,
}

#[derive(Debug, Deserialize)]
#[serde(crate = "waypost_sdk::serde")]
#[expect(dead_code, reason = "only read")]
struct Deep {
    depth: u32,
}

#[test]
fn keys_and_flattened_tables_have_places_too() {
    let read = |json| {
        let problems = waypost_sdk::settings::read::<Keyed>(json).unwrap_err();
        problems.into_iter().map(|problem| problem.path).collect::<Vec<_>>()
    };
    assert_eq!(read(r#"{"by_name": {"": {}}, "single": 0}"#), ["/by_name/", "/single"]);
    let json = r#"{"by_name": {"1": {"host": "a b", "depth": 1}, "2": {"host": "c:d"}},
        "single": 0}"#;
    assert_eq!(read(json), ["/by_name/1/host", "/by_name/2/host", "/single"]);
}

/// JSON of any shape, with keys and texts that mean something here.
fn json() -> impl Strategy<Value = String> {
    const WORDS: [&str; 14] = [
        "hosts",
        "attribute",
        "list",
        "table",
        "flag",
        "choice",
        "within",
        "depth",
        "pair",
        "port",
        "refuse",
        "named",
        "name",
        "a=%e",
    ];
    let word = sample::select(&WORDS[..]).prop_map(|word| format!("{word:?}"));
    let leaf = prop_oneof![
        word.clone(),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u8>().prop_map(|number| format!("{number}.5")),
        any::<bool>().prop_map(|flag| flag.to_string()),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        let member =
            (word.clone(), inner.clone()).prop_map(|(key, value)| format!("{key}:{value}"));
        prop_oneof![
            collection::vec(inner, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

proptest! {
    /// Whatever comes, reading ends, and what is refused is refused with reasons, each at a place
    /// of its own.
    #[test]
    fn anything_is_read_or_explained(json in json()) {
        if let Err(problems) = waypost_sdk::settings::read::<Everything>(&json) {
            assert!(!problems.is_empty() && problems.len() <= 64);
            let mut places: Vec<_> = problems.iter().map(|problem| &problem.path).collect();
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), problems.len());
        }
        let _ = waypost_sdk::settings::read::<Required>(&json);
    }
}

#[test]
fn attribute_names() {
    for good in ["mailHost", "a", "x-b", "2.5.4.3", "cn;lang-en", "0.9"] {
        assert_eq!(AttributeName::new(good).unwrap().as_str(), good);
    }
    let long = "a".repeat(256);
    for bad in [
        "", "*", "+", "1", "1.1.", "1.01", ".1", "-a", "a_b", "a b", "cn;", ";x", "{0}", "ü", &long,
    ] {
        assert_eq!(AttributeName::new(bad), None, "{bad}");
    }
}

/// A policy that gives no reason.
#[derive(Debug)]
struct Sulky;

impl Policy for Sulky {
    type Settings = Table<String>;

    fn configure(_settings: Table<String>) -> Result<Self, Problems> {
        Err(Problems::new())
    }

    fn route(&self, _lookup: &Lookup, _host: &dyn Host) -> Result<Answer, Failure> {
        Ok(pass())
    }
}

#[test]
fn a_policy_that_gives_no_reason_is_told_on() {
    assert_eq!(problems::<Sulky>("{}").len(), 1);
}

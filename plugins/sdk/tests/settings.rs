//! Settings: every problem is reported, each with its pointer.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use waypost_sdk::testing::configure;
use waypost_sdk::{
    Answer, AttributeName, Failure, Host, HostList, Lookup, Policy, Settings, Table, pass,
};

/// A policy with a setting of every kind.
#[derive(Debug)]
struct Everything {
    hosts: HostList,
    list: Vec<String>,
    table: Table<u32>,
    flag: bool,
}

impl Policy for Everything {
    fn configure(settings: &mut Settings) -> Option<Self> {
        let hosts = settings.required("hosts");
        let _: Option<AttributeName> = settings.optional("attribute");
        let list = settings.optional("list").unwrap_or_default();
        let table = settings.optional("table").unwrap_or_default();
        let flag = settings.optional("flag").unwrap_or(false);
        Some(Self { hosts: hosts?, list, table, flag })
    }

    fn route(&self, _lookup: &Lookup, _host: &dyn Host) -> Result<Answer, Failure> {
        Ok(pass())
    }
}

/// The problems, each as `POINTER: MESSAGE`.
#[track_caller]
fn problems(json: &str) -> Vec<String> {
    let problems = configure::<Everything>(json).unwrap_err();
    problems.into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
}

#[test]
fn good_settings() {
    let policy: Everything = configure(
        r#"{"hosts": "a,b:143", "list": ["x"], "table": {"k": 7}, "flag": true, "attribute": "cn"}"#,
    )
    .unwrap();
    assert_eq!(policy.hosts.to_string(), "a,b:143");
    assert_eq!(policy.list, ["x"]);
    assert_eq!(policy.table.0, [("k".to_owned(), 7)]);
    assert!(policy.flag);
    let policy: Everything = configure(r#"{"hosts": ["a", "[::1]:1"]}"#).unwrap();
    assert_eq!(policy.hosts.to_string(), "a,[::1]:1");
    assert!(!policy.flag && policy.list.is_empty() && policy.table.0.is_empty());
}

#[test]
fn every_problem_is_reported() {
    assert_eq!(
        problems(
            r#"{
                "list": ["ok", 1, null],
                "table": {"a/b~c": -1, "b": "x", "c": 1},
                "flag": "yes",
                "attribute": "*",
                "wrong/key": {}
            }"#
        ),
        [
            "/hosts: this setting is required",
            "/attribute: the name of an attribute, such as \"mailHost\", was expected, here is \"*\"",
            "/list/1: a string was expected, here is a number",
            "/list/2: a string was expected, here is nothing",
            "/table/a~1b~0c: a whole number from 0 to 4294967295 was expected, here is a number",
            "/table/b: a whole number from 0 to 4294967295 was expected, here is a string",
            "/flag: true or false was expected, here is a string",
            "/wrong~1key: there is no such setting",
        ]
    );
}

#[test]
fn hosts() {
    assert_eq!(
        problems(r#"{"hosts": ["a", "b c", "d:x"]}"#),
        [
            "/hosts/1: \"b c\": this is neither a host name nor an address",
            "/hosts/2: \"d:x\": this is not a port: 1 to 65535 is",
        ]
    );
    assert_eq!(problems(r#"{"hosts": []}"#), ["/hosts: a host name or an address is missing"]);
    assert_eq!(problems(r#"{"hosts": 1}"#), ["/hosts: a list was expected, here is a number"]);
}

#[test]
fn what_is_no_table() {
    assert_eq!(problems("[]"), [": a table was expected, here is a list"]);
    assert!(problems("{")[0].starts_with(": the settings are not JSON: "));
    assert!(problems(&"[".repeat(10_000))[0].starts_with(": the settings are not JSON: "));
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
    fn configure(_settings: &mut Settings) -> Option<Self> {
        None
    }

    fn route(&self, _lookup: &Lookup, _host: &dyn Host) -> Result<Answer, Failure> {
        Ok(pass())
    }
}

#[test]
fn a_policy_that_gives_no_reason_is_told_on() {
    assert_eq!(configure::<Sulky>("{}").unwrap_err().len(), 1);
}

//! When `fallback-hosts` answer, and when they must not.

use ldap_routing::LdapRouting;
use waypost_sdk::testing::{Double, configure, entry, lookup};
use waypost_sdk::{Decision, Failure, Policy, SearchError};

#[track_caller]
fn policy(more: &str) -> LdapRouting {
    let json = format!(
        r#"{{"directory": "main", "search-base": "dc=test", "search-pattern": "mail=%e",
            "host-field": "mailHost", "fallback-hosts": ["spare1:143", "spare2"] {more}}}"#
    );
    configure(&json).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// Whether the fallback's hosts are the answer.
#[track_caller]
fn falls_back(policy: &LdapRouting, directory: &Double) -> bool {
    let Ok(answer) = policy.route(&lookup("user@a.test"), directory) else { return false };
    let Decision::Route(route) = answer.decision else { return false };
    let targets = route.targets.iter().map(|target| (target.host.as_str(), target.port));
    targets.collect::<Vec<_>>() == [("spare1", Some(143)), ("spare2", None)]
}

/// Directories in which the three conditions hold, in their order.
fn conditions() -> [Double; 3] {
    let without_host = vec![entry("uid=user,dc=test", &[])];
    [
        Double::new(),
        Double::new().entries("dc=test", "(mail=user@a.test)", without_host),
        Double::new().otherwise(SearchError::Unavailable),
    ]
}

#[test]
fn conditions_and_their_default() {
    for (settings, expected) in [
        ("", [true, true, false]),
        (r#", "fallback-on": ["no-entry"]"#, [true, false, false]),
        (r#", "fallback-on": ["no-host-field"]"#, [false, true, false]),
        (r#", "fallback-on": ["directory-unavailable"]"#, [false, false, true]),
        (r#", "fallback-on": ["directory-unavailable", "no-entry"]"#, [true, false, true]),
    ] {
        let policy = policy(settings);
        let found = conditions().map(|directory| falls_back(&policy, &directory));
        assert_eq!(found, expected, "{settings}");
    }
}

#[test]
fn without_hosts_nothing_falls_back() {
    let policy: LdapRouting = configure(
        r#"{"directory": "main", "search-base": "dc=test", "search-pattern": "mail=%e",
            "host-field": "mailHost", "fallback-hosts": [], "fallback-on": []}"#,
    )
    .unwrap();
    assert!(conditions().iter().all(|directory| !falls_back(&policy, directory)));
}

#[test]
fn what_is_not_listed_keeps_its_meaning() {
    let policy = policy(r#", "fallback-on": ["no-host-field"], "no-entry": "pass""#);
    let [no_entry, _, unavailable] = conditions();
    let answer = policy.route(&lookup("user@a.test"), &no_entry).unwrap();
    assert_eq!(answer.decision, Decision::Pass);
    let failure = policy.route(&lookup("user@a.test"), &unavailable).unwrap_err();
    assert_eq!(failure, Failure::DirectoryUnavailable);
}

#[test]
fn a_timeout_is_a_directory_that_is_unavailable() {
    let policy = policy(r#", "fallback-on": ["directory-unavailable"]"#);
    assert!(falls_back(&policy, &Double::new().otherwise(SearchError::Timeout)));
}

#[test]
fn nothing_else_falls_back() {
    let policy =
        policy(r#", "fallback-on": ["no-entry", "no-host-field", "directory-unavailable"]"#);
    for error in [
        SearchError::TooLarge,
        SearchError::Other("busy".into()),
        SearchError::BadRequest("no".into()),
        SearchError::NotGranted,
    ] {
        assert!(!falls_back(&policy, &Double::new().otherwise(error)));
    }
    let two = vec![entry("uid=user,dc=test", &[("mailHost", "a"), ("mailHost", "b")])];
    assert!(!falls_back(&policy, &Double::new().entries("dc=test", "(mail=user@a.test)", two)));
}

#[test]
fn every_name_is_asked_for_before_nobody_is_there() {
    let policy = policy(r#", "catch-all": true"#);
    let directory = Double::new();
    assert!(falls_back(&policy, &directory));
    assert_eq!(directory.searches().len(), 2);
}

#[test]
fn the_log_is_told_without_the_address() {
    let all = policy(r#", "fallback-on": ["no-entry", "no-host-field", "directory-unavailable"]"#);
    for (directory, line) in conditions().iter().zip([
        "no-entry: fallback-hosts answer",
        "no-host-field: fallback-hosts answer",
        "directory-unavailable: fallback-hosts answer",
    ]) {
        assert!(falls_back(&all, directory));
        assert_eq!(directory.lines(), [line]);
    }
}

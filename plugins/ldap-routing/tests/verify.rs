//! Who is to check the password, and against which entry; accounts of Active Directory.

use ldap_routing::LdapRouting;
use waypost_sdk::testing::{Caller, Double, configure, entry, lookup};
use waypost_sdk::{
    Answer, Decision, Entry, Failure, Policy, Principal, Refusal, Route, Verification,
};

const BASE: &str = "dc=example,dc=test";
const ADDRESS: &str = "user@example.test";

#[track_caller]
fn ask(settings: &str, entries: Vec<Entry>) -> Result<Answer, Failure> {
    ask_at(settings, entries, 0)
}

#[track_caller]
fn ask_at(settings: &str, entries: Vec<Entry>, now: u64) -> Result<Answer, Failure> {
    let json = format!(
        r#"{{"directory": "main", "search-base": "%s", "search-pattern": "mail=%e",
            "host-field": "mailHost", {settings}}}"#
    );
    let policy: LdapRouting = configure(&json).unwrap_or_else(|problems| panic!("{problems:?}"));
    let host = Double::new()
        .entries(BASE, &format!("(mail={ADDRESS})"), entries)
        .caller(Caller { now, ..Caller::default() });
    policy.route(&lookup(ADDRESS), &host)
}

#[track_caller]
fn route(answer: Result<Answer, Failure>) -> Route {
    match answer.map(|answer| answer.decision) {
        Ok(Decision::Route(route)) => route,
        other => panic!("{other:?}"),
    }
}

fn user(dn: &str, attributes: &[(&str, &str)]) -> Entry {
    entry(&format!("{dn},dc=example,dc=test"), attributes)
}

fn principal(dn: &str) -> Principal {
    Principal { directory: "main".into(), dn: format!("{dn},dc=example,dc=test") }
}

#[test]
fn the_settings_say_who_checks() {
    let entries = || vec![user("uid=a", &[("mailHost", "mail1")])];
    let verification = |settings| route(ask(settings, entries())).verification;
    assert_eq!(verification(r#""verify": "backend""#), Verification::ByBackend);
    assert_eq!(verification(r#""use-first": true"#), Verification::ByBackend);
    assert_eq!(verification(r#""verify": "bind""#), Verification::ByBind(principal("uid=a")));
    assert_eq!(
        verification(r#""verify": "password""#),
        Verification::ByPassword(principal("uid=a"))
    );
}

#[test]
fn the_entry_that_names_the_host_counts_and_there_is_one() {
    let two = || vec![user("uid=a", &[]), user("uid=b", &[("mailHost", "mail1")])];
    assert_eq!(ask(r#""verify": "bind""#, two()), Err(Failure::Ambiguous(2)));
    let first = route(ask(r#""verify": "bind", "use-first": true"#, two()));
    assert_eq!(first.verification, Verification::ByBind(principal("uid=b")));
    assert!(ask(r#""verify": "backend""#, two()).is_ok());
}

#[test]
fn a_fallback_for_an_entry_without_host_checks_that_entry() {
    let settings = r#""verify": "password", "fallback-hosts": ["mail9"]"#;
    let found = route(ask(settings, vec![user("uid=a", &[])]));
    assert_eq!(found.verification, Verification::ByPassword(principal("uid=a")));
    let unknown = ask(settings, vec![]).map(|answer| answer.decision);
    assert_eq!(unknown, Ok(Decision::Refuse(Refusal::UnknownUser)));
}

#[test]
fn accounts_of_active_directory() {
    const DAY: u64 = 86_400;
    // 2026-01-01 00:00:00 UTC, in seconds since 1970 and in Active Directory's time.
    const MIDNIGHT: u64 = 1_767_225_600;
    const EXPIRES: &str = "134116992000000000";
    let disabled = Ok((Decision::Refuse(Refusal::DisabledUser), None));
    let ask = |control: &str, expires: &str, now| {
        let attributes =
            [("mailHost", "mail1"), ("userAccountControl", control), ("accountExpires", expires)];
        let answer = ask_at(r#""active-directory": true"#, vec![user("cn=a", &attributes)], now)?;
        Ok::<_, Failure>((answer.decision, answer.cache_for))
    };
    let cached = |result: Result<(Decision, Option<u32>), Failure>| match result {
        Ok((Decision::Route(_), cache_for)) => cache_for,
        other => panic!("{other:?}"),
    };
    assert_eq!(ask("514", "0", 0), disabled);
    assert_eq!(ask("66050", "9223372036854775807", 0), disabled);
    assert_eq!(cached(ask("512", "0", MIDNIGHT)), None);
    assert_eq!(cached(ask("66048", "9223372036854775807", MIDNIGHT)), None);
    assert_eq!(cached(ask("512", EXPIRES, MIDNIGHT - DAY)), Some(300));
    assert_eq!(cached(ask("512", EXPIRES, MIDNIGHT - 10)), Some(10));
    assert_eq!(ask("512", EXPIRES, MIDNIGHT), disabled);
    assert_eq!(ask("512", EXPIRES, MIDNIGHT + DAY), disabled);
    assert!(matches!(ask("enabled", "0", 0), Err(Failure::BadData(_))));
}

#[test]
fn a_windows_domain_before_the_name_does_not_count() {
    let json = r#"{"directory": "main", "search-base": "%s", "search-pattern": "sAMAccountName=%u",
                   "host-field": "mailHost", "active-directory": true}"#;
    let policy: LdapRouting = configure(json).unwrap();
    let found = vec![user("cn=a", &[("mailHost", "mail1")])];
    let host = Double::new().entries(BASE, "(sAMAccountName=user)", found);
    let found = route(policy.route(&lookup("EXAMPLE\\user@example.test"), &host));
    assert_eq!(found.identity.as_deref(), Some("user@example.test"), "the back end's name");
    assert_eq!(host.searches(), [format!("{BASE} (sAMAccountName=user)")]);
}

//! Whom `ldap-routing` asks for, in which order, and under which name the session goes on.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use ldap_routing::LdapRouting;
use waypost_sdk::testing::{Double, configure, entry, lookup};
use waypost_sdk::{Decision, Policy, Purpose, SearchError};

/// A policy that asks by address below one base, with `more` settings.
#[track_caller]
fn policy(more: &str) -> LdapRouting {
    let json = format!(
        r#"{{"directory": "main", "search-base": "dc=test", "search-pattern": "mail=%e",
            "host-field": "mailHost", {more}}}"#
    );
    configure(&json).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// A directory that knows this address.
fn knows(address: &str) -> Double {
    let user = entry("uid=user,dc=test", &[("mailHost", "mail1")]);
    Double::new().entries("dc=test", &format!("(mail={address})"), vec![user])
}

/// The addresses that are asked for, in order, by a policy over an empty directory.
#[track_caller]
fn asked(policy: &LdapRouting, address: &str) -> Vec<String> {
    let directory = Double::new();
    policy.route(&lookup(address), &directory).unwrap();
    let searches = directory.searches();
    searches.iter().map(|search| search["dc=test (mail=".len()..search.len() - 1].into()).collect()
}

/// The identity of the route for `address`; `None` where there is no route.
fn identity(policy: &LdapRouting, address: &str, directory: &Double) -> Option<Option<String>> {
    match policy.route(&lookup(address), directory).unwrap().decision {
        Decision::Route(route) => Some(route.identity),
        _ => None,
    }
}

#[test]
fn the_whole_address_first_then_the_one_without_the_tag() {
    let default = policy(r#""use-first": true"#);
    for (address, expected) in [
        ("user@a.test", vec!["user@a.test"]),
        ("user+news@a.test", vec!["user+news@a.test", "user@a.test"]),
        ("user+a+b@a.test", vec!["user+a+b@a.test", "user@a.test"]),
        ("user+@a.test", vec!["user+@a.test", "user@a.test"]),
        // A delimiter in first place starts no tag: there would be no user left.
        ("+news@a.test", vec!["+news@a.test"]),
        ("user-news@a.test", vec!["user-news@a.test"]),
        ("us@er+x@a.test", vec!["us@er+x@a.test", "us@er@a.test"]),
    ] {
        assert_eq!(asked(&default, address), expected);
    }
    let minus = policy(r#""recipient-delimiter": "-""#);
    assert_eq!(asked(&minus, "user-x+y@a.test"), ["user-x+y@a.test", "user@a.test"]);
    let off = policy(r#""recipient-delimiter": """#);
    assert_eq!(asked(&off, "user+x@a.test"), ["user+x@a.test"]);
}

#[test]
fn the_tag_stays_in_what_is_passed_on() {
    let policy = policy(r#""use-first": true"#);
    for known in ["user+news@a.test", "user@a.test"] {
        let directory = knows(known);
        assert_eq!(identity(&policy, "user+news@a.test", &directory), Some(None));
        // Whoever is found is not asked for again.
        assert!(directory.searches().last().unwrap().contains(known));
    }
}

#[test]
fn the_first_entry_counts_even_without_host() {
    let policy = policy(r#""catch-all": true"#);
    let user = entry("uid=user+x,dc=test", &[]);
    let directory = knows("user@a.test").entries("dc=test", "(mail=user+x@a.test)", vec![user]);
    assert!(policy.route(&lookup("user+x@a.test"), &directory).is_err());
    assert_eq!(directory.searches().len(), 1);
}

#[test]
fn an_error_ends_the_asking() {
    let policy = policy(r#""catch-all": true"#);
    let directory = Double::new().otherwise(SearchError::Timeout);
    assert!(policy.route(&lookup("user+x@a.test"), &directory).is_err());
    assert_eq!(directory.searches().len(), 1);
}

#[test]
fn a_catch_all_is_asked_for_last() {
    let catch_all = policy(r#""catch-all": true"#);
    assert_eq!(asked(&catch_all, "user@a.test"), ["user@a.test", "@a.test"]);
    assert_eq!(asked(&catch_all, "user+x@a.test"), ["user+x@a.test", "user@a.test", "@a.test"]);
    assert_eq!(identity(&catch_all, "user+x@a.test", &knows("@a.test")), Some(None));
    assert_eq!(asked(&policy(r#""catch-all": false"#), "user@a.test"), ["user@a.test"]);
}

#[test]
fn an_alias_domain_is_looked_up_and_passed_on_as_the_canonical_one() {
    let policy = policy(r#""alias-domains": {"Old.Test": "New.Test", "b.test": "new.test"}"#);
    let directory = knows("user@new.test");
    let found = |address: &str| identity(&policy, address, &directory);
    assert_eq!(found("user@old.test"), Some(Some("user@new.test".into())));
    assert_eq!(found("user@b.test"), Some(Some("user@new.test".into())));
    assert_eq!(found("user+news@old.test"), Some(Some("user+news@new.test".into())));
    assert_eq!(found("user@new.test"), Some(None));
    // No part of a domain is an alias.
    assert_eq!(found("user@sub.old.test"), None);
    assert_eq!(found("user@a.test"), None);
}

#[test]
fn every_placeholder_speaks_of_the_canonical_domain() {
    let policy: LdapRouting = configure(
        r#"{"directory": "main", "search-base": "ou=%d,%s", "host-field": "mailHost",
            "search-pattern": "(&(mail=%e)(uid=%u)(o=%d))",
            "alias-domains": {"old.test": "new.test"}}"#,
    )
    .unwrap();
    let directory = Double::new();
    policy.route(&lookup("user@old.test"), &directory).unwrap();
    assert_eq!(
        directory.searches(),
        ["ou=new.test,dc=new,dc=test (&(mail=user@new.test)(uid=user)(o=new.test))"]
    );
}

#[test]
fn the_fallback_knows_an_alias_domain_too() {
    let policy =
        policy(r#""alias-domains": {"old.test": "new.test"}, "fallback-hosts": ["spare"]"#);
    let found = identity(&policy, "user+x@old.test", &Double::new());
    assert_eq!(found, Some(Some("user+x@new.test".into())));
}

#[test]
fn recipients_and_pages_are_asked_for_like_logins() {
    let policy = policy(r#""catch-all": true"#);
    for purpose in [Purpose::Login, Purpose::Recipient, Purpose::Identify] {
        let directory = knows("@a.test");
        let mut lookup = lookup("user+x@a.test");
        lookup.purpose = purpose;
        assert!(matches!(policy.route(&lookup, &directory).unwrap().decision, Decision::Route(_)));
        assert_eq!(directory.searches().len(), 3);
    }
}

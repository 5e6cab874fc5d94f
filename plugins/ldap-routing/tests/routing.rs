//! What `ldap-routing` answers, over a directory that knows what each test teaches it.

use ldap_routing::{LdapRouting, MOST_ENTRIES};
use waypost_sdk::testing::{Double, configure, entry, lookup};
use waypost_sdk::{
    Answer, Decision, Entry, Failure, Page, Policy, Refusal, SearchError, Verification,
};

const BASE: &str = "dc=example,dc=test";

/// A policy that asks by address below the domain's components, with `more` settings.
#[track_caller]
fn policy(more: &str) -> LdapRouting {
    let comma = if more.is_empty() { "" } else { "," };
    let json = format!(
        r#"{{"directory": "main", "search-base": "%s", "search-pattern": "mail=%e",
            "host-field": "mailHost"{comma}{more}}}"#
    );
    configure(&json).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// A directory in which `address` has an entry with these hosts.
fn directory(address: &str, hosts: &[&str]) -> Double {
    Double::new().entries(BASE, &format!("(mail={address})"), vec![user(hosts)])
}

fn user(hosts: &[&str]) -> Entry {
    let attributes: Vec<_> = hosts.iter().map(|host| ("mailHost", *host)).collect();
    entry("uid=user,dc=example,dc=test", &attributes)
}

/// An answer in short: `host,host:port as IDENTITY`, the refusal, `pass` or the failure.
fn short(result: Result<Answer, Failure>) -> String {
    let answer = match result {
        Ok(answer) => answer,
        Err(Failure::DirectoryUnavailable) => return "directory-unavailable".into(),
        Err(Failure::Ambiguous(candidates)) => return format!("ambiguous({candidates})"),
        Err(Failure::BadData(what)) => return format!("bad-data: {what}"),
        Err(Failure::Misconfigured(what)) => return format!("misconfigured: {what}"),
        Err(Failure::Other(what)) => return format!("other: {what}"),
    };
    assert_eq!((answer.cache_for, answer.hints), (None, vec![]));
    let route = match answer.decision {
        Decision::Pass => return "pass".into(),
        Decision::Defer(why) => return format!("defer: {why}"),
        Decision::Refuse(Refusal::UnknownUser) => return "unknown-user".into(),
        Decision::Refuse(other) => panic!("{other:?}"),
        Decision::Route(route) => route,
    };
    assert_eq!(route.verification, Verification::ByBackend);
    let targets = route.targets.iter().map(|target| {
        assert_eq!((target.encryption, &target.tls_name), (None, &None));
        match target.port {
            Some(port) if target.host.contains(':') => format!("[{}]:{port}", target.host),
            Some(port) => format!("{}:{port}", target.host),
            None => target.host.clone(),
        }
    });
    let identity = route.identity.map(|identity| format!(" as {identity}")).unwrap_or_default();
    targets.collect::<Vec<_>>().join(",") + &identity
}

#[track_caller]
fn answer(policy: &LdapRouting, address: &str, directory: &Double) -> String {
    short(policy.route(&lookup(address), directory))
}

#[test]
fn the_host_of_the_entry_is_the_target() {
    for (hosts, targets) in [
        ("10.0.0.1", "10.0.0.1"),
        ("mail1.example.test", "mail1.example.test"),
        ("MAIL1:143", "mail1:143"),
        ("[2001:db8::1]:143", "[2001:db8::1]:143"),
        ("2001:db8::1", "2001:db8::1"),
        ("mail2, mail1:143,10.0.0.1", "mail2,mail1:143,10.0.0.1"),
        ("mail1,mail1", "mail1"),
    ] {
        let directory = directory("user@example.test", &[hosts]);
        assert_eq!(answer(&policy(""), "user@example.test", &directory), targets);
        assert_eq!(directory.lines(), [""; 0]);
    }
}

#[test]
fn the_search_asks_for_the_host_and_nothing_else() {
    let directory = directory("user@example.test", &["mail1"]);
    answer(&policy(""), "user@example.test", &directory);
    let queries = directory.queries();
    assert_eq!(queries.len(), 1);
    assert_eq!(queries[0].base, "dc={0},dc={1}");
    assert_eq!(queries[0].filter, "(mail={2})");
    assert_eq!(queries[0].parameters[2], b"user@example.test");
    assert_eq!(queries[0].attributes, ["mailHost"]);
    assert_eq!(queries[0].size_limit, MOST_ENTRIES);
}

#[test]
fn a_client_cannot_write_a_filter() {
    let directory = Double::new();
    let address = "*)(uid=*))(|(a=%e{0}\\2a@example.test";
    assert_eq!(
        answer(&policy(r#""recipient-delimiter": """#), address, &directory),
        "unknown-user"
    );
    assert_eq!(directory.queries()[0].filter, "(mail={2})");
    assert_eq!(directory.queries()[0].parameters[2], address.as_bytes());
}

#[test]
fn nobody_of_that_name() {
    assert_eq!(answer(&policy(""), "user@example.test", &Double::new()), "unknown-user");
    let refuse = policy(r#""no-entry": "refuse""#);
    assert_eq!(answer(&refuse, "user@example.test", &Double::new()), "unknown-user");
    let pass = policy(r#""no-entry": "pass""#);
    assert_eq!(answer(&pass, "user@example.test", &Double::new()), "pass");
}

#[test]
fn an_entry_without_host_is_bad_data() {
    let no_host = "bad-data: uid=user,dc=example,dc=test has no mailHost";
    let directory = directory("user@example.test", &[]);
    assert_eq!(answer(&policy(""), "user@example.test", &directory), no_host);
    assert_eq!(answer(&policy(r#""no-entry": "pass""#), "user@example.test", &directory), no_host);
    assert_eq!(answer(&policy(r#""use-first": true"#), "user@example.test", &directory), no_host);
}

#[test]
fn a_mailbox_that_is_being_moved() {
    let moving = |values: &[&str]| {
        let mut user = user(&["old", "new"]);
        let attribute = values.iter().map(|value| ("mailMoving", *value)).collect::<Vec<_>>();
        user.attributes.extend(entry("", &attribute).attributes);
        Double::new().entries(BASE, "(mail=user@example.test)", vec![user])
    };
    let policy = policy(r#""defer-field": "MailMoving", "fallback-hosts": ["spare"]"#);
    let deferred = "defer: uid=user,dc=example,dc=test has MailMoving";
    for (values, expected) in [
        (&["TRUE"][..], deferred),
        (&["since Monday"], deferred),
        (&["FALSE", "TRUE"], deferred),
        (&["false"], "ambiguous(2)"),
        (&[], "ambiguous(2)"),
    ] {
        let directory = moving(values);
        assert_eq!(answer(&policy, "user+tag@example.test", &Double::new()), "spare");
        assert_eq!(answer(&policy, "user@example.test", &directory), expected, "{values:?}");
        assert_eq!(directory.queries()[0].attributes, ["mailHost", "MailMoving"]);
    }
}

#[test]
fn several_candidates() {
    let first = policy(r#""use-first": true"#);
    let only = policy(r#""use-first": false"#);
    let differ = |all: &str, first: &str| {
        vec![format!("the directory names different hosts, {all}: took {first}")]
    };
    for (entries, with_only, with_first, lines) in [
        (vec![user(&["b", "a"])], "ambiguous(2)", "b", differ("b and a", "b")),
        (vec![user(&["b"]), user(&["a"])], "ambiguous(2)", "b", differ("b and a", "b")),
        (
            vec![user(&["b", "a"]), user(&["c", "a"])],
            "ambiguous(3)",
            "b",
            differ("b and a and c", "b"),
        ),
        // A list is one candidate; another order of it is another.
        (vec![user(&["a,b"]), user(&["a, B"])], "a,b", "a,b", vec![]),
        (vec![user(&["a,b"]), user(&["b,a"])], "ambiguous(2)", "a,b", differ("a,b and b,a", "a,b")),
        (vec![user(&["a"]), user(&["a:143"])], "ambiguous(2)", "a", differ("a and a:143", "a")),
        // One host, however often and however spelt, is one candidate.
        (vec![user(&["a"]), user(&["A"]), user(&["a."])], "a", "a", vec![]),
        // An entry without host does not count beside one with.
        (vec![user(&[]), user(&["a"])], "a", "a", vec![]),
    ] {
        let directory = Double::new().entries(BASE, "(mail=user@example.test)", entries);
        assert_eq!(answer(&only, "user@example.test", &directory), with_only);
        assert_eq!(directory.lines(), [""; 0]);
        assert_eq!(answer(&first, "user@example.test", &directory), with_first);
        assert_eq!(directory.lines(), lines);
    }
}

#[test]
fn a_value_that_names_no_host_is_bad_data() {
    for (value, reason) in [
        ("mail 1", r#""mail 1": this is neither a host name nor an address"#),
        ("mail1:0", r#""mail1:0": this is not a port: 1 to 65535 is"#),
        ("mail1,", r#""mail1,": a host name or an address is missing"#),
        ("", r#""": a host name or an address is missing"#),
        ("a\r\nb", r#""a\r\nb": this is neither a host name nor an address"#),
        ("bücher.test", r#""bücher.test": an international host name is written in its xn-- form"#),
    ] {
        let expected = format!("bad-data: uid=user,dc=example,dc=test: mailHost {reason}");
        let alone = directory("user@example.test", &[value]);
        // A directory keeps no order, so a good value before a bad one helps nobody.
        let behind = directory("user@example.test", &["mail2", value]);
        for settings in ["", r#""use-first": true"#, r#""fallback-hosts": ["spare"]"#] {
            assert_eq!(answer(&policy(settings), "user@example.test", &alone), expected);
            assert_eq!(answer(&policy(settings), "user@example.test", &behind), expected);
        }
    }
}

#[test]
fn values_that_are_no_text_or_too_long_are_named_all_the_same() {
    let mut binary = user(&["x"]);
    binary.attributes[0].values[0] = b"mail\xff1".to_vec();
    let directory = Double::new().entries(BASE, "(mail=user@example.test)", vec![binary]);
    assert_eq!(
        answer(&policy(""), "user@example.test", &directory),
        "bad-data: uid=user,dc=example,dc=test: mailHost \"mail\u{fffd}1\": this is not UTF-8"
    );
    let long = self::directory("user@example.test", &[&"ü ".repeat(5000)]);
    assert!(answer(&policy(""), "user@example.test", &long).len() < 600);
}

#[test]
fn an_incomplete_page_proves_little() {
    let first = policy(r#""use-first": true, "fallback-hosts": ["spare"]"#);
    let only = policy(r#""fallback-hosts": ["spare"]"#);
    for (entries, with_only, with_first, lines) in [
        (
            vec![user(&["a"])],
            "bad-data: more entries match than came (1): whether all name one host cannot be told",
            "a",
            vec!["more entries match than came (1): took a"],
        ),
        (
            vec![user(&["a"]), user(&["b"])],
            "ambiguous(2)",
            "a",
            vec!["the directory names different hosts, a and b: took a"],
        ),
        (
            vec![user(&[]), user(&[])],
            "bad-data: more entries match than came (2), and none of these has mailHost",
            "bad-data: more entries match than came (2), and none of these has mailHost",
            vec![],
        ),
        // A server that stops at its own limit may send nothing: that is nobody's absence.
        (
            vec![],
            "bad-data: more entries match than came (0), and none of these has mailHost",
            "bad-data: more entries match than came (0), and none of these has mailHost",
            vec![],
        ),
    ] {
        let page = Ok(Page { entries, complete: false });
        let directory = Double::new().answer(BASE, "(mail=user@example.test)", page);
        assert_eq!(answer(&only, "user@example.test", &directory), with_only);
        assert_eq!(answer(&first, "user@example.test", &directory), with_first);
        assert_eq!(directory.lines(), lines);
    }
}

#[test]
fn errors_of_the_directory() {
    for (error, expected) in [
        (SearchError::Unavailable, "directory-unavailable"),
        (SearchError::Timeout, "directory-unavailable"),
        (
            SearchError::BadRequest("filter, at octet 1: this is no attribute".into()),
            "misconfigured: the directory \"main\" refuses the search: \
             filter, at octet 1: this is no attribute",
        ),
        (
            SearchError::TooLarge,
            "bad-data: what the directory \"main\" found is larger than it may be: \
             `search-pattern` matches too much",
        ),
        (SearchError::Other("busy".into()), "other: the directory \"main\": busy"),
    ] {
        let directory = Double::new().otherwise(error);
        for settings in ["", r#""no-entry": "pass""#, r#""fallback-hosts": ["spare"]"#] {
            assert_eq!(answer(&policy(settings), "user@example.test", &directory), expected);
        }
    }
    let directory = Double::new().without("main");
    let settings = r#""fallback-hosts": ["spare"], "fallback-on": ["directory-unavailable"]"#;
    assert_eq!(
        answer(&policy(settings), "user@example.test", &directory),
        "misconfigured: the policy's `directories` do not list \"main\", which `directory` names"
    );
}

#[test]
fn a_domain_outside_the_directory_has_no_entry() {
    let outside = || Double::new().otherwise(SearchError::BadRequest("outside".into()));
    let example = outside().base("dc=example,dc=test");
    let all = r#""catch-all": true"#;
    assert_eq!(answer(&policy(all), "user+x@other.test", &example), "unknown-user");
    let fallback = r#""fallback-hosts": ["spare"]"#;
    assert_eq!(answer(&policy(fallback), "user@other.test", &example), "spare");
    let misconfigured = "misconfigured: the directory \"main\" refuses the search: outside";
    // Inside, or where it cannot be told, the request is bad for another reason.
    assert_eq!(answer(&policy(""), "user@mail.example.test", &example), misconfigured);
    assert_eq!(answer(&policy(""), "user@other.test", &outside()), misconfigured);
    let other = outside().base("o=hosting");
    assert_eq!(answer(&policy(""), "user@other.test", &other), misconfigured);
    // A base that does not come from the domain is the operator's own.
    let fixed: LdapRouting = configure(
        r#"{"directory": "main", "search-base": "dc=other,dc=test",
            "search-pattern": "mail=%e", "host-field": "mailHost"}"#,
    )
    .unwrap();
    assert_eq!(answer(&fixed, "user@example.test", &example), misconfigured);
}

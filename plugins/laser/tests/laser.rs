//! What `laser` answers, over a directory that knows what each test teaches it.

use laser::{Laser, MOST_ENTRIES};
use proptest::prelude::{prop_assert, proptest};
use waypost_sdk::testing::{Double, ask, configure, entry, problems};
use waypost_sdk::{
    Answer, Decision, Entry, Failure, Page, Policy, Purpose, Refusal, SearchError, Verification,
};

const BASE: &str = "dc=example,dc=test";

/// Settings with `more`.
fn settings(more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(r#"{{"directory": "main", "search-base": "dc=example,dc=test"{comma}{more}}}"#)
}

#[track_caller]
fn policy(more: &str) -> Laser {
    configure(&settings(more)).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The policy of the matrix: here is `here`, and `local` is a local host.
#[track_caller]
fn matrix(more: &str) -> Laser {
    let comma = if more.is_empty() { "" } else { "," };
    policy(&format!(r#""local-names": ["local"], "local-hosts": ["here"]{comma}{more}"#))
}

/// A directory with these entries: address, hosts and routing addresses, separated by spaces.
fn directory(entries: &[(&str, &str, &str)]) -> Double {
    entries.iter().fold(Double::new(), |double, (address, hosts, addresses)| {
        double.entries(BASE, &filter(address), vec![said(address, hosts, addresses)])
    })
}

fn filter(address: &str) -> String {
    format!("(&(objectClass=inetLocalMailRecipient)(mailLocalAddress={address}))")
}

fn said(name: &str, hosts: &str, addresses: &str) -> Entry {
    let hosts = hosts.split_whitespace().map(|host| ("mailHost", host));
    let addresses = addresses.split_whitespace().map(|address| ("mailRoutingAddress", address));
    let attributes: Vec<_> = hosts.chain(addresses).collect();
    entry(&format!("cn={name}"), &attributes)
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
        Decision::Defer(why) => panic!("{why}"),
        Decision::Refuse(Refusal::UnknownUser) => return "unknown-user".into(),
        Decision::Refuse(other) => panic!("{other:?}"),
        Decision::Route(route) => route,
    };
    assert_eq!(route.verification, Verification::ByBackend);
    let targets = route.targets.iter().map(|target| match target.port {
        Some(port) => format!("{}:{port}", target.host),
        None => target.host.clone(),
    });
    let identity = route.identity.map(|identity| format!(" as {identity}")).unwrap_or_default();
    targets.collect::<Vec<_>>().join(",") + &identity
}

/// The answer for a recipient.
#[track_caller]
fn mail(policy: &Laser, address: &str, directory: &Double) -> String {
    let answer = short(policy.route(&ask(Purpose::Recipient, address), directory));
    assert!(directory.reads().is_empty());
    answer
}

/// The answer for somebody who logs in.
#[track_caller]
fn login(policy: &Laser, address: &str, directory: &Double) -> String {
    short(policy.route(&ask(Purpose::Login, address), directory))
}

const USER: &str = "user@example.test";

/// The six cells of the matrix, in the order of its rows.
#[test]
fn the_matrix() {
    for (row, host, address, mails, logins) in [
        (1, "local", "new@example.test", "here as new@example.test", "here"),
        (2, "local", "", "here", "here"),
        (3, "remote", "new@example.test", "remote as new@example.test", "remote"),
        (4, "remote", "", "remote", "remote"),
        (5, "", "new@example.test", "here as new@example.test", "here"),
        (6, "", "", "unknown-user", "unknown-user"),
    ] {
        let directory = directory(&[(USER, host, address)]);
        assert_eq!(mail(&matrix(""), USER, &directory), mails, "row {row}");
        assert_eq!(login(&matrix(""), USER, &directory), logins, "row {row}");
        let renamed = matrix(r#""login-name": "routing-address""#);
        assert_eq!(login(&renamed, USER, &directory), mails, "row {row}");
    }
}

/// The last cell by option, and an address without any entry, which is the same.
#[test]
fn nothing_set() {
    for (option, expected) in [
        (r#""no-entry": "refuse""#, "unknown-user"),
        (r#""no-entry": "pass""#, "pass"),
        (r#""no-entry": "deliver""#, "here"),
    ] {
        for directory in [Double::new(), directory(&[(USER, "", "")])] {
            assert_eq!(mail(&matrix(option), USER, &directory), expected);
            assert_eq!(login(&matrix(option), USER, &directory), expected);
        }
    }
}

#[test]
fn without_local_hosts_a_local_host_is_itself() {
    let policy = policy(r#""local-names": ["Local.", "10.0.0.1"]"#);
    for (host, address, expected) in [
        ("LOCAL", "", "local"),
        ("local", "new@example.test", "local as new@example.test"),
        ("10.0.0.1", "", "10.0.0.1"),
        (
            "",
            "new@example.test",
            "misconfigured: cn=user@example.test has no mailHost, and there are no local-hosts to \
             deliver to",
        ),
    ] {
        assert_eq!(mail(&policy, USER, &directory(&[(USER, host, address)])), expected);
    }
}

#[test]
fn a_host_with_a_port_or_beside_another_is_remote() {
    for (host, expected) in [
        ("local:24", "local:24 as new@example.test"),
        ("local,remote", "local,remote as new@example.test"),
        ("remote:24,spare", "remote:24,spare as new@example.test"),
    ] {
        let directory = directory(&[(USER, host, "new@example.test")]);
        assert_eq!(mail(&matrix(""), USER, &directory), expected);
    }
}

#[test]
fn the_search_asks_for_the_two_attributes() {
    let directory = directory(&[(USER, "remote", "")]);
    mail(&matrix(""), USER, &directory);
    let queries = directory.queries();
    assert_eq!(queries.len(), 1);
    assert_eq!(queries[0].filter, "(&(objectClass=inetLocalMailRecipient)(mailLocalAddress={0}))");
    assert_eq!(queries[0].attributes, ["mailHost", "mailRoutingAddress"]);
    assert_eq!(queries[0].size_limit, MOST_ENTRIES);
}

#[test]
fn fields_and_pattern_can_be_others() {
    let policy = policy(
        r#""search-pattern": "mail=%e", "host-field": "host", "address-field": "forward",
            "local-hosts": ["here"]"#,
    );
    let found = entry("cn=user", &[("HOST", "remote"), ("forward", "new@example.test")]);
    let directory = Double::new().entries(BASE, "(mail=user@example.test)", vec![found]);
    assert_eq!(mail(&policy, USER, &directory), "remote as new@example.test");
}

#[test]
fn the_address_then_without_tag_then_the_domain() {
    let all = [
        ("user+tag@example.test", "whole", ""),
        ("user@example.test", "user", ""),
        ("@example.test", "domain", ""),
    ];
    for (known, expected) in [(0, "whole"), (1, "user"), (2, "domain"), (3, "unknown-user")] {
        // An entry that says nothing is passed over.
        let mut entries = all.to_vec();
        entries.iter_mut().take(known).for_each(|entry| entry.1 = "");
        let directory = directory(&entries);
        assert_eq!(mail(&matrix(""), "user+tag@example.test", &directory), expected);
    }
    let address_only = matrix(r#""domain-entries": false, "recipient-delimiter": """#);
    let directory = directory(&all[1..]);
    assert_eq!(mail(&address_only, "user+tag@example.test", &directory), "unknown-user");
    assert_eq!(directory.searches().len(), 1);
}

#[test]
fn a_tag_goes_on_unless_told_otherwise() {
    for (entry, kept, dropped) in [
        (
            ("user@example.test", "remote", "new@x.test"),
            "remote as new+tag@x.test",
            "remote as new@x.test",
        ),
        (
            ("user@example.test", "remote", "@x.test"),
            "remote as user+tag@x.test",
            "remote as user+tag@x.test",
        ),
        (
            ("user+tag@example.test", "remote", "new@x.test"),
            "remote as new@x.test",
            "remote as new@x.test",
        ),
        (
            ("@example.test", "remote", "all@x.test"),
            "remote as all+tag@x.test",
            "remote as all@x.test",
        ),
        (
            ("@example.test", "remote", "@x.test"),
            "remote as user+tag@x.test",
            "remote as user+tag@x.test",
        ),
    ] {
        let directory = directory(&[entry]);
        let address = "user+tag@example.test";
        assert_eq!(mail(&matrix(""), address, &directory), kept, "{entry:?}");
        assert_eq!(
            mail(&matrix(r#""keep-tag": false"#), address, &directory),
            dropped,
            "{entry:?}"
        );
    }
}

#[test]
fn a_routing_address_is_looked_up_in_its_turn() {
    let chain = directory(&[
        ("a@example.test", "", "b@example.test"),
        ("b@example.test", "local", "c@example.test"),
        ("c@example.test", "remote", ""),
        ("d@example.test", "remote", "e@example.test"),
        ("e@example.test", "elsewhere", ""),
        ("f@example.test", "", "d@example.test"),
    ]);
    for (address, mails, logins) in [
        ("a@example.test", "remote as c@example.test", "remote"),
        ("b@example.test", "remote as c@example.test", "remote"),
        ("c@example.test", "remote", "remote"),
        // A remote host ends it, whatever the address is.
        ("d@example.test", "remote as e@example.test", "remote"),
        ("f@example.test", "remote as e@example.test", "remote"),
    ] {
        assert_eq!(mail(&matrix(""), address, &chain), mails);
        assert_eq!(login(&matrix(""), address, &chain), logins);
    }
    let never = matrix(r#""max-hops": 0"#);
    assert_eq!(mail(&never, "a@example.test", &chain), "here as b@example.test");
    let one = matrix(r#""max-hops": 1"#);
    assert_eq!(
        mail(&one, "a@example.test", &chain),
        "bad-data: cn=b@example.test: mailRoutingAddress leads on for more than 1 hops"
    );
    assert_eq!(mail(&one, "b@example.test", &chain), "remote as c@example.test");
}

#[test]
fn a_hop_that_nobody_knows_is_delivered_where_it_came_from() {
    let directory = directory(&[
        ("a@example.test", "local", "x@elsewhere.test"),
        ("b@example.test", "", "x@elsewhere.test"),
    ]);
    let itself = policy(r#""local-names": ["local"]"#);
    assert_eq!(mail(&itself, "a@example.test", &directory), "local as x@elsewhere.test");
    assert_eq!(mail(&matrix(""), "a@example.test", &directory), "here as x@elsewhere.test");
    assert_eq!(mail(&matrix(""), "b@example.test", &directory), "here as x@elsewhere.test");
    // Not even where an unknown address is refused or passed on: this one is known.
    let pass = matrix(r#""no-entry": "pass""#);
    assert_eq!(mail(&pass, "b@example.test", &directory), "here as x@elsewhere.test");
}

#[test]
fn loops_end() {
    let loops = directory(&[
        ("own@example.test", "", "OWN@Example.test"),
        ("a@example.test", "", "b@example.test"),
        ("b@example.test", "local", "A@example.test"),
        ("@all.test", "", "postmaster@all.test"),
        ("x@example.test", "", "y@all.test"),
    ]);
    // An address that is its own routing address is there.
    assert_eq!(mail(&matrix(""), "own@example.test", &loops), "here as OWN@example.test");
    assert_eq!(
        mail(&matrix(""), "a@example.test", &loops),
        "bad-data: cn=b@example.test: mailRoutingAddress leads back to an address that led here"
    );
    // A domain's entry that leads to an address of the domain, which the same entry is for.
    assert_eq!(mail(&matrix(""), "user@all.test", &loops), "here as postmaster@all.test");
    assert_eq!(mail(&matrix(""), "x@example.test", &loops), "here as postmaster@all.test");
    // A tag makes it no longer with each turn.
    let tags = directory(&[("a@x.test", "", "b+more@x.test"), ("b@x.test", "", "a+more@x.test")]);
    let answer = mail(&matrix(r#""max-hops": 255"#), "a+tag@x.test", &tags);
    assert!(answer.starts_with("bad-data: "), "{answer}");
}

#[test]
fn several_values_or_entries_are_ambiguous() {
    for (hosts, addresses, expected) in [
        ("a b", "", "ambiguous(2)"),
        ("a b c", "new@x.test", "ambiguous(3)"),
        ("a", "new@x.test old@x.test", "ambiguous(2)"),
        ("a A a.", "new@x.test new@X.test", "a as new@x.test"),
    ] {
        assert_eq!(mail(&matrix(""), USER, &directory(&[(USER, hosts, addresses)])), expected);
    }
    for (second, expected) in [
        (("a", "new@x.test"), "a as new@x.test"),
        (("", ""), "a as new@x.test"),
        (("b", "new@x.test"), "ambiguous(2)"),
        (("a", ""), "ambiguous(2)"),
        (("", "new@x.test"), "ambiguous(2)"),
    ] {
        let entries = vec![said("one", "a", "new@x.test"), said("two", second.0, second.1)];
        let directory = Double::new().entries(BASE, &filter(USER), entries);
        assert_eq!(mail(&matrix(""), USER, &directory), expected, "{second:?}");
    }
    let page = Page { entries: vec![said("one", "a", "")], complete: false };
    let directory = Double::new().answer(BASE, &filter(USER), Ok(page));
    assert_eq!(
        mail(&matrix(""), USER, &directory),
        "bad-data: more entries match than came (1): whether all say the same cannot be told"
    );
}

#[test]
fn values_that_are_none_are_bad_data() {
    for (hosts, addresses, expected) in [
        ("a:x", "", "mailHost \"a:x\": this is not a port: 1 to 65535 is"),
        ("a", "user", "mailRoutingAddress \"user\": this is no address"),
        ("a", "@", "mailRoutingAddress \"@\": this is no address"),
        ("a", "user@b\u{fc}.test", "mailRoutingAddress \"user@b\u{fc}.test\": this is no address"),
    ] {
        let expected = format!("bad-data: cn=user@example.test: {expected}");
        assert_eq!(mail(&matrix(""), USER, &directory(&[(USER, hosts, addresses)])), expected);
    }
    let mut binary = said("x", "a", "");
    binary.attributes[0].values[0] = b"a\xff".to_vec();
    let directory = Double::new().entries(BASE, &filter(USER), vec![binary]);
    assert_eq!(
        mail(&matrix(""), USER, &directory),
        "bad-data: cn=x: mailHost \"a\u{fffd}\": this is not UTF-8"
    );
}

#[test]
fn errors_of_the_directory() {
    let deliver = matrix(r#""no-entry": "deliver""#);
    for (error, expected) in [
        (SearchError::Unavailable, "directory-unavailable"),
        (SearchError::Timeout, "directory-unavailable"),
        (SearchError::Other("busy".into()), "other: the directory \"main\": busy"),
    ] {
        let down = Double::new().otherwise(error.clone());
        assert_eq!(mail(&deliver, USER, &down), expected);
        // In the middle of the way it is no absence either.
        let on_the_way = directory(&[(USER, "", "new@example.test")]).otherwise(error);
        assert_eq!(mail(&deliver, USER, &on_the_way), expected);
    }
    assert_eq!(
        mail(&deliver, USER, &Double::new().without("main")),
        "misconfigured: the policy's `directories` do not list \"main\", which `directory` names"
    );
}

#[test]
fn bad_settings() {
    for (more, expected) in [
        (
            r#""search-pattern": "cn=x""#,
            "/search-pattern: neither it nor search-base has a \
            placeholder, so that everybody would be the same: %e, %u, %d or %s was expected",
        ),
        (
            r#""search-pattern": "uid=%u", "domain-entries": true"#,
            "/domain-entries: a domain is \
            asked for by its address and has no local part: search-pattern must use %e, and neither \
            it nor search-base %u",
        ),
        (r#""address-field": "MAILHOST""#, "/address-field: this is the host-field too"),
        (r#""no-entry": "deliver""#, "/no-entry: there are no local-hosts to deliver to"),
        (
            r#""local-names": ["a:1"]"#,
            "/local-names/0: \"a:1\": a name without a port was expected",
        ),
        (
            r#""local-names": ["a b"]"#,
            "/local-names/0: \"a b\": this is neither a host name nor an \
            address",
        ),
        (r#""local-hosts": []"#, "/local-hosts: a host name or an address is missing"),
        (r#""max-hops": 256"#, "/max-hops: a whole number from 0 to 255 was expected, here is 256"),
        (
            r#""login-name": "x""#,
            "/login-name: \"keep\" or \"routing-address\" was expected, here is \
            \"x\"",
        ),
        (r#""mail-host": "x""#, "/mail-host: there is no such setting"),
    ] {
        assert_eq!(problems::<Laser>(&settings(more)), [expected], "{more}");
    }
    assert_eq!(
        problems::<Laser>("{}"),
        ["/directory: this setting is required", "/search-base: this setting is required"]
    );
    // Without a saying, a pattern by local part asks for no domain.
    let by_user = policy(r#""search-pattern": "uid=%u""#);
    let directory = Double::new();
    assert_eq!(mail(&by_user, "user+tag@example.test", &directory), "unknown-user");
    assert_eq!(directory.searches().len(), 2);
}

proptest! {
    /// Whatever a directory says: an end, and no more searches than hops allow.
    #[test]
    fn every_way_ends(hosts in "[a-z ,:0-9]{0,6}", ways in "[ab@+x.]{0,8}", hops in 0..5_u8) {
        let policy = matrix(&format!(r#""max-hops": {hops}"#));
        let directory = directory(&[
            ("a@x.test", &hosts, &format!("{ways}@x.test")),
            ("b@x.test", "", "a@x.test"),
            ("@x.test", "", &ways),
        ]);
        let answer = mail(&policy, "a+x@x.test", &directory);
        prop_assert!(!answer.is_empty());
        prop_assert!(directory.searches().len() <= 3 * (usize::from(hops) + 1));
    }
}

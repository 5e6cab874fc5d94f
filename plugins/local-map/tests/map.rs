//! What `local-map` answers, by lists as operators write them.

use local_map::{LocalMap, MOST_PATTERNS};
use proptest::prelude::{prop_assert, proptest};
use waypost_sdk::testing::{Double, ask, configure, lookup, problems};
use waypost_sdk::{Decision, Policy, Purpose, Refusal, Verification};

/// The settings as JSON: a list and `more`.
fn settings(map: &str, more: &str) -> String {
    let map = serde_json::Value::from(map);
    format!("{{\"map\": {map}{more}}}")
}

#[track_caller]
fn policy(map: &str, more: &str) -> LocalMap {
    configure(&settings(map, more)).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// An answer in short: `host,host:port as IDENTITY`, `unknown-user` or `pass`.
#[track_caller]
fn answer(policy: &LocalMap, address: &str) -> String {
    let host = Double::new();
    let answer = policy.route(&lookup(address), &host).expect("an answer");
    assert!(host.searches().is_empty() && host.lines().is_empty() && host.reads().is_empty());
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
        Some(port) if target.host.contains(':') => format!("[{}]:{port}", target.host),
        Some(port) => format!("{}:{port}", target.host),
        None => target.host.clone(),
    });
    let identity = route.identity.map(|identity| format!(" as {identity}")).unwrap_or_default();
    targets.collect::<Vec<_>>().join(",") + &identity
}

const LIST: &str = r"
# who                                  where                      as whom
user1@example.test                     10.0.0.1
User2@Example.test	mail2:143,[2001:db8::1]:143
user3@example.test                     mail3                      user3@old.test
user1+lists@example.test               lists
/(.*)\.(north|south)@example\.test/    $2.example.test            $1@example.test
/(?<who>[a-z]+)-(\d+)@example\.test/   store${2}.example.test:24,spare   ${who}$$${1}@x
/user.*@example\.test/                 mail9
/.*@other\.test/                       mail8
";

#[test]
fn addresses_and_expressions() {
    let policy = policy(LIST, "");
    for (address, expected) in [
        ("user1@example.test", "10.0.0.1"),
        ("USER1@example.test", "10.0.0.1"),
        ("user2@example.test", "mail2:143,[2001:db8::1]:143"),
        ("user3@example.test", "mail3 as user3@old.test"),
        // The address before the one without its tag, both before expressions.
        ("user1+lists@example.test", "lists"),
        ("user1+other@example.test", "10.0.0.1"),
        ("user3+tag@example.test", "mail3 as user3@old.test"),
        // Expressions in their order, on the address as it was given.
        ("jo.north@example.test", "north.example.test as jo@example.test"),
        ("Jo.SOUTH@example.test", "south.example.test as Jo@example.test"),
        ("jo.west@example.test", "unknown-user"),
        ("user-12@example.test", "store12.example.test:24,spare as user$user@x"),
        ("user4@example.test", "mail9"),
        ("user4+tag@example.test", "mail9"),
        ("anybody@other.test", "mail8"),
        // The whole address must match.
        ("anybody@other.test.example", "unknown-user"),
        ("x@example.test", "unknown-user"),
        ("x@other.test@example.test", "unknown-user"),
    ] {
        assert_eq!(answer(&policy, address), expected, "{address}");
    }
    let recipient = policy.route(&ask(Purpose::Recipient, "user1@example.test"), &Double::new());
    assert_eq!(recipient, policy.route(&lookup("user1@example.test"), &Double::new()));
}

#[test]
fn what_is_not_in_the_list() {
    assert_eq!(answer(&policy("", ""), "a@b.test"), "unknown-user");
    assert_eq!(answer(&policy("", r#", "no-entry": "refuse""#), "a@b.test"), "unknown-user");
    assert_eq!(answer(&policy("", r#", "no-entry": "pass""#), "a@b.test"), "pass");
}

#[test]
fn case_and_tags_can_matter() {
    let more = r#", "case-sensitive": true, "recipient-delimiter": "-""#;
    let policy = policy("User@EXAMPLE.test m1\n/Any.*@example\\.test/ m2", more);
    for (address, expected) in [
        ("User@example.test", "m1"),
        ("User-tag@example.test", "m1"),
        ("User+tag@example.test", "unknown-user"),
        ("user@example.test", "unknown-user"),
        ("Anybody@example.test", "m2"),
        ("anybody@example.test", "unknown-user"),
    ] {
        assert_eq!(answer(&policy, address), expected, "{address}");
    }
}

/// What a client chose is part of a host's name and of nothing else.
#[test]
fn a_client_cannot_write_a_host() {
    let policy = policy("/(.*)@example\\.test/ $1.store.test:143,spare\n/.*/ other", "");
    assert_eq!(answer(&policy, "a.b-c@example.test"), "a.b-c.store.test:143,spare");
    for local_part in [
        "evil:25",
        "evil,evil",
        "evil.test:25,x",
        "[::1]",
        "a/b",
        "a@b",
        "a b",
        "-a",
        "a..b",
        ".a",
        "ü",
        "a$1",
        "a_b",
        "",
    ] {
        let address = format!("{local_part}@example.test");
        assert_eq!(answer(&policy, &address), "other", "{address}");
    }
    let long = format!("{}@example.test", "a".repeat(64));
    assert_eq!(answer(&policy, &long), "other");
}

#[test]
fn an_identity_is_a_name() {
    let policy = policy("/(a?)(b*)@example\\.test/ m $1\n/(c+)@.*/ m $1$1$1$1$1$1$1$1", "");
    assert_eq!(answer(&policy, "a@example.test"), "m as a");
    assert_eq!(answer(&policy, "b@example.test"), "unknown-user");
    assert_eq!(answer(&policy, "ccc@x.test"), format!("m as {}", "c".repeat(24)));
    assert_eq!(answer(&policy, &format!("{}@x.test", "c".repeat(65))), "unknown-user");
}

#[test]
fn every_bad_line_is_a_problem_with_its_number() {
    let list = "a@b.test\n\nc@b.test m 1 2\nd@b.test m:x\na@b.test m\nA@B.test n\n/(/ m\n\
                /(.)/ $2\n/(.)/ $x\n/(.)/ ${1\n/./ ${x}\n/(.)/ [$1]\n/(.)/ $1:0\n/(.)/ $1,[::1]\n\
                /(.)/ $1,\n/a)|(b/ m\n/(?=a)/ m\n/./ a:b\n/./ m $\nno m\n/(.)/ $1:25:25\n/(.)/ $$";
    let expected = [
        "line 1: a host was expected behind the address or pattern",
        "line 3: the end of the line was expected, here is \"2\"",
        "line 4: \"m:x\": this is not a port: 1 to 65535 is",
        "line 6: a@b.test is listed on line 5 already",
        "line 7: the pattern: ",
        "line 8: \"$2\": the pattern has no group \"2\"",
        "line 9: \"$x\": behind $ a number, a name in braces or another $ was expected",
        "line 10: \"${1\": } is missing",
        "line 11: \"${x}\": the pattern has no group \"x\"",
        "line 12: \"[$1]\": this makes neither a host name nor an address",
        "line 13: \"$1:0\": this makes neither a host name nor an address",
        "line 14: \"[::1]\": an IPv6 address cannot stand beside $",
        "line 15: \"\": a host name or an address is missing",
        "line 16: the pattern: ",
        "line 17: the pattern: ",
        "line 18: \"a:b\": this is not a port: 1 to 65535 is",
        "line 19: \"$\": behind $ a number, a name in braces or another $ was expected",
        "line 20: an address, or a pattern without spaces between slashes, was expected, here is \
         \"no\"",
        "line 21: \"$1:25:25\": this makes neither a host name nor an address",
        "line 22: \"$$\": this makes neither a host name nor an address",
    ];
    let found = problems::<LocalMap>(&settings(list, ""));
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(&format!("/map: {expected}")), "{found}");
    }
}

#[test]
fn bad_settings() {
    for (json, expected) in [
        ("{}", "/map: this setting is required"),
        (r#"{"map": {}}"#, "/map: a string was expected, here is a table"),
        (
            r#"{"map": "", "no-entry": "ignore"}"#,
            "/no-entry: \"refuse\" or \"pass\" was expected, here is \"ignore\"",
        ),
        (r#"{"map": "", "maps": ""}"#, "/maps: there is no such setting"),
    ] {
        assert_eq!(problems::<LocalMap>(json), [expected], "{json}");
    }
}

#[test]
fn problems_and_patterns_are_limited() {
    assert_eq!(problems::<LocalMap>(&settings(&"bad\n".repeat(1000), "")).len(), 64);
    let most = "/a/ m\n".repeat(MOST_PATTERNS);
    assert_eq!(problems::<LocalMap>(&settings(&most, "")), [""; 0]);
    let more = problems::<LocalMap>(&settings(&(most + "/a/ m"), ""));
    assert_eq!(more, ["/map: line 1001: more than 1000 patterns"]);
    let huge = problems::<LocalMap>(&settings("/(a{1000}){1000}/ m", ""));
    assert!(huge[0].starts_with("/map: line 1: the pattern: "), "{huge:?}");
    let deep = format!("/{}a{}/ m", "(".repeat(100), ")".repeat(100));
    let deep = problems::<LocalMap>(&settings(&deep, ""));
    assert!(deep[0].starts_with("/map: line 1: the pattern: "), "{deep:?}");
}

#[test]
fn a_long_list_is_found_in() {
    let mut list = String::new();
    for user in 0..100_000 {
        list += &format!("user{user}@example.test mail{}.example.test\n", user % 7);
    }
    let policy = policy(&list, "");
    for user in [0, 1, 4711, 99_999] {
        let expected = format!("mail{}.example.test", user % 7);
        assert_eq!(answer(&policy, &format!("user{user}@example.test")), expected);
    }
    assert_eq!(answer(&policy, "user100000@example.test"), "unknown-user");
}

proptest! {
    #[test]
    fn any_list_is_read_or_explained(list in "([a-z@/.$(){}:,# ]{0,20}\n){0,8}", user in "[ -~]{1,20}") {
        if let Ok(policy) = configure::<LocalMap>(&settings(&list, "")) {
            let answer = answer(&policy, &format!("{user}@example.test"));
            prop_assert!(!answer.is_empty());
        }
    }
}

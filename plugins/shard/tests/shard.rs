//! How mailboxes spread over shards, and which of them move.

use std::collections::BTreeMap;

use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, proptest};
use proptest::{collection, sample};
use shard::{Shard, draw};
use waypost_sdk::testing::{Double, ask, configure, lookup, problems};
use waypost_sdk::{Decision, Policy, Purpose, Verification};

/// A policy with these shards, each with its weight and a host of its own name, and `more` settings.
#[track_caller]
fn policy(shards: &[(&str, u32)], more: &str) -> Shard {
    let shards: Vec<_> = shards
        .iter()
        .map(|(name, weight)| format!(r#""{name}": {{"hosts": "{name}", "weight": {weight}}}"#))
        .collect();
    let json = format!(r#"{{"shards": {{{}}}{more}}}"#, shards.join(","));
    configure(&json).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The hosts, in order.
#[track_caller]
fn hosts(policy: &Shard, address: &str) -> Vec<String> {
    let host = Double::new();
    let answer = policy.route(&lookup(address), &host).expect("an answer");
    assert!(host.searches().is_empty() && host.lines().is_empty() && host.reads().is_empty());
    let Decision::Route(route) = answer.decision else { panic!("{answer:?}") };
    assert_eq!((route.identity, route.verification), (None, Verification::ByBackend));
    route.targets.into_iter().map(|target| target.host).collect()
}

#[track_caller]
fn host(policy: &Shard, address: &str) -> String {
    hosts(policy, address).remove(0)
}

fn users(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|user| format!("user{user}@example.test"))
}

#[test]
fn the_highest_draw_has_the_mailbox() {
    let policy = policy(&[("store1", 1), ("store2", 3), ("store3", 2)], "");
    for user in users(200) {
        let draws = [("store1", 1), ("store2", 3), ("store3", 2)].map(|(name, weight)| {
            let draws = (0..weight).map(|i| draw(user.as_bytes(), name.as_bytes(), i));
            (draws.max(), name)
        });
        let highest = draws.into_iter().max().expect("three");
        assert_eq!(host(&policy, &user), highest.1);
    }
}

/// Where mailboxes live must not change between versions: this is what an operator relies on.
#[test]
fn mailboxes_stay_where_they_are() {
    let policy = policy(&[("store1", 1), ("store2", 1), ("store3", 2)], "");
    let placed: Vec<_> = users(12).map(|user| host(&policy, &user)).collect();
    assert_eq!(
        placed,
        [
            "store3", "store1", "store3", "store3", "store3", "store3", "store3", "store3",
            "store2", "store2", "store2", "store2"
        ]
    );
}

#[test]
fn shares_follow_weights() {
    let shards = [("a", 1), ("b", 1), ("c", 2), ("d", 6)];
    let policy = policy(&shards, "");
    let mut counts = BTreeMap::new();
    let total = 20_000;
    for user in users(total) {
        *counts.entry(host(&policy, &user)).or_insert(0_u32) += 1;
    }
    for (name, weight) in shards {
        let share = f64::from(weight) / 10.0;
        let expected = share * total as f64;
        // Five standard deviations of a fair draw.
        let tolerance = 5.0 * (expected * (1.0 - share)).sqrt();
        let found = f64::from(counts[name]);
        assert!((found - expected).abs() < tolerance, "{name}: {found}, expected {expected}");
    }
}

#[test]
fn neither_tag_nor_case_nor_purpose_parts_a_mailbox() {
    let shards = [("a", 1), ("b", 1), ("c", 1), ("d", 1)];
    let usual = policy(&shards, "");
    let exact = policy(&shards, r#", "case-sensitive": true, "recipient-delimiter": """#);
    let differs = |policy: &Shard, other: &dyn Fn(&str) -> String| {
        users(64).any(|user| host(policy, &user) != host(policy, &other(&user)))
    };
    let with_tag = |user: &str| user.replace('@', "+tag@");
    let in_capitals = |user: &str| user.replace("user", "USER");
    assert!(!differs(&usual, &with_tag) && !differs(&usual, &in_capitals));
    assert!(differs(&exact, &with_tag) && differs(&exact, &in_capitals));
    for user in users(16) {
        let recipient = usual.route(&ask(Purpose::Recipient, &user), &Double::new());
        assert_eq!(recipient, usual.route(&lookup(&user), &Double::new()));
    }
}

#[test]
fn what_is_hashed_can_be_chosen() {
    let shards = [("a", 1), ("b", 1), ("c", 1), ("d", 1)];
    let by_domain = policy(&shards, r#", "by": "domain""#);
    let by_user = policy(&shards, r#", "by": "local-part""#);
    let one = host(&by_domain, "user0@example.test");
    assert!(users(64).all(|user| host(&by_domain, &user) == one));
    let domains = |policy| (0..64).map(move |n| host(policy, &format!("user@d{n}.test")));
    let elsewhere = host(&by_user, "user@example.test");
    assert!(domains(&by_user).all(|host| host == elsewhere));
    assert!(domains(&by_domain).any(|host| host != one));
    assert!(users(64).any(|user| host(&by_user, &user) != elsewhere));
}

#[test]
fn copies_are_the_next_choices() {
    let shards = [("a", 1), ("b", 2), ("c", 1)];
    let one = policy(&shards, "");
    let three = policy(&shards, r#", "copies": 3"#);
    for user in users(100) {
        let all = hosts(&three, &user);
        assert_eq!((all.len(), &all[0]), (3, &host(&one, &user)));
        // Without the first, the second is the first.
        let rest: Vec<_> = shards.into_iter().filter(|(name, _)| *name != all[0]).collect();
        assert_eq!(host(&policy(&rest, ""), &user), all[1]);
    }
}

#[test]
fn a_shard_may_have_several_hosts_and_share_them() {
    let json = r#"{"shards": {"a": {"hosts": ["m1:143", "m2"]}, "b": {"hosts": "m2,m3"}},
        "copies": 2}"#;
    let policy: Shard = configure(json).expect("good settings");
    for user in users(16) {
        let all = hosts(&policy, &user);
        assert!(all == ["m1", "m2", "m3"] || all == ["m2", "m3", "m1"], "{all:?}");
    }
}

#[test]
fn bad_settings() {
    for (json, expected) in [
        ("{}", "/shards: this setting is required"),
        (r#"{"shards": {}}"#, "/shards: at least one shard was expected, here is none"),
        (r#"{"shards": {"a": {}}}"#, "/shards/a/hosts: this setting is required"),
        (
            r#"{"shards": {"a": {"hosts": "m 1"}}}"#,
            "/shards/a/hosts: \"m 1\": this is neither a host name nor an address",
        ),
        (
            r#"{"shards": {"a": {"hosts": "m", "weight": 0}}}"#,
            "/shards/a/weight: a weight from 1 to 10000 was expected, here is 0",
        ),
        (
            r#"{"shards": {"a": {"hosts": "m", "weight": 9999}, "b": {"hosts": "n", "weight": 2}}}"#,
            "/shards: all weights together are 10001, more than 10000",
        ),
        (
            r#"{"shards": {"a": {"hosts": "m"}}, "copies": 2}"#,
            "/copies: 1 to 1 were expected, one shard for each copy",
        ),
        (
            r#"{"shards": {"a": {"hosts": "m"}}, "copies": 0}"#,
            "/copies: 1 to 1 were expected, one shard for each copy",
        ),
        (
            r#"{"shards": {"a": {"hosts": "m"}}, "by": "user"}"#,
            "/by: \"address\" or \"local-part\" or \"domain\" was expected, here is \"user\"",
        ),
        (r#"{"shards": {"a": {"hosts": "m"}}, "more": 1}"#, "/more: there is no such setting"),
    ] {
        assert_eq!(problems::<Shard>(json), [expected], "{json}");
    }
    let hosts = |name| (0..9).map(|n| format!("{name}{n}")).collect::<Vec<_>>().join(",");
    let json = format!(
        r#"{{"shards": {{"a": {{"hosts": "{}"}}, "b": {{"hosts": "{}"}}}}, "copies": 2}}"#,
        hosts("a"),
        hosts("b")
    );
    assert_eq!(
        problems::<Shard>(&json),
        ["/copies: the hosts of so many shards can be 18, more than 16"]
    );
}

/// Between one and eight shards with weights.
fn shards() -> impl Strategy<Value = BTreeMap<String, u32>> {
    let name = sample::select(vec!["a", "b", "c", "store1", "store2", "store10", "x", "north"]);
    collection::btree_map(name.prop_map(str::to_owned), 1..20_u32, 1..8)
}

fn of(shards: &BTreeMap<String, u32>) -> Shard {
    let list: Vec<_> = shards.iter().map(|(name, weight)| (name.as_str(), *weight)).collect();
    policy(&list, "")
}

proptest! {
    #[test]
    fn a_new_shard_moves_mailboxes_to_itself_only(before in shards(), weight in 1..20_u32) {
        let mut after = before.clone();
        after.insert("new".into(), weight);
        let (before, after) = (of(&before), of(&after));
        for user in users(100) {
            let now = host(&after, &user);
            prop_assert!(now == "new" || now == host(&before, &user));
        }
    }

    #[test]
    fn a_shard_that_goes_moves_its_own_mailboxes_only(before in shards()) {
        let gone = before.keys().next().cloned().unwrap_or_default();
        let mut after = before.clone();
        if after.len() > 1 {
            after.remove(&gone);
            let (before, after) = (of(&before), of(&after));
            for user in users(100) {
                let then = host(&before, &user);
                prop_assert!(then == gone || then == host(&after, &user));
            }
        }
    }

    #[test]
    fn more_weight_only_draws_in(before in shards(), more in 1..20_u32) {
        let grown = before.keys().next().cloned().unwrap_or_default();
        let mut after = before.clone();
        after.entry(grown.clone()).and_modify(|weight| *weight += more);
        let (before, after) = (of(&before), of(&after));
        for user in users(100) {
            let now = host(&after, &user);
            prop_assert!(now == grown || now == host(&before, &user));
        }
    }

    #[test]
    fn any_address_has_one_place(local in "[^@\\p{C}]{1,40}", domain in "[a-z]{1,10}\\.test") {
        let policy = policy(&[("a", 1), ("b", 2)], "");
        let address = format!("{local}@{domain}");
        prop_assert_eq!(host(&policy, &address), host(&policy, &address));
    }
}

//! What is kept, for how long, and for whom.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use crate::world::{
    Amend, Scripted, World, context, failure, fault, from, lookup, pass, pass_time, refuse, route,
    table, told,
};
use waypost_model::{Context, ContextField, Failure, Fault, Protocol, Purpose, Refusal};
use waypost_routing::{OnFault, Settings};

#[tokio::test(start_paused = true)]
async fn a_route_is_kept_for_the_operators_time() {
    let policy = Scripted::always("ldap", route("north.test"));
    let world = World::new(&[&policy]);
    assert_eq!(world.resolve("user1").await, "north.test by ldap fresh");
    pass_time(59).await;
    assert_eq!(world.resolve("user1").await, "north.test by ldap cached");
    pass_time(1).await;
    assert_eq!(world.resolve("user1").await, "north.test by ldap fresh");
    assert_eq!(policy.asked(), 2);
    assert_eq!(world.metric(r#"waypost_routing_lookups_total{result="route",source="cached"}"#), 1);
}

#[tokio::test(start_paused = true)]
async fn a_route_is_kept_for_the_policys_time() {
    let policy = Scripted::always("ldap", route("north.test").cached_for(5));
    let world = World::new(&[&policy]);
    world.resolve("user1").await;
    pass_time(4).await;
    assert_eq!(world.resolve("user1").await, "north.test by ldap cached");
    pass_time(1).await;
    assert_eq!(world.resolve("user1").await, "north.test by ldap fresh");
}

#[tokio::test(start_paused = true)]
async fn no_policy_keeps_a_route_for_longer_than_a_day() {
    let policy = Scripted::always("ldap", route("north.test").cached_for(u64::from(u32::MAX)));
    let world = World::new(&[&policy]);
    world.resolve("user1").await;
    pass_time(24 * 3600).await;
    assert_eq!(world.resolve("user1").await, "north.test by ldap fresh");
}

#[tokio::test(start_paused = true)]
async fn a_route_that_is_not_to_be_kept_is_not_kept_as_stale_either() {
    let policy = Scripted::always("ldap", route("north.test").cached_for(0));
    let world = World::new(&[&policy]);
    world.resolve("user1").await;
    assert_eq!(world.resolve("user1").await, "north.test by ldap fresh");
    policy.says(crate::world::unavailable());
    assert_eq!(world.resolve("user1").await, "temporary by ldap: directory-unavailable");
}

#[tokio::test(start_paused = true)]
async fn who_read_the_time_is_kept_only_for_a_time_that_the_policy_names() {
    let read_time = || route("north.test").having_read(&[ContextField::Now]);
    let policy = Scripted::always("ldap", read_time());
    let world = World::new(&[&policy]);
    world.resolve("user1").await;
    assert_eq!(world.resolve("user1").await, "north.test by ldap fresh");
    policy.says(read_time().cached_for(5));
    world.resolve("user1").await;
    assert_eq!(world.resolve("user1").await, "north.test by ldap cached");
}

#[tokio::test(start_paused = true)]
async fn a_no_is_kept_for_thirty_seconds_whatever_the_policy_says() {
    for no in [refuse(Refusal::UnknownUser), refuse(Refusal::UnknownUser).cached_for(3600)] {
        let policy = Scripted::always("ldap", no);
        let world = World::new(&[&policy]);
        world.resolve("user1").await;
        pass_time(29).await;
        assert_eq!(world.resolve("user1").await, "unknown-user by ldap cached");
        pass_time(1).await;
        assert_eq!(world.resolve("user1").await, "unknown-user by ldap fresh");
    }
}

#[tokio::test(start_paused = true)]
async fn neither_failures_nor_faults_are_kept() {
    for trouble in [failure(Failure::Ambiguous(2)), fault(Fault::Cpu)] {
        let policy = Scripted::always("ldap", trouble);
        let world = World::new(&[&policy]);
        world.resolve("user1").await;
        policy.says(route("north.test"));
        assert_eq!(world.resolve("user1").await, "north.test by ldap fresh");
    }
}

#[tokio::test(start_paused = true)]
async fn a_decision_without_the_directory_is_never_kept() {
    for said in [route("fallback.test"), refuse(Refusal::UnknownUser), pass()] {
        let policy = Scripted::always("ldap", said.cached_for(60).degraded());
        let world = World::new(&[&policy]);
        world.resolve("user1").await;
        policy.says(route("north.test"));
        assert_eq!(world.resolve("user1").await, "north.test by ldap fresh");
    }
}

#[tokio::test(start_paused = true)]
async fn who_was_deleted_is_not_kept_as_stale() {
    let policy = Scripted::always("ldap", route("north.test"));
    let world = World::new(&[&policy]);
    world.resolve("user1").await;
    pass_time(60).await;
    policy.says(refuse(Refusal::UnknownUser));
    assert_eq!(world.resolve("user1").await, "unknown-user by ldap fresh");
    pass_time(30).await;
    policy.says(crate::world::unavailable());
    assert_eq!(world.resolve("user1").await, "temporary by ldap: directory-unavailable");
}

#[tokio::test(start_paused = true)]
async fn who_was_created_is_found_after_the_no() {
    let policy = Scripted::always("ldap", refuse(Refusal::UnknownUser));
    let world = World::new(&[&policy]);
    world.resolve("user1").await;
    policy.says(route("north.test"));
    pass_time(30).await;
    assert_eq!(world.resolve("user1").await, "north.test by ldap fresh");
    assert_eq!(world.resolve("user1").await, "north.test by ldap cached");
    assert_eq!(world.metric(r#"waypost_routing_cache_entries{space="negatives"}"#), 0);
}

#[tokio::test(start_paused = true)]
async fn addresses_purposes_and_policies_do_not_share() {
    let policy = Scripted::new("ldap", |lookup, _| match lookup.purpose {
        Purpose::Login => route(&format!("{}.login.test", lookup.address.local_part())),
        Purpose::Recipient => route("recipient.test"),
        Purpose::Identify => pass(),
    });
    let world = World::new(&[&policy]);
    let context = Arc::new(context());
    for _fresh_then_cached in 0..2 {
        for (purpose, user, expected) in [
            (Purpose::Login, "user1", "user1.login.test by"),
            (Purpose::Login, "user2", "user2.login.test by"),
            (Purpose::Recipient, "user1", "recipient.test by"),
            (Purpose::Identify, "user1", "unknown"),
        ] {
            let told = told(&world.resolution(&lookup(purpose, user), &context).await);
            assert!(told.starts_with(expected), "{told}");
        }
    }
    assert_eq!(policy.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_what_an_unchanged_policy_decided_and_nothing_else() {
    let policy = Scripted::with_identity("ldap", "one", |_, _| route("north.test"));
    let mut world = World::new(&[&policy]);
    world.resolve("user1").await;

    let renamed = Scripted::with_identity("directory", "one", |_, _| route("south.test"));
    world.table = table(&[&renamed], OnFault::Defer);
    assert_eq!(world.resolve("user1").await, "north.test by directory cached");

    let changed = Scripted::with_identity("ldap", "two", |_, _| route("south.test"));
    world.table = table(&[&changed], OnFault::Defer);
    assert_eq!(world.resolve("user1").await, "south.test by ldap fresh");
}

#[tokio::test(start_paused = true)]
async fn what_a_decision_read_of_the_client_must_be_the_same() {
    let policy = Scripted::new("ldap", |_, context| {
        let host = format!("{}.test", context.protocol);
        route(&host).having_read(&[ContextField::Protocol])
    });
    let world = World::new(&[&policy]);
    let imap = from(1);
    let pop3 = Arc::new(Context { protocol: Protocol::Pop3, ..context() });
    assert_eq!(world.resolve_for("user1", &imap).await, "imap.test by ldap fresh");
    assert_eq!(world.resolve_for("user1", &pop3).await, "pop3.test by ldap fresh");
    assert_eq!(world.resolve_for("user1", &imap).await, "imap.test by ldap cached");
    assert_eq!(world.resolve_for("user1", &pop3).await, "pop3.test by ldap cached");
    assert_eq!(world.resolve_for("user1", &from(2)).await, "imap.test by ldap cached");
}

#[tokio::test(start_paused = true)]
async fn a_new_decision_replaces_what_the_same_client_would_have_found() {
    let policy = Scripted::always("ldap", route("north.test").cached_for(600));
    let world = World::new(&[&policy]);
    world.resolve("user1").await;
    pass_time(2).await;
    let by_address = route("south.test").having_read(&[ContextField::ClientAddress]);
    policy.says(by_address);
    assert_eq!(world.renew("user1").await, "changed: south.test by ldap fresh");
    assert_eq!(world.resolve("user1").await, "south.test by ldap cached");
    assert_eq!(world.resolve_for("user1", &from(9)).await, "south.test by ldap fresh");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_addresses_displaces_no_route() {
    let policy = Scripted::new("ldap", |lookup, _| match lookup.address.local_part() {
        "user1" => route("north.test").cached_for(3600),
        _ => refuse(Refusal::UnknownUser),
    });
    let size = |size| NonZeroUsize::new(size).unwrap();
    let settings = Settings { routes: size(4), negatives: size(16), ..Settings::default() };
    let world = World::with(&[&policy], OnFault::Defer, settings);
    world.resolve("user1").await;
    for number in 0..1000 {
        world.resolve(&format!("nobody{number}")).await;
    }
    assert_eq!(world.resolve("user1").await, "north.test by ldap cached");
    assert_eq!(world.metric(r#"waypost_routing_cache_entries{space="negatives"}"#), 16);
    let evictions = world.metric(r#"waypost_routing_cache_evictions_total{space="negatives"}"#);
    assert_eq!(evictions, 1000 - 16);
}

#[tokio::test(start_paused = true)]
async fn without_a_time_nothing_is_kept_that_no_policy_asked_to_be_kept() {
    let policy = Scripted::always("ldap", route("north.test"));
    let settings = Settings { cache_for: Duration::ZERO, ..Settings::default() };
    let world = World::with(&[&policy], OnFault::Defer, settings);
    world.resolve("user1").await;
    assert_eq!(world.resolve("user1").await, "north.test by ldap fresh");
    policy.says(route("north.test").cached_for(5));
    world.resolve("user1").await;
    assert_eq!(world.resolve("user1").await, "north.test by ldap cached");
}

//! Known users while the directory cannot be asked.

use std::time::Duration;

use crate::world::{
    Amend, Scripted, World, defer, failure, fault, pass, pass_time, refuse, route, settle,
    unavailable,
};
use waypost_model::{Consultation, Failure, Fault, Refusal};
use waypost_routing::{OnFault, Settings};

/// A world in which user1 was routed to north an hour's cache time ago.
async fn known_user() -> (std::sync::Arc<Scripted>, World) {
    let policy = Scripted::always("ldap", route("north.test"));
    let world = World::new(&[&policy]);
    world.resolve("user1").await;
    pass_time(60).await;
    (policy, world)
}

#[tokio::test(start_paused = true)]
async fn a_known_user_goes_by_the_stale_route_and_an_unknown_one_waits() {
    let (policy, world) = known_user().await;
    policy.says(unavailable());
    assert_eq!(world.resolve("user1").await, "north.test by ldap stale");
    assert_eq!(world.resolve("user2").await, "temporary by ldap: directory-unavailable");
    assert_eq!(world.metric(r#"waypost_routing_stale_uses_total{policy="ldap"}"#), 1);
}

#[tokio::test(start_paused = true)]
async fn the_plugins_word_alone_is_enough() {
    let (policy, world) = known_user().await;
    policy.says(failure(Failure::DirectoryUnavailable));
    assert_eq!(world.resolve("user1").await, "north.test by ldap stale");
}

#[tokio::test(start_paused = true)]
async fn a_stale_route_wins_over_any_decision_without_the_directory() {
    let without: [Consultation; 5] = [
        route("fallback.test").degraded(),
        refuse(Refusal::UnknownUser).degraded(),
        pass().degraded(),
        failure(Failure::BadData("nothing".into())).degraded(),
        fault(Fault::Deadline).degraded(),
    ];
    for said in without {
        let (policy, world) = known_user().await;
        policy.says(said);
        assert_eq!(world.resolve("user1").await, "north.test by ldap stale");
    }
}

#[tokio::test(start_paused = true)]
async fn a_decision_without_the_directory_is_for_whom_nothing_is_known_of() {
    let (policy, world) = known_user().await;
    policy.says(route("fallback.test").degraded());
    assert_eq!(world.resolve("user2").await, "fallback.test by ldap fresh degraded");
}

#[tokio::test(start_paused = true)]
async fn a_stale_route_is_not_for_other_failures_and_faults() {
    for trouble in [failure(Failure::Ambiguous(2)), fault(Fault::Cpu), fault(Fault::Deadline)] {
        let (policy, world) = known_user().await;
        policy.says(trouble);
        let told = world.resolve("user1").await;
        assert!(told.starts_with("temporary"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_saturated_by_a_hanging_directory_counts_as_unavailable() {
    let (policy, world) = known_user().await;
    policy.says(unavailable());
    world.resolve("user2").await;
    policy.says(fault(Fault::Saturated));
    assert_eq!(world.resolve("user1").await, "north.test by ldap stale");
}

#[tokio::test(start_paused = true)]
async fn a_route_is_stale_for_an_hour_after_its_time() {
    let (policy, world) = known_user().await;
    policy.says(unavailable());
    pass_time(3599).await;
    assert_eq!(world.resolve("user1").await, "north.test by ldap stale");
    pass_time(1).await;
    assert_eq!(world.resolve("user1").await, "temporary by ldap: directory-unavailable");
}

#[tokio::test(start_paused = true)]
async fn behind_a_deferral_there_is_no_stale_route() {
    let (policy, world) = known_user().await;
    policy.says(defer("being moved"));
    assert_eq!(world.resolve("user1").await, "temporary by ldap: deferred");
    policy.says(route("south.test"));
    assert_eq!(world.resolve("user1").await, "temporary by ldap: deferred", "for a while");
    pass_time(30).await;
    policy.says(unavailable());
    assert_eq!(world.resolve("user1").await, "temporary by ldap: directory-unavailable");
}

#[tokio::test(start_paused = true)]
async fn stale_routes_can_be_switched_off() {
    let policy = Scripted::always("ldap", route("north.test"));
    let settings = Settings { stale_for: Duration::ZERO, ..Settings::default() };
    let world = World::with(&[&policy], OnFault::Defer, settings);
    world.resolve("user1").await;
    pass_time(60).await;
    policy.says(unavailable());
    assert_eq!(world.resolve("user1").await, "temporary by ldap: directory-unavailable");
}

#[tokio::test(start_paused = true)]
async fn a_route_in_its_time_is_not_stale() {
    let policy = Scripted::always("ldap", route("north.test"));
    let world = World::new(&[&policy]);
    world.resolve("user1").await;
    policy.says(unavailable());
    pass_time(59).await;
    assert_eq!(world.resolve("user1").await, "north.test by ldap cached");
}

#[tokio::test(start_paused = true)]
async fn once_the_directory_counts_as_down_nobody_waits_for_it() {
    let (policy, world) = known_user().await;
    policy.says(unavailable());
    for user in ["a", "b", "c"] {
        world.resolve(user).await;
    }
    policy.hold();
    // Would wait for the policy's deadline if it asked.
    assert_eq!(world.resolve("user1").await, "north.test by ldap stale");
    assert_eq!(policy.asked(), 4);

    // A second later somebody is sent to look, and nobody waits for that either.
    pass_time(1).await;
    assert_eq!(world.resolve("user1").await, "north.test by ldap stale");
    assert_eq!(world.resolve("user1").await, "north.test by ldap stale");
    settle().await;
    assert_eq!(policy.asked(), 5);
    policy.release(1);
    settle().await;

    // Back again: the one that was sent finds it out, for everybody.
    pass_time(1).await;
    policy.says(route("south.test"));
    policy.release(100);
    assert_eq!(world.resolve("user1").await, "north.test by ldap stale");
    settle().await;
    assert_eq!(world.resolve("user1").await, "south.test by ldap cached");
}

#[tokio::test(start_paused = true)]
async fn whom_an_earlier_policy_passed_is_known_by_the_later_one() {
    let first = Scripted::always("first", pass());
    let second = Scripted::always("second", route("north.test"));
    let world = World::new(&[&first, &second]);
    world.resolve("user1").await;
    pass_time(60).await;
    first.says(unavailable());
    second.says(unavailable());
    assert_eq!(world.resolve("user1").await, "north.test by second stale");
    assert_eq!(world.resolve("user2").await, "temporary by first: directory-unavailable");
}

#[tokio::test(start_paused = true)]
async fn a_no_is_never_stale() {
    let policy = Scripted::always("ldap", refuse(Refusal::UnknownUser));
    let world = World::new(&[&policy]);
    world.resolve("user1").await;
    pass_time(30).await;
    policy.says(unavailable());
    assert_eq!(world.resolve("user1").await, "temporary by ldap: directory-unavailable");
}

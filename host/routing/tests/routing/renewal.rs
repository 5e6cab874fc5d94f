//! After a back end has rejected what a route led to.

use std::sync::Arc;

use crate::world::{
    Amend, Scripted, World, context, failure, fault, login, pass, pass_time, refuse, route,
    unavailable,
};
use waypost_model::{Failure, Fault, Refusal};
use waypost_routing::{Renewal, Resolution};

/// A world in which user1 was routed to north some seconds ago.
async fn known_user() -> (Arc<Scripted>, World) {
    let policy = Scripted::always("ldap", route("north.test"));
    let world = World::new(&[&policy]);
    world.resolve("user1").await;
    pass_time(10).await;
    (policy, world)
}

#[tokio::test(start_paused = true)]
async fn a_fresh_route_is_not_asked_about_again() {
    let policy = Scripted::always("ldap", route("north.test"));
    let world = World::new(&[&policy]);
    assert_eq!(world.renew("user1").await, "unchanged");
    assert_eq!(policy.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_route_lets_the_rejection_stand() {
    let (policy, world) = known_user().await;
    assert_eq!(world.renew("user1").await, "unchanged");
    assert_eq!(policy.asked(), 2);
    assert_eq!(world.metric(r#"waypost_routing_renewals_total{result="unchanged"}"#), 1);
}

#[tokio::test(start_paused = true)]
async fn a_changed_route_is_tried_and_kept() {
    let (policy, world) = known_user().await;
    policy.says(route("south.test"));
    assert_eq!(world.renew("user1").await, "changed: south.test by ldap fresh");
    assert_eq!(world.resolve("user1").await, "south.test by ldap cached");
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_gone_stays_rejected() {
    for no in [refuse(Refusal::UnknownUser), pass()] {
        let (policy, world) = known_user().await;
        policy.says(no);
        assert_eq!(world.renew("user1").await, "withdrawn");
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_directory_cannot_be_asked_the_answer_is_temporary() {
    for said in [
        unavailable(),
        route("fallback.test").degraded(),
        route("north.test").degraded(),
        refuse(Refusal::UnknownUser).degraded(),
        pass().degraded(),
        failure(Failure::BadData("nothing".into())),
        fault(Fault::Cpu),
    ] {
        let (policy, world) = known_user().await;
        policy.says(said);
        let told = world.renew("user1").await;
        assert!(told.starts_with("temporary: ldap: "), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_route_is_asked_about_again_too() {
    let (policy, world) = known_user().await;
    pass_time(60).await;
    policy.says(unavailable());
    let (user, context) = (login("user1"), Arc::new(context()));
    let Resolution::Route(stale) = world.resolution(&user, &context).await else { panic!() };
    pass_time(2).await;
    let renewal = world.router.renew(&world.table, &user, &context, &stale).await;
    assert!(matches!(renewal, Renewal::Temporary { .. }));
    policy.says(route("south.test"));
    pass_time(2).await;
    let renewal = world.router.renew(&world.table, &user, &context, &stale).await;
    assert!(matches!(renewal, Renewal::Changed(_)));
}

#[tokio::test(start_paused = true)]
async fn a_route_given_without_the_directory_is_asked_about_again_too() {
    let policy = Scripted::always("ldap", route("fallback.test").degraded());
    let world = World::new(&[&policy]);
    assert_eq!(world.renew("user1").await, "temporary: ldap: directory-unavailable");
}

#[tokio::test(start_paused = true)]
async fn wrong_passwords_do_not_hammer_the_directory() {
    let (policy, world) = known_user().await;
    for _ in 0..100 {
        assert_eq!(world.renew("user1").await, "unchanged");
    }
    assert_eq!(policy.asked(), 2);
    pass_time(1).await;
    world.renew("user1").await;
    assert_eq!(policy.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn wrong_passwords_do_not_hammer_a_directory_that_fails() {
    for trouble in [unavailable(), failure(Failure::Ambiguous(2)), fault(Fault::Trap("".into()))] {
        let (policy, world) = known_user().await;
        policy.says(trouble);
        for _ in 0..100 {
            let told = world.renew("user1").await;
            assert!(told.starts_with("temporary"), "{told}");
        }
        assert_eq!(policy.asked(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_that_changed_a_moment_ago_is_told_without_asking() {
    let (policy, world) = known_user().await;
    let (user, context) = (login("user1"), Arc::new(context()));
    let Resolution::Route(old) = world.resolution(&user, &context).await else { panic!() };
    policy.says(route("south.test"));
    world.renew("user1").await;
    let renewal = world.router.renew(&world.table, &user, &context, &old).await;
    assert!(matches!(renewal, Renewal::Changed(_)));
    assert_eq!(policy.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_user_who_moved_to_an_earlier_policy_is_found_there() {
    let first = Scripted::always("first", pass());
    let second = Scripted::always("second", route("north.test"));
    let world = World::new(&[&first, &second]);
    world.resolve("user1").await;
    pass_time(10).await;
    first.says(route("south.test"));
    assert_eq!(world.renew("user1").await, "changed: south.test by first fresh");
}

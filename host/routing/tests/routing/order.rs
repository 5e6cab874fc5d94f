//! Which policy is asked, and what its answer means.

use std::sync::Arc;

use crate::world::{
    Amend, Scripted, World, consultation, context, failure, fault, login, lookup, pass, refuse,
    route, told,
};
use waypost_model::{Failure, Fault, Purpose, Refusal, Trouble};
use waypost_routing::{DomainTable, OnFault, Resolution, Served, Settings};

#[tokio::test]
async fn a_pass_asks_the_next_policy() {
    let first = Scripted::always("first", pass());
    let second = Scripted::always("second", route("north.test"));
    let world = World::new(&[&first, &second]);
    assert_eq!(world.resolve("user1").await, "north.test by second fresh");
}

#[tokio::test]
async fn the_first_that_does_not_pass_decides() {
    let first = Scripted::always("first", refuse(Refusal::DisabledUser));
    let second = Scripted::always("second", route("north.test"));
    let world = World::new(&[&first, &second]);
    assert_eq!(world.resolve("user1").await, "disabled-user by first fresh");
    assert_eq!(second.asked(), 0);
}

#[tokio::test]
async fn when_all_pass_the_user_is_unknown() {
    let (first, second) = (Scripted::always("first", pass()), Scripted::always("second", pass()));
    let world = World::new(&[&first, &second]);
    assert_eq!(world.resolve("user1").await, "unknown fresh");
    assert_eq!(world.resolve("user1").await, "unknown cached");
}

#[tokio::test]
async fn a_failure_never_falls_through() {
    for on_fault in [OnFault::Defer, OnFault::Next] {
        for said in [
            Failure::DirectoryUnavailable,
            Failure::Ambiguous(2),
            Failure::BadData("no host".into()),
            Failure::Misconfigured("no base".into()),
            Failure::Other("tired".into()),
        ] {
            let kind = said.kind();
            let first = Scripted::always("first", failure(said));
            let second = Scripted::always("second", route("north.test"));
            let world = World::with(&[&first, &second], on_fault, Settings::default());
            assert_eq!(world.resolve("user1").await, format!("temporary by first: {kind}"));
            assert_eq!(second.asked(), 0);
        }
    }
}

#[tokio::test]
async fn a_denied_target_never_falls_through() {
    let denied = consultation(Err(Trouble::TargetDenied("evil.test".into())));
    let first = Scripted::always("first", denied);
    let second = Scripted::always("second", route("north.test"));
    let world = World::with(&[&first, &second], OnFault::Next, Settings::default());
    assert_eq!(world.resolve("user1").await, "temporary by first: target-denied");
}

fn faults() -> [Fault; 7] {
    [
        Fault::Trap("unreachable".into()),
        Fault::Cpu,
        Fault::Deadline,
        Fault::Memory,
        Fault::InvalidOutput("no target".into()),
        Fault::Saturated,
        Fault::NotLoaded,
    ]
}

#[tokio::test]
async fn a_fault_is_temporary() {
    for said in faults() {
        let kind = said.kind();
        let first = Scripted::always("first", fault(said));
        let second = Scripted::always("second", route("north.test"));
        let world = World::new(&[&first, &second]);
        assert_eq!(world.resolve("user1").await, format!("temporary by first: {kind}"));
        assert_eq!(second.asked(), 0);
    }
}

#[tokio::test]
async fn on_fault_next_asks_the_next_policy() {
    for said in faults() {
        let first = Scripted::always("first", fault(said));
        let second = Scripted::always("second", route("north.test"));
        let world = World::with(&[&first, &second], OnFault::Next, Settings::default());
        assert_eq!(world.resolve("user1").await, "north.test by second fresh");
    }
}

#[tokio::test]
async fn after_a_fault_a_no_counts_as_temporary() {
    let faulty = Scripted::always("faulty", fault(Fault::Cpu));
    for no in [refuse(Refusal::UnknownUser), refuse(Refusal::Denied), pass()] {
        let second = Scripted::always("second", no);
        let world = World::with(&[&faulty, &second], OnFault::Next, Settings::default());
        assert_eq!(world.resolve("user1").await, "temporary by faulty: cpu");
        let third = Scripted::always("third", pass());
        let world = World::with(&[&faulty, &second, &third], OnFault::Next, Settings::default());
        assert_eq!(world.resolve("user1").await, "temporary by faulty: cpu");
    }
}

#[tokio::test]
async fn a_policy_that_panics_the_host_costs_a_temporary_error() {
    let policy = Scripted::new("first", |_, _| panic!("on purpose"));
    let world = World::new(&[&policy]);
    assert_eq!(world.resolve("user1").await, "temporary by first: other");
    policy.says(route("north.test"));
    assert_eq!(world.resolve("user1").await, "north.test by first fresh");
}

#[tokio::test(start_paused = true)]
async fn no_decision_waits_without_a_deadline() {
    let policy = Scripted::always("first", route("north.test"));
    policy.hold();
    let world = World::new(&[&policy]);
    assert_eq!(world.resolve("user1").await, "temporary by first: deadline");
}

#[tokio::test]
async fn a_domain_that_nobody_serves() {
    let policy = Scripted::always("first", route("north.test"));
    let world = World::new(&[&policy]);
    assert_eq!(world.resolve("user1@other.test").await, "not served");
    assert_eq!(world.resolve("user1@sub.example.test").await, "not served");
}

#[tokio::test]
async fn the_entry_for_any_domain_serves_logins_and_not_recipients() {
    let policy = Scripted::always("any", route("north.test"));
    let pattern = "*".parse().unwrap();
    let served = Served { pattern, policies: vec![policy], on_fault: OnFault::Defer, shadow: None };
    let table = Arc::new(DomainTable::new([served]).unwrap());
    let world = World { table, ..World::new(&[&Scripted::always("other", pass())]) };
    let context = Arc::new(context());
    let login = lookup(Purpose::Login, "user1@other.test");
    assert_eq!(told(&world.resolution(&login, &context).await), "north.test by any fresh");
    let recipient = lookup(Purpose::Recipient, "user1@other.test");
    assert_eq!(told(&world.resolution(&recipient, &context).await), "not served");
}

#[tokio::test]
async fn the_grant_of_targets_travels_with_the_route() {
    let policy = Scripted::always("first", route("north.test"));
    let world = World::new(&[&policy]);
    for _fresh_then_cached in 0..2 {
        let resolution = world.resolution(&login("user1"), &Arc::new(context())).await;
        let Resolution::Route(routed) = resolution else { panic!("no route") };
        assert_eq!(*routed.targets, "10.0.0.0/8");
    }
}

#[tokio::test]
async fn explaining_asks_each_policy_and_leaves_the_cache_alone() {
    let first = Scripted::always("first", pass());
    let second = Scripted::always("second", route("north.test").cached_for(5));
    let world = World::new(&[&first, &second]);
    let (user, context) = (login("user1"), Arc::new(context()));

    let explanation = world.router.explain(&world.table, &user, &context).await;
    assert_eq!(explanation.domain.unwrap().to_string(), "example.test");
    let asked: Vec<_> = explanation.steps.iter().map(|step| &*step.policy).collect();
    assert_eq!(asked, ["first", "second"]);
    assert!(explanation.steps.iter().all(|step| step.known.is_none()));
    assert_eq!(told(&explanation.resolution), "north.test by second fresh");

    assert_eq!(world.resolve("user1").await, "north.test by second fresh");
    let explanation = world.router.explain(&world.table, &user, &context).await;
    assert!(explanation.steps.iter().all(|step| step.known.is_some()));
}

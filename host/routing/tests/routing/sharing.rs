//! Single flight: whoever asks the same waits for the same.

use std::sync::Arc;

use crate::world::{Amend, Scripted, World, from, refuse, route, settle, unavailable};
use tokio::task::JoinHandle;
use waypost_model::{Context, ContextField, Refusal};

/// Asks in tasks of their own, one for each client.
fn ask(world: &Arc<World>, clients: impl IntoIterator<Item = u8>) -> Vec<JoinHandle<String>> {
    let ask = |client| {
        let world = world.clone();
        tokio::spawn(async move { world.resolve_for("user1", &from(client)).await })
    };
    clients.into_iter().map(ask).collect()
}

async fn answers(tasks: Vec<JoinHandle<String>>) -> Vec<String> {
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn many_askers_are_one_decision() {
    for said in [route("north.test"), refuse(Refusal::Denied), unavailable()] {
        let policy = Scripted::always("ldap", said);
        policy.hold();
        let world = Arc::new(World::new(&[&policy]));
        let askers = ask(&world, 0..100);
        settle().await;
        assert_eq!(policy.asked(), 1);
        policy.release(1);
        let answers = answers(askers).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(policy.asked(), 1);
        assert_eq!(world.metric("waypost_routing_flights_total"), 1);
        assert_eq!(world.metric("waypost_routing_flights_shared_total"), 99);
    }
}

#[tokio::test]
async fn the_decision_survives_the_first_askers_hang_up() {
    let policy = Scripted::always("ldap", route("north.test"));
    policy.hold();
    let world = Arc::new(World::new(&[&policy]));
    let mut askers = ask(&world, [1, 2]);
    settle().await;
    askers.remove(0).abort();
    settle().await;
    policy.release(1);
    assert_eq!(answers(askers).await, ["north.test by ldap fresh"]);
    assert_eq!(policy.asked(), 1);
}

#[tokio::test]
async fn a_decision_that_nobody_waits_for_any_more_is_kept() {
    let policy = Scripted::always("ldap", route("north.test"));
    policy.hold();
    let world = Arc::new(World::new(&[&policy]));
    for asker in ask(&world, [1, 2]) {
        settle().await;
        asker.abort();
    }
    policy.release(1);
    settle().await;
    assert_eq!(world.resolve("user1").await, "north.test by ldap cached");
}

#[tokio::test]
async fn a_decision_that_read_the_client_is_shared_only_with_its_like() {
    let policy = Scripted::new("ldap", |_, context: &Context| {
        let host = context.client_address.to_string();
        route(&host).having_read(&[ContextField::ClientAddress])
    });
    policy.hold();
    let world = Arc::new(World::new(&[&policy]));
    let clients = [1, 2, 3, 1, 2, 3, 1, 2, 3];
    let askers = ask(&world, clients);
    settle().await;
    assert_eq!(policy.asked(), 1);
    policy.release(1);
    settle().await;
    // Now it is known to matter where they come from: one decision for each of the other two.
    assert_eq!(policy.asked(), 3);
    policy.release(2);
    let expected: Vec<_> =
        clients.iter().map(|client| format!("192.0.2.{client} by ldap fresh")).collect();
    assert_eq!(answers(askers).await, expected);
}

#[tokio::test]
async fn what_a_decision_reads_may_change_while_others_wait() {
    let policy = Scripted::new("ldap", |_, context: &Context| {
        let last = context.client_address.to_string();
        match &*last {
            "192.0.2.1" => route(&last).having_read(&[ContextField::ClientAddress]),
            _ => route(&last).having_read(&[
                ContextField::ClientAddress,
                ContextField::LoginName,
                ContextField::Listener,
            ]),
        }
    });
    policy.hold();
    let world = Arc::new(World::new(&[&policy]));
    let askers = ask(&world, [1, 2]);
    let other = Arc::new(Context { listener: "other".into(), ..(*from(2)).clone() });
    let world_too = world.clone();
    let third = tokio::spawn(async move { world_too.resolve_for("user1", &other).await });
    settle().await;
    policy.release(10);
    assert_eq!(third.await.unwrap(), "192.0.2.2 by ldap fresh");
    let expected = ["192.0.2.1 by ldap fresh", "192.0.2.2 by ldap fresh"];
    assert_eq!(answers(askers).await, expected);
}

#[test]
fn workers_share_and_the_end_of_one_leaves_no_other_waiting() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let policy = Scripted::always("ldap", route("north.test"));
    policy.hold();
    let world = Arc::new(World::new(&[&policy]));

    let first = runtime();
    first.block_on(async {
        ask(&world, [1]);
        settle().await;
    });
    let second = std::thread::spawn({
        let world = world.clone();
        move || {
            let worker = tokio::runtime::Builder::new_current_thread().enable_all().build();
            worker.unwrap().block_on(async { world.resolve_for("user1", &from(2)).await })
        }
    });
    while world.metric("waypost_routing_flights_shared_total") == 0 {
        std::thread::yield_now();
    }
    drop(first);
    assert_eq!(second.join().unwrap(), "temporary by ldap: other");
    assert_eq!(policy.asked(), 1);
}

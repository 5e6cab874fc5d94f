//! What a shadow sees, what is told of it, and that nobody notices it.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use waypost_model::{Failure, Fault, Refusal};
use waypost_routing::{DomainTable, Metrics, OnFault, Router, Served, Settings};

use crate::world::{
    Amend, Scripted, context, failure, fault, login, pass, refuse, route, settle, told, unavailable,
};

/// A router, and a domain with a shadow.
struct World {
    router: Router,
    table: DomainTable<Scripted>,
    registry: Registry,
}

impl World {
    fn new(policies: &[&Arc<Scripted>], shadow: &Arc<Scripted>) -> Self {
        let mut registry = Registry::default();
        let router = Router::new(Settings::default(), Metrics::register(&mut registry));
        let served = Served {
            pattern: "example.test".parse().unwrap(),
            policies: policies.iter().map(|policy| Arc::clone(policy)).collect(),
            on_fault: OnFault::Defer,
            shadow: Some(shadow.clone()),
        };
        Self { router, table: DomainTable::new([served]).unwrap(), registry }
    }

    async fn resolve(&self, name: &str) -> String {
        told(&self.router.resolve(&self.table, &login(name), &Arc::new(context())).await)
    }

    fn counted(&self, result: &str) -> u64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let line = format!(
            "waypost_routing_shadows_total{{domain=\"example.test\",policy=\"new\",\
             result=\"{result}\"}} "
        );
        let line = text.lines().find_map(|l| l.strip_prefix(&line));
        line.map_or(0, |count| count.parse().unwrap())
    }

    /// Waits until so many were counted in all: shadows are asked on a thread of their own.
    fn wait_for(&self, count: u64) {
        let results = ["same", "different", "trouble", "left-out"];
        let all = || results.iter().map(|result| self.counted(result)).sum::<u64>();
        wait_for(&format!("{count} counted"), || all() == count);
    }
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[tokio::test]
async fn what_a_client_would_notice_is_compared() {
    for (live, shadow, result) in [
        (route("north.test"), route("north.test"), "same"),
        (route("north.test"), route("south.test"), "different"),
        (route("north.test"), refuse(Refusal::UnknownUser), "different"),
        (route("north.test"), pass(), "different"),
        (pass(), pass(), "same"),
        // A domain whose policies all pass has no such user.
        (pass(), refuse(Refusal::UnknownUser), "same"),
        (refuse(Refusal::UnknownUser), pass(), "same"),
        (refuse(Refusal::Denied), refuse(Refusal::DisabledUser), "different"),
        (refuse(Refusal::Other("a".into())), refuse(Refusal::Other("b".into())), "same"),
        (route("north.test"), failure(Failure::BadData("x".into())), "trouble"),
        (route("north.test"), fault(Fault::Trap("x".into())), "trouble"),
    ] {
        let live = Scripted::always("old", live);
        let shadow = Scripted::always("new", shadow);
        let world = World::new(&[&live], &shadow);
        world.resolve("user1").await;
        world.wait_for(1);
        assert_eq!(world.counted(result), 1);
        assert_eq!((live.asked(), shadow.asked()), (1, 1));
    }
}

#[tokio::test]
async fn a_shadow_is_asked_once_for_each_decision_and_not_for_what_is_cached() {
    let live = Scripted::always("old", route("north.test"));
    let shadow = Scripted::always("new", route("north.test"));
    let world = World::new(&[&live], &shadow);
    live.hold();
    let asking: [_; 5] = std::array::from_fn(|_| {
        let (router, table) = (world.router.clone(), &world.table);
        async move { told(&router.resolve(table, &login("user1"), &Arc::new(context())).await) }
    });
    let [a, b, c, d, e] = asking;
    let all = async { tokio::join!(a, b, c, d, e) };
    let release = async {
        settle().await;
        live.release(1);
    };
    let (all, ()) = tokio::join!(all, release);
    assert_eq!(all.0, "north.test by old fresh");
    world.wait_for(1);
    assert_eq!(world.resolve("user1").await, "north.test by old cached");
    live.release(1);
    assert_eq!(world.resolve("user2").await, "north.test by old fresh");
    world.wait_for(2);
    assert_eq!((live.asked(), shadow.asked()), (2, 2));
}

#[tokio::test]
async fn the_whole_domain_has_one_shadow() {
    let first = Scripted::always("first", pass());
    let second = Scripted::always("second", route("north.test"));
    let shadow = Scripted::always("new", route("north.test"));
    let world = World::new(&[&first, &second], &shadow);
    assert_eq!(world.resolve("user1").await, "north.test by second fresh");
    world.wait_for(1);
    assert_eq!((world.counted("same"), shadow.asked()), (1, 1));
}

#[tokio::test]
async fn what_is_only_so_for_the_moment_is_not_compared() {
    let live = Scripted::always("old", unavailable());
    let shadow = Scripted::always("new", route("north.test"));
    let world = World::new(&[&live], &shadow);
    assert!(world.resolve("user1").await.starts_with("temporary by old"));
    live.says(route("north.test"));
    world.resolve("user2").await;
    world.wait_for(1);
    assert_eq!(shadow.asked(), 1);
}

#[tokio::test]
async fn nobody_waits_for_a_shadow_and_few_wait_for_their_turn() {
    let live = Scripted::always("old", route("north.test"));
    let shadow = Scripted::always("new", route("north.test"));
    shadow.hold();
    let world = World::new(&[&live], &shadow);
    for user in 0..200 {
        let said = world.resolve(&format!("user{user}")).await;
        assert_eq!(said, "north.test by old fresh");
    }
    wait_for("all places taken", || shadow.asked() == 8);
    // 8 under way, 64 that wait; the thread may have taken a few before the queue was full.
    let left_out = world.counted("left-out");
    assert!((100..=136).contains(&left_out), "{left_out}");
    assert_eq!(shadow.asked(), 8);
    shadow.release(200);
    world.wait_for(200);
    assert_eq!(world.counted("same"), 200 - left_out);
}

#[tokio::test]
async fn a_shadow_leaves_no_trace_in_the_cache() {
    let live = Scripted::always("old", route("north.test"));
    let shadow = Scripted::always("new", route("south.test").cached_for(3600));
    let world = World::new(&[&live], &shadow);
    world.resolve("user1").await;
    world.wait_for(1);
    // The day on which the shadow takes over: it is asked, and not remembered.
    let served = Served {
        pattern: "example.test".parse().unwrap(),
        policies: vec![shadow.clone()],
        on_fault: OnFault::Defer,
        shadow: None,
    };
    let table = DomainTable::new([served]).unwrap();
    let said = world.router.resolve(&table, &login("user1"), &Arc::new(context())).await;
    assert_eq!(told(&said), "south.test by new fresh");
    assert_eq!(shadow.asked(), 2);
}

#[tokio::test]
async fn an_outage_that_a_shadow_sees_is_nobodys() {
    let live = Scripted::always("old", route("north.test"));
    let shadow = Scripted::always("new", unavailable());
    let world = World::new(&[&live], &shadow);
    for user in 0..5 {
        world.resolve(&format!("user{user}")).await;
    }
    world.wait_for(5);
    assert_eq!(world.counted("trouble"), 5);
    for user in 5..10 {
        assert_eq!(world.resolve(&format!("user{user}")).await, "north.test by old fresh");
    }
}

#[tokio::test]
async fn a_table_that_was_replaced_is_freed_with_its_shadow() {
    let live = Scripted::always("old", route("north.test"));
    let shadow = Scripted::always("new", route("north.test"));
    let world = World::new(&[&live], &shadow);
    world.resolve("user1").await;
    world.wait_for(1);
    let policies = [Arc::downgrade(&live), Arc::downgrade(&shadow)];
    let World { router, table, .. } = world;
    drop((live, shadow, table));
    // The routes that they have decided on are still in the cache.
    let gone = || policies.iter().all(|policy: &Weak<Scripted>| policy.strong_count() == 0);
    wait_for("freed", gone);
    drop(router);
}

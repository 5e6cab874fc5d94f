#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType;
use tokio::time::{Instant, sleep};
use waypost_net::Metrics;
use waypost_net::resolve::{ResolveError, Resolver, ResolverSettings};

use crate::support::{NameServer, PATIENCE, Zone, host, ip, soon};

/// What a resolver says of a name, as text.
async fn addresses(resolver: &Resolver, name: &str) -> Result<Vec<String>, ResolveError> {
    let found = soon(resolver.addresses(&host(name))).await?;
    Ok(found.iter().map(IpAddr::to_string).collect())
}

#[tokio::test]
async fn an_address_is_its_own_address() {
    let server = NameServer::start().await;
    let resolver = server.resolver();
    assert_eq!(addresses(&resolver, "127.0.0.2").await.unwrap(), ["127.0.0.2"]);
    assert_eq!(addresses(&resolver, "[::1]").await.unwrap(), ["::1"]);
    assert_eq!(addresses(&resolver, "::ffff:127.0.0.2").await.unwrap(), ["127.0.0.2"]);
    assert_eq!(server.questions(), 0);
}

#[tokio::test]
async fn both_families_take_turns_in_the_servers_order() {
    let server = NameServer::start().await;
    let records = ["10.0.0.2", "10.0.0.1", "10.0.0.3", "2001:db8::2", "2001:db8::1"];
    server.addresses("north.test", &records, 60);
    let found = addresses(&server.resolver(), "north.test").await.unwrap();
    assert_eq!(found, ["2001:db8::2", "10.0.0.2", "2001:db8::1", "10.0.0.1", "10.0.0.3"]);
}

#[tokio::test]
async fn mapped_addresses_are_ipv4_addresses() {
    let server = NameServer::start().await;
    server.addresses("north.test", &["::ffff:10.0.0.1", "10.0.0.1"], 60);
    assert_eq!(addresses(&server.resolver(), "north.test").await.unwrap(), ["10.0.0.1"]);
}

#[tokio::test]
async fn many_who_ask_at_once_cost_one_question_a_family() {
    let server = NameServer::start().await;
    server.addresses("north.test", &["10.0.0.1"], 60);
    let resolver = server.resolver();
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let resolver = resolver.clone();
            tokio::spawn(async move { addresses(&resolver, "north.test").await })
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap().unwrap(), ["10.0.0.1"]);
    }
    assert_eq!(server.questions(), 2);
}

#[tokio::test]
async fn an_answer_is_kept_for_its_ttl() {
    let server = NameServer::start().await;
    server.addresses("north.test", &["10.0.0.1"], 2);
    let resolver = server.resolver();
    let began = Instant::now();
    assert_eq!(addresses(&resolver, "north.test").await.unwrap(), ["10.0.0.1"]);
    server.addresses("north.test", &["10.0.0.2"], 2);
    while addresses(&resolver, "north.test").await.unwrap() == ["10.0.0.1"] {
        assert!(began.elapsed() < PATIENCE, "the old address was kept");
        sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() >= Duration::from_millis(1500), "{:?}", began.elapsed());
    assert_eq!(server.questions(), 4);
}

#[tokio::test]
async fn the_settings_bound_the_ttl() {
    let server = NameServer::start().await;
    server.addresses("short.test", &["10.0.0.1"], 0);
    server.addresses("long.test", &["10.0.0.1"], 86400);
    let settings = ResolverSettings {
        min_ttl: Duration::from_millis(300),
        max_ttl: Duration::from_millis(300),
        ..server.settings()
    };
    let resolver = Resolver::new(settings, Metrics::default()).unwrap();
    for (name, questions) in [("short.test", 2), ("long.test", 6)] {
        addresses(&resolver, name).await.unwrap();
        addresses(&resolver, name).await.unwrap();
        assert_eq!(server.questions(), questions, "{name}");
        sleep(Duration::from_millis(350)).await;
        addresses(&resolver, name).await.unwrap();
        assert_eq!(server.questions(), questions + 2, "{name}");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_remembered_briefly() {
    let server = NameServer::start().await;
    server.addresses("bare.test", &[], 60);
    let settings =
        ResolverSettings { negative_ttl: Duration::from_millis(300), ..server.settings() };
    let resolver = Resolver::new(settings, Metrics::default()).unwrap();
    assert_eq!(addresses(&resolver, "west.test").await, Err(ResolveError::NoSuchName));
    assert_eq!(addresses(&resolver, "west.test").await, Err(ResolveError::NoSuchName));
    assert_eq!(server.questions(), 2);
    assert_eq!(addresses(&resolver, "bare.test").await, Err(ResolveError::NoAddress));
    server.addresses("west.test", &["10.0.0.1"], 60);
    sleep(Duration::from_millis(350)).await;
    assert_eq!(addresses(&resolver, "west.test").await.unwrap(), ["10.0.0.1"]);
}

#[tokio::test]
async fn a_name_server_that_is_silent_costs_the_deadline_and_not_more() {
    let server = NameServer::start().await;
    server.set("north.test", Zone::Silent);
    let resolver = server.resolver();
    let began = Instant::now();
    assert_eq!(addresses(&resolver, "north.test").await, Err(ResolveError::Timeout));
    let took = began.elapsed();
    assert!(took >= server.settings().deadline && took < PATIENCE / 4, "{took:?}");
    // It is asked more than once in that time, and nobody waits again right away.
    assert!(server.questions() > 2, "{}", server.questions());
    let again = Instant::now();
    assert_eq!(addresses(&resolver, "north.test").await, Err(ResolveError::Timeout));
    assert!(again.elapsed() < Duration::from_millis(500), "{:?}", again.elapsed());
}

#[tokio::test]
async fn a_server_that_swallows_one_family_does_not_delay_the_other() {
    for (kind, address) in [(RecordType::A, "10.0.0.1"), (RecordType::AAAA, "2001:db8::1")] {
        let server = NameServer::start().await;
        server.set("north.test", Zone::OnlyAnswers(kind, vec![ip(address)]));
        let began = Instant::now();
        assert_eq!(addresses(&server.resolver(), "north.test").await.unwrap(), [address]);
        assert!(began.elapsed() < server.settings().deadline, "{:?}", began.elapsed());
    }
}

/// Addresses with a TTL of a moment, so that they have expired when the server's words change.
async fn expired(server: &NameServer, stale_for: Duration) -> Resolver {
    let settings = ResolverSettings {
        min_ttl: Duration::ZERO,
        max_ttl: Duration::from_millis(50),
        failure_ttl: Duration::from_millis(100),
        stale_for,
        ..server.settings()
    };
    let resolver = Resolver::new(settings, Metrics::default()).unwrap();
    server.addresses("north.test", &["10.0.0.1"], 60);
    addresses(&resolver, "north.test").await.unwrap();
    sleep(Duration::from_millis(60)).await;
    resolver
}

#[tokio::test]
async fn old_addresses_stay_in_use_while_they_cannot_be_renewed() {
    let server = NameServer::start().await;
    let resolver = expired(&server, Duration::from_secs(60)).await;
    for trouble in [Zone::Fails, Zone::Silent] {
        server.set("north.test", trouble);
        for _ in 0..3 {
            let began = Instant::now();
            assert_eq!(addresses(&resolver, "north.test").await.unwrap(), ["10.0.0.1"]);
            // Not for the whole deadline, each time again.
            assert!(began.elapsed() < server.settings().deadline, "{:?}", began.elapsed());
            sleep(Duration::from_millis(150)).await;
        }
    }
    server.addresses("north.test", &["10.0.0.2"], 60);
    let began = Instant::now();
    while addresses(&resolver, "north.test").await.unwrap() == ["10.0.0.1"] {
        assert!(began.elapsed() < PATIENCE, "the new address was never taken");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn old_addresses_are_not_used_for_ever_nor_against_dns() {
    let server = NameServer::start().await;
    let resolver = expired(&server, Duration::from_millis(20)).await;
    server.set("north.test", Zone::Fails);
    assert!(matches!(addresses(&resolver, "north.test").await, Err(ResolveError::Failed(_))));

    let resolver = expired(&server, Duration::from_secs(60)).await;
    server.addresses("north.test", &[], 60);
    assert_eq!(addresses(&resolver, "north.test").await, Err(ResolveError::NoAddress));
}

#[tokio::test]
async fn the_hosts_file_comes_before_dns() {
    let folder = tempfile::tempdir().unwrap();
    let hosts_file = folder.path().join("hosts");
    fs::write(&hosts_file, "127.0.0.2 north.test north\n").unwrap();
    let server = NameServer::start().await;
    server.addresses("north.test", &["10.0.0.1", "2001:db8::1"], 60);
    let settings = ResolverSettings {
        hosts_file: hosts_file.clone(),
        negative_ttl: Duration::from_millis(50),
        ..server.settings()
    };
    let resolver = Resolver::new(settings, Metrics::default()).unwrap();
    assert_eq!(addresses(&resolver, "north.test").await.unwrap(), ["127.0.0.2"]);
    assert_eq!(addresses(&resolver, "north").await.unwrap(), ["127.0.0.2"]);
    assert_eq!(server.questions(), 0);
    fs::write(&hosts_file, "127.0.0.30 north.test\n").unwrap();
    sleep(Duration::from_millis(60)).await;
    assert_eq!(addresses(&resolver, "north.test").await.unwrap(), ["127.0.0.30"]);
}

#[tokio::test]
async fn the_names_that_are_remembered_are_bounded() {
    let server = NameServer::start().await;
    let settings = ResolverSettings { max_names: 3, ..server.settings() };
    let resolver = Resolver::new(settings, Metrics::default()).unwrap();
    for at in 0..10 {
        let name = format!("host{at}.test");
        server.addresses(&name, &["10.0.0.1"], 60 + at);
        assert_eq!(addresses(&resolver, &name).await.unwrap(), ["10.0.0.1"]);
        assert!(resolver.len() <= 3);
    }
    // What expires last is still there.
    let questions = server.questions();
    addresses(&resolver, "host9.test").await.unwrap();
    assert_eq!(server.questions(), questions);
}

#[tokio::test]
async fn whoever_asked_first_may_go_away() {
    let server = NameServer::start().await;
    server.set("north.test", Zone::Silent);
    let resolver = server.resolver();
    let first = {
        let resolver = resolver.clone();
        tokio::spawn(async move { addresses(&resolver, "north.test").await })
    };
    crate::support::until(|| server.questions() >= 2).await;
    let second = {
        let resolver = resolver.clone();
        tokio::spawn(async move { addresses(&resolver, "north.test").await })
    };
    tokio::task::yield_now().await;
    first.abort();
    server.addresses("north.test", &["10.0.0.1"], 60);
    assert_eq!(soon(second).await.unwrap().unwrap(), ["10.0.0.1"]);
}

#[tokio::test]
async fn other_threads_ask_over_the_runtime_that_the_resolver_was_made_on() {
    let server = NameServer::start().await;
    server.addresses("north.test", &["10.0.0.1"], 60);
    let resolver = server.resolver();
    let workers: Vec<_> = (0..3)
        .map(|_| {
            let resolver = resolver.clone();
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(addresses(&resolver, "north.test"))
            })
        })
        .collect();
    crate::support::until(|| workers.iter().all(|worker| worker.is_finished())).await;
    for worker in workers {
        assert_eq!(worker.join().unwrap().unwrap(), ["10.0.0.1"]);
    }
    assert_eq!(server.questions(), 2);
}

#[test]
fn a_runtime_that_is_gone_is_an_error_and_no_hang() {
    let new = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = new();
    let resolver = first.block_on(async {
        let server = NameServer::start().await;
        server.set("north.test", Zone::Silent);
        server.resolver()
    });
    drop(first);
    let error = new().block_on(addresses(&resolver, "north.test"));
    assert!(matches!(error, Err(ResolveError::Failed(_))), "{error:?}");
    assert!(resolver.is_empty());
}

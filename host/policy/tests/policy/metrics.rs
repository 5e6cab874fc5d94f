//! What is counted.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use waypost_policy::{EngineSettings, Host, Metrics};

use crate::support::{Bench, Image, ask, context, directory, login, plugin, target, with_data};

fn bench() -> (Bench, Registry) {
    let mut registry = Registry::default();
    let settings = EngineSettings { concurrency: 8, ..EngineSettings::default() };
    let host = Host::new(&settings, Metrics::register(&mut registry)).unwrap();
    (Bench::on(host), registry)
}

#[track_caller]
fn expect(registry: &Registry, lines: &[&str]) {
    let mut text = String::new();
    encode(&mut text, registry).unwrap();
    for line in lines {
        assert!(text.lines().any(|l| l == *line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn outcomes_are_counted() {
    let (bench, registry) = bench();
    let images = [
        Image::route(&[target("10.0.0.1")]),
        Image::route(&[target("11.0.0.1")]),
        Image::refuse(0, ""),
        Image::defer(""),
        Image::pass(),
        Image::failure(0, ""),
        Image::failure(9, ""),
    ];
    for image in images {
        let policy = bench.load(&with_data("answer", &[], image.bytes()));
        ask(&policy).await;
    }
    expect(
        &registry,
        &[
            r#"waypost_policy_decisions_total{policy="p",outcome="route"} 1"#,
            r#"waypost_policy_decisions_total{policy="p",outcome="target-denied"} 1"#,
            r#"waypost_policy_decisions_total{policy="p",outcome="refuse"} 1"#,
            r#"waypost_policy_decisions_total{policy="p",outcome="defer"} 1"#,
            r#"waypost_policy_decisions_total{policy="p",outcome="pass"} 1"#,
            r#"waypost_policy_decisions_total{policy="p",outcome="failure"} 1"#,
            r#"waypost_policy_decisions_total{policy="p",outcome="fault"} 1"#,
            r#"waypost_policy_failures_total{policy="p",kind="directory-unavailable"} 1"#,
            r#"waypost_policy_faults_total{policy="p",kind="invalid-output"} 1"#,
            r#"waypost_policy_faults_total{policy="p",kind="cpu"} 0"#,
            r#"waypost_policy_decision_seconds_count{policy="p"} 7"#,
            r#"waypost_policy_guest_seconds_count{policy="p"} 7"#,
            r#"waypost_policy_breaker{policy="p"} 0"#,
        ],
    );
}

#[tokio::test]
async fn searches_waits_and_the_breaker_are_seen() {
    let (bench, registry) = bench();
    let (granted, faulty) = directory();
    faulty.delay(Duration::from_millis(30));
    let strings = [
        ("NAME", "main"),
        ("BASE", "dc=example,dc=test"),
        ("FILTER", "(mail={0})"),
        ("ATTRIBUTE", "mailHost"),
        ("HOST", "10.0.0.1"),
    ];
    let policy = bench.try_load(&plugin("search", &strings), |settings| {
        settings.settings_json = "[1]".into();
        settings.directories = vec![granted];
        settings.limits.concurrency = 1;
    });
    let policy = policy.unwrap();
    tokio::join!(ask(&policy), ask(&policy));
    policy.decide(&login("nobody"), &context(), false).await;
    let bad = bench.load(&plugin("trap", &[]));
    for n in 0..5 {
        bad.decide(&login(&format!("user{n}")), &context(), false).await;
    }
    expect(
        &registry,
        &[
            r#"waypost_policy_searches_total{policy="p",directory="main",outcome="found"} 2"#,
            r#"waypost_policy_searches_total{policy="p",directory="main",outcome="none"} 1"#,
            r#"waypost_policy_queue_seconds_count{policy="p"} 1"#,
            r#"waypost_policy_faults_total{policy="p",kind="trap"} 5"#,
            r#"waypost_policy_breaker{policy="p"} 2"#,
        ],
    );
}

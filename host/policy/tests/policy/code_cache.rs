//! Compiled code that is kept: what a second process does with it, and what it does not believe.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use waypost_model::Decision;
use waypost_policy::{
    CodeCache, CodeCacheSettings, CodeSource, EngineSettings, Host, Metrics, PluginSource,
};

use crate::support::{Bench, Image, ask, context, directory, login, plugin, target, with_data};

/// A place for a cache, and processes that use it one after the other.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn cache(&self) -> CodeCache {
        let at = |name: &str| self.0.path().join(name);
        let settings =
            CodeCacheSettings { folder: at("code"), key: at("code.key"), max_bytes: 64 << 20 };
        CodeCache::open(&settings).unwrap()
    }

    /// As a process begins: an engine of its own, and no policy yet.
    fn process(&self) -> (Bench, Registry) {
        let mut registry = Registry::default();
        let settings = EngineSettings {
            concurrency: 4,
            code_cache: Some(self.cache()),
            ..EngineSettings::default()
        };
        let host = Host::new(&settings, Metrics::register(&mut registry)).unwrap();
        (Bench::on(host), registry)
    }

    fn entries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.0.path().join("code")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

#[track_caller]
fn expect(registry: &Registry, outcome: &str, count: u32) {
    let mut text = String::new();
    encode(&mut text, registry).unwrap();
    let line = format!("waypost_policy_code_cache_total{{outcome=\"{outcome}\"}} {count}");
    assert!(text.lines().any(|l| l == line), "{line}\n{text}");
}

#[tokio::test]
async fn a_second_process_compiles_nothing() {
    let place = Place::new();
    let route = with_data("answer", &[], Image::route(&[target("10.0.0.1")]).bytes());
    let (first, registry) = place.process();
    let policy = first.load(&route);
    assert_eq!(policy.code_source(), CodeSource::Compiled);
    assert!(policy.is_snapshot());
    expect(&registry, "miss", 1);
    expect(&registry, "stored", 1);
    assert_eq!(first.load(&route).code_source(), CodeSource::Shared);
    let answer = ask(&policy).await.result.unwrap();

    let (second, registry) = place.process();
    let policy = second.load(&route);
    assert_eq!(policy.code_source(), CodeSource::Cache);
    assert!(policy.is_snapshot());
    expect(&registry, "hit", 1);
    assert_eq!(ask(&policy).await.result.unwrap(), answer);
}

#[tokio::test]
async fn the_shipped_policy_is_there_at_once() {
    let place = Place::new();
    let load = || {
        let (granted, directory) = directory();
        let (bench, _) = place.process();
        let started = Instant::now();
        let policy = bench.try_load(b"", |settings| {
            let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/prebuilt");
            let path = PathBuf::from(shipped).join("ldap-routing.wasm");
            settings.plugin = PluginSource::File(path);
            settings.settings_json = r#"{"directory": "main", "search-base": "%s",
                "search-pattern": "mail=%e", "host-field": "mailHost", "use-first": true}"#
                .into();
            settings.directories = vec![granted];
        });
        (policy.unwrap(), started.elapsed(), directory)
    };
    let (_, compiling, _) = load();
    let (policy, reading, directory) = load();
    assert_eq!(policy.code_source(), CodeSource::Cache);
    assert!(reading < compiling / 4, "{reading:?} after {compiling:?}");
    let answer = policy.decide(&login("user"), &context(), false).await.result.unwrap();
    assert!(matches!(answer.decision, Decision::Route(_)), "{answer:?}");
    assert_eq!(directory.searches(), 1);
}

#[tokio::test]
async fn settings_are_part_of_the_code() {
    let place = Place::new();
    let component = plugin("answer", &[]);
    let load = |settings_json: &str| {
        let (bench, _) = place.process();
        let load = bench.try_load(&component, |s| s.settings_json = settings_json.into());
        load.unwrap().code_source()
    };
    assert_eq!(load("{}"), CodeSource::Compiled);
    assert_eq!(load("{\"a\":1}"), CodeSource::Compiled);
    assert_eq!(load("{}"), CodeSource::Cache);
    assert_eq!(load("{\"a\":1}"), CodeSource::Cache);
    assert_eq!(place.entries().len(), 2);
}

#[test]
fn a_pin_is_compared_before_the_cache_is_asked() {
    let place = Place::new();
    let component = plugin("answer", &[]);
    let (bench, _) = place.process();
    bench.load(&component);
    let (bench, registry) = place.process();
    let refused = bench.try_load(&component, |settings| settings.sha256 = Some([7; 32]));
    assert!(refused.unwrap_err().to_string().contains("pins 0707"));
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    assert!(!text.contains("code_cache_total{outcome=\"hit\"}"), "{text}");
}

#[test]
fn what_does_not_load_is_not_kept() {
    let place = Place::new();
    let (bench, _) = place.process();
    for name in ["problems", "trap-in-configure", "trap-at-start"] {
        assert!(
            bench.try_load(&plugin(name, &[("MESSAGE", "no"), ("PATH", "/a")]), |_| ()).is_err()
        );
    }
    assert!(bench.try_load(b"\x7fELF", |_| ()).is_err());
    assert_eq!(place.entries(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn an_entry_put_in_anothers_place_is_dropped_and_compiled_anew() {
    let place = Place::new();
    let (north, south) = (target("10.0.0.1"), target("10.0.0.2"));
    let north = with_data("answer", &[], Image::route(&[north]).bytes());
    let south = with_data("answer", &[], Image::route(&[south]).bytes());
    let (bench, _) = place.process();
    bench.load(&north);
    let of_north = place.entries().remove(0);
    bench.load(&south);
    let of_south = place.entries().into_iter().find(|path| *path != of_north).unwrap();
    // Both are genuine; each is the other's.
    fs::copy(&of_north, &of_south).unwrap();

    let (bench, registry) = place.process();
    let policy = bench.load(&south);
    assert_eq!(policy.code_source(), CodeSource::Compiled);
    expect(&registry, "bad", 1);
    expect(&registry, "stored", 1);
    let Decision::Route(route) = ask(&policy).await.result.unwrap().decision else { panic!() };
    assert_eq!(route.targets[0].to_string(), "10.0.0.2");
    let (bench, _) = place.process();
    assert_eq!(bench.load(&south).code_source(), CodeSource::Cache, "and good again");
}

#[tokio::test]
async fn machine_code_in_an_entrys_place_never_runs() {
    let place = Place::new();
    let component = plugin("answer", &[]);
    let (bench, _) = place.process();
    bench.load(&component);
    let entry = place.entries().remove(0);
    let genuine = fs::read(&entry).unwrap();
    // What the engine itself would take: its own serialised code, without what goes before it.
    let naked = genuine[152..].to_vec();
    assert!(naked.starts_with(b"\x7fELF"));
    let cut = genuine[..genuine.len() / 2].to_vec();
    for content in [naked, cut, Vec::new(), b"#!/bin/sh".to_vec()] {
        fs::write(&entry, &content).unwrap();
        let (bench, registry) = place.process();
        assert_eq!(bench.load(&component).code_source(), CodeSource::Compiled);
        expect(&registry, "bad", 1);
    }
}

#[test]
fn a_cache_that_cannot_be_written_stops_nobody() {
    let place = Place::new();
    let (bench, registry) = place.process();
    fs::remove_dir_all(place.0.path().join("code")).unwrap();
    let policy = bench.load(&plugin("answer", &[]));
    assert_eq!(policy.code_source(), CodeSource::Compiled);
    expect(&registry, "not-stored", 1);
}

#[tokio::test]
async fn code_goes_when_its_last_policy_goes() {
    let place = Place::new();
    let (bench, _) = place.process();
    let component = plugin("answer", &[]);
    let policy = bench.load(&component);
    assert_eq!(bench.load(&component).code_source(), CodeSource::Shared);
    drop(policy);
    // Nothing holds it any more: it has to be read again.
    assert_eq!(bench.load(&component).code_source(), CodeSource::Cache);
}

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::ticker::{TICK, Ticker};
use super::{EngineSettings, Host};
use crate::Metrics;

fn host(settings: &EngineSettings) -> Host {
    Host::new(settings, Metrics::unregistered()).unwrap()
}

/// Every setting of the engine that matters, as the engine itself reports it: what upstream
/// changes of its defaults shows here.
#[test]
fn the_profile_is_pinned() {
    let host = host(&EngineSettings { concurrency: 100, ..EngineSettings::default() });
    assert!(host.is_pooling());
    for engine in [&host.inner().decisions, &host.inner().loading] {
        let features: Vec<_> =
            engine.get_wasm_features().iter_names().map(|(name, _)| name).collect();
        assert_eq!(
            features,
            [
                "MUTABLE_GLOBAL",
                "SATURATING_FLOAT_TO_INT",
                "SIGN_EXTENSION",
                "REFERENCE_TYPES",
                "MULTI_VALUE",
                "BULK_MEMORY",
                "SIMD",
                "TAIL_CALL",
                "FLOATS",
                "MULTI_MEMORY",
                "EXTENDED_CONST",
                "COMPONENT_MODEL",
            ]
        );
        assert!(engine.get_epoch_interruption());
        assert!(!engine.get_consume_fuel());
        assert!(!engine.get_concurrency_support());
        assert!(!engine.get_shared_memory());
        assert_eq!(engine.get_max_wasm_stack(), 512 << 10);
        assert_eq!(engine.get_async_stack_size(), 2 << 20);
        assert!(!engine.get_async_stack_zeroing());
        assert!(engine.get_memory_init_cow());
        assert_eq!(engine.get_memory_guaranteed_dense_image_size(), 1 << 30);
        assert_eq!(engine.get_memory_reservation(), 4 << 30);
        assert_eq!(engine.get_memory_guard_size(), 32 << 20);
        assert!(engine.get_guard_before_linear_memory());
        assert!(engine.get_signals_based_traps());
        assert!(engine.get_table_lazy_init());
    }
    assert!(host.inner().loading.get_pooling_config().is_none());
}

#[test]
fn the_pool_is_as_large_as_the_concurrency() {
    let settings =
        EngineSettings { concurrency: 100, keep_resident: 3 << 16, ..EngineSettings::default() };
    let host = host(&settings);
    let pool = host.inner().decisions.get_pooling_config().unwrap();
    assert_eq!(pool.get_total_component_instances(), 108);
    assert_eq!(pool.get_total_stacks(), 108);
    assert_eq!(pool.get_total_memories(), 324);
    assert_eq!(pool.get_max_memories_per_module(), 1);
    assert_eq!(pool.get_memory_keep_resident(), 3 << 16);
    assert_eq!(pool.get_pagemap_scan(), wasmtime::Enabled::Auto);
}

#[test]
fn without_address_space_instances_are_made_on_demand() {
    // 3 × 2¹⁷ memories of 4 GiB are more than a process can address.
    let host = host(&EngineSettings { concurrency: 1 << 17, ..EngineSettings::default() });
    assert!(!host.is_pooling());
    assert!(host.inner().decisions.get_pooling_config().is_none());
    assert!(host.inner().decisions.get_epoch_interruption());
}

fn clock_threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let name = |task: &fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    tasks
        .filter_map(Result::ok)
        .filter_map(|task| name(&task))
        .filter(|name| name.trim() == "waypost-ticks")
        .count()
}

fn wait_for(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(10), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_clock_ends_with_the_host() {
    let before = clock_threads();
    let host = host(&EngineSettings { concurrency: 4, ..EngineSettings::default() });
    wait_for("the clock starts", || clock_threads() == before + 1);
    let other = host.clone();
    drop(host);
    thread::sleep(10 * TICK);
    assert_eq!(clock_threads(), before + 1);
    drop(other);
    wait_for("the clock ends", || clock_threads() == before);
}

#[test]
fn the_clock_sleeps_while_nothing_runs() {
    let ticker = Arc::new(Ticker::start(Vec::new()).unwrap());
    let running = ticker.run();
    thread::sleep(Duration::from_millis(500));
    assert!(!ticker.is_asleep());
    drop(running);
    wait_for("asleep", || ticker.is_asleep());
    // Whoever runs wakes it, also while it is falling asleep.
    for _ in 0..20 {
        let running = ticker.run();
        wait_for("awake", || !ticker.is_asleep());
        drop(running);
    }
    wait_for("asleep again", || ticker.is_asleep());
}

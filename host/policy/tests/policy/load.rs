//! What is loaded, what is refused, and what the operator is told.

use std::time::Duration;

use waypost_model::{Decision, Fault, Refusal};
use waypost_policy::{LoadError, PluginSource};

use crate::support::{Bench, ask, changed_wit, component, plugin, source};

/// The text of `answer.wat` under another version of the interface.
fn answer(from: &str, to: &str) -> String {
    source("answer.wat").replace(from, to)
}

#[test]
fn what_is_no_component_is_said() {
    let bench = Bench::new();
    let core = wat::parse_str(source("answer.wat")).unwrap();
    assert!(matches!(bench.try_load(&core, |_| ()), Err(LoadError::CoreModule)));
    for bytes in [&b""[..], b"#!/bin/sh", b"(component)", b"\x7fELF\x02", &core[..7]] {
        assert!(matches!(bench.try_load(bytes, |_| ()), Err(LoadError::NotComponent(_))));
    }
    let whole = plugin("answer", &[]);
    for cut in [9, 100, whole.len() / 2, whole.len() - 1] {
        let refused = bench.try_load(&whole[..cut], |_| ());
        assert!(refused.is_err(), "cut at {cut}");
    }
}

#[test]
fn a_file_that_is_not_there_or_too_large() {
    let bench = Bench::new();
    let missing = bench.try_load(b"", |settings| {
        settings.plugin = PluginSource::File("/nonexistent/plugin.wasm".into());
    });
    assert!(missing.unwrap_err().to_string().starts_with("/nonexistent/plugin.wasm"));
    let endless = bench.try_load(b"", |settings| {
        settings.plugin = PluginSource::File("/dev/zero".into());
    });
    assert!(matches!(endless, Err(LoadError::TooLarge(_))));
}

#[test]
fn the_pin_is_compared() {
    let bench = Bench::new();
    let component = plugin("answer", &[]);
    let digest = bench.load(&component).digest();
    let refused = bench.try_load(&component, |settings| settings.sha256 = Some([7; 32]));
    match refused {
        Err(LoadError::Digest { expected, actual }) => {
            assert_eq!(actual, digest);
            assert_eq!(expected, "07".repeat(32));
        }
        other => panic!("{other:?}"),
    }
    let pin: Vec<u8> =
        (0..32).map(|n| u8::from_str_radix(&digest[2 * n..2 * n + 2], 16).unwrap()).collect();
    let pinned = bench.try_load(&component, |settings| settings.sha256 = pin.try_into().ok());
    assert!(pinned.is_ok());
}

#[test]
fn a_builtin_is_bytes() {
    let bytes = Box::leak(plugin("answer", &[]).into_boxed_slice());
    let loaded = Bench::new().try_load(b"", |settings| {
        settings.plugin = PluginSource::Builtin { name: "answer", bytes };
    });
    assert!(loaded.is_ok());
}

#[test]
fn other_versions_are_told_apart() {
    let bench = Bench::new();
    let build = |version: &str| {
        let wit = changed_wit(&[("waypost:policy@1.0.0", &format!("waypost:policy@{version}"))]);
        component(&answer("@1.0.0", &format!("@{version}")), &wit)
    };
    for version in ["1.0.4", "1.3.0"] {
        bench.load(&build(version));
    }
    for (version, age) in [("2.0.0", "newer"), ("0.1.0", "older"), ("0.9.9", "older")] {
        let refusal = bench.refusal(&build(version));
        assert!(refusal.contains(&format!("waypost:policy/mapping@{version}")), "{refusal}");
        assert!(refusal.contains(&format!("{age} Waypost")), "{refusal}");
    }
}

#[test]
fn an_import_that_no_policy_has_is_named() {
    let text = r#"(component
        (import "wasi:cli/environment@0.2.6" (instance))
        (import "env" (func)))"#;
    let refusal = Bench::new().refusal(&wat::parse_str(text).unwrap());
    for part in [
        "`wasi:cli/environment@0.2.6`, but a policy has no operating system",
        "it imports `env`",
        "it exports no `waypost:policy/mapping@1.0.0`; what it exports: nothing",
    ] {
        assert!(refusal.contains(part), "{refusal}");
    }
}

#[test]
fn a_function_of_another_type_is_named() {
    let bench = Bench::new();
    let changed =
        |change: (&str, &str), text: &str| bench.refusal(&component(text, &changed_wit(&[change])));
    // An import with another signature.
    let text = r#"(module
        (import "waypost:policy/log@1.0.0" "write" (func (param i32 i32)))"#;
    let text = answer("(module", text);
    let refusal = changed(
        ("write: func(level: level, message: string)", "write: func(message: string)"),
        &text,
    );
    assert!(refusal.contains("waypost:policy/log@1.0.0") && refusal.contains("write"), "{refusal}");
    // An import that the interface does not have.
    let text = r#"(module
        (import "waypost:policy/log@1.0.0" "flush" (func))"#;
    let text = answer("(module", text);
    let refusal = changed(("write: func(level: level, message: string);", "flush: func();"), &text);
    assert!(refusal.contains("waypost:policy/log@1.0.0") && refusal.contains("flush"), "{refusal}");
    // An export with another signature.
    let text = answer("#configure\") (param i32 i32)", "#configure\")");
    let refusal = changed(("configure: func(settings: string)", "configure: func()"), &text);
    assert!(refusal.contains("configure"), "{refusal}");
}

#[test]
fn an_export_that_is_missing_is_named() {
    let wit =
        changed_wit(&[("configure: func(settings: string) -> result<_, list<problem>>;", "")]);
    let text = r#"(module
        (import "waypost:policy/types@1.0.0" "[resource-drop]context" (func $forget (param i32)))
        (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8))
        (func (export "waypost:policy/mapping@1.0.0#route")
            (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) (i32.const 8)))"#;
    let refusal = Bench::new().refusal(&component(text, &wit));
    assert!(refusal.contains("configure"), "{refusal}");
}

#[test]
fn problems_come_with_their_place() {
    let component = plugin("problems", &[("PATH", "/search-base"), ("MESSAGE", "no\n%q here")]);
    match Bench::new().try_load(&component, |_| ()) {
        Err(LoadError::Problems(problems)) => {
            assert_eq!(problems, [("/search-base".into(), "no\u{fffd}%q here".into())]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn configure_has_budgets_of_its_own() {
    let bench = Bench::new();
    let component = plugin("loop-in-configure", &[]);
    let refused = bench.try_load(&component, |settings| {
        settings.limits.configure_cpu = Duration::from_millis(20);
    });
    assert!(matches!(refused, Err(LoadError::Configure(Fault::Cpu))), "{refused:?}");
    let refused = bench.try_load(&component, |settings| {
        settings.limits.configure_wall = Duration::from_millis(20);
    });
    assert!(matches!(refused, Err(LoadError::Configure(Fault::Deadline))), "{refused:?}");
    let refused = bench.try_load(&plugin("loop-at-start", &[]), |settings| {
        settings.limits.configure_cpu = Duration::from_millis(20);
    });
    assert!(matches!(refused, Err(LoadError::Configure(Fault::Cpu))), "{refused:?}");
}

#[test]
fn what_goes_wrong_in_configure_stops_the_load() {
    let bench = Bench::new();
    for name in ["trap-in-configure", "trap-at-start"] {
        let refused = bench.try_load(&plugin(name, &[]), |_| ());
        assert!(matches!(refused, Err(LoadError::Configure(Fault::Trap(_)))), "{refused:?}");
    }
    let refused = bench.try_load(&plugin("big-at-start", &[]), |_| ());
    assert!(matches!(refused, Err(LoadError::Configure(Fault::Memory))), "{refused:?}");
    let refusal = bench.refusal(&plugin("search-in-configure", &[("NAME", "main")]));
    assert!(refusal.contains("directory.open") && refusal.contains("log only"), "{refusal}");
}

#[tokio::test]
async fn every_decision_starts_from_the_configured_memory() {
    let bench = Bench::new();
    let policy = bench.try_load(&plugin("count", &[]), |settings| {
        settings.settings_json = "[1]".into();
    });
    let policy = policy.unwrap();
    assert!(policy.is_snapshot());
    for _ in 0..20 {
        let decision = ask(&policy).await.result.unwrap().decision;
        assert_eq!(decision, Decision::Refuse(Refusal::Other("cccx".into())));
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_configured_each_time() {
    let bench = Bench::new();
    let policy = bench.try_load(&plugin("table-set", &[]), |settings| {
        settings.settings_json = "[1]".into();
    });
    let policy = policy.unwrap();
    assert!(!policy.is_snapshot());
    for _ in 0..3 {
        let decision = ask(&policy).await.result.unwrap().decision;
        assert_eq!(decision, Decision::Refuse(Refusal::Other("ccc".into())));
    }
}

#[tokio::test]
async fn the_same_plugin_with_other_settings_is_another() {
    let bench = Bench::new();
    let component = plugin("count", &[]);
    let load = |json: &str| {
        let json = json.to_owned();
        bench.try_load(&component, |settings| settings.settings_json = json).unwrap()
    };
    let policies = [load("{}"), load("[1]"), load("{}")];
    for (policy, expected) in policies.iter().zip(["ccx", "cccx", "ccx"]) {
        let decision = ask(policy).await.result.unwrap().decision;
        assert_eq!(decision, Decision::Refuse(Refusal::Other(expected.into())));
    }
}

#[test]
fn an_unchanged_plugin_is_not_configured_again() {
    let bench = Bench::new();
    let component = plugin("busy-in-configure", &[]);
    // It finds no time to be configured in.
    let hurried =
        || bench.try_load(&component, |settings| settings.limits.configure_wall = Duration::ZERO);
    assert!(matches!(hurried(), Err(LoadError::Configure(Fault::Deadline))));
    let first = bench.load(&component);
    assert!(hurried().is_ok());
    drop(first);
    assert!(hurried().is_err(), "the last policy took it along");
}

#[test]
fn memory_after_configure_must_fit() {
    let bench = Bench::new();
    let component = plugin("big-after-configure", &[]);
    // Kept alive, so that the second load takes over what the first one has configured.
    let _policy = bench.load(&component);
    let smaller = bench.try_load(&component, |settings| settings.limits.memory = 16 << 20);
    assert!(matches!(smaller, Err(LoadError::Memory { .. })), "{smaller:?}");
}

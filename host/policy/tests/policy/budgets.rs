//! What a plugin may use up, and what it is called when it wants more.

use std::time::{Duration, Instant};

use waypost_model::{Decision, Fault, Refusal};
use waypost_policy::BreakerState;

use crate::support::{Bench, ask, context, fault, login, plugin};

#[tokio::test]
async fn a_loop_ends_with_its_processor_time() {
    for name in ["loop", "fill", "loop-in-host-call"] {
        let policy = Bench::new().load(&plugin(name, &[]));
        let started = Instant::now();
        assert_eq!(fault(&ask(&policy).await), &Fault::Cpu, "{name}");
        assert!(started.elapsed() < Duration::from_secs(2), "{name}");
    }
}

#[tokio::test]
async fn a_loop_ends_with_its_wall_time_if_that_is_shorter() {
    let bench = Bench::new();
    let policy = bench.try_load(&plugin("loop", &[]), |settings| {
        settings.limits.cpu = Duration::from_secs(100);
        settings.limits.wall = Duration::from_millis(20);
    });
    assert_eq!(fault(&ask(&policy.unwrap()).await), &Fault::Deadline);
}

#[tokio::test]
async fn memory_ends_at_the_budget() {
    let policy = Bench::new().load(&plugin("memory-bomb", &[]));
    assert_eq!(fault(&ask(&policy).await), &Fault::Memory);
    let policy = Bench::new().load(&plugin("table-bomb", &[]));
    assert_eq!(fault(&ask(&policy).await), &Fault::Memory);
}

#[tokio::test]
async fn a_plugin_that_lives_with_less_memory_is_not_at_fault() {
    let policy = Bench::new().load(&plugin("memory-modest", &[]));
    let consultation = ask(&policy).await;
    let decision = consultation.result.unwrap().decision;
    assert_eq!(decision, Decision::Refuse(Refusal::UnknownUser));
}

#[tokio::test]
async fn an_endless_recursion_is_a_trap() {
    let policy = Bench::new().load(&plugin("recurse", &[]));
    match fault(&ask(&policy).await) {
        Fault::Trap(what) => assert!(what.contains("stack") && what.contains("down"), "{what}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_trap_names_the_function() {
    let policy = Bench::new().load(&plugin("trap", &[]));
    match fault(&ask(&policy).await) {
        Fault::Trap(what) => {
            assert!(what.contains("unreachable") && what.contains("give_up"), "{what}");
            assert!(!what.contains('\n'));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn traps_around_the_call_are_traps_too() {
    for name in ["trap-in-realloc", "trap-in-post-return"] {
        let policy = Bench::new().load(&plugin(name, &[]));
        let consultation = ask(&policy).await;
        assert!(matches!(fault(&consultation), Fault::Trap(_)), "{name}: {consultation:?}");
    }
}

#[tokio::test]
async fn a_huge_string_is_refused() {
    for name in ["huge-answer", "log-huge"] {
        let policy = Bench::new().load(&plugin(name, &[]));
        let consultation = ask(&policy).await;
        assert!(
            matches!(fault(&consultation), Fault::InvalidOutput(_)),
            "{name}: {consultation:?}"
        );
    }
}

#[tokio::test]
async fn handles_are_few_and_cannot_be_forged() {
    let policy = Bench::new().load(&plugin("forged-handle", &[]));
    let consultation = ask(&policy).await;
    assert!(matches!(fault(&consultation), Fault::Trap(_) | Fault::InvalidOutput(_)));
}

#[tokio::test]
async fn a_plugin_that_keeps_failing_is_held_back() {
    let policy = Bench::new().load(&plugin("trap", &[]));
    for n in 0..5 {
        let consultation = policy.decide(&login(&format!("user{n}")), &context(), false).await;
        assert!(matches!(fault(&consultation), Fault::Trap(_)));
    }
    assert_eq!(policy.breaker_state(), BreakerState::Open);
    let started = Instant::now();
    for _ in 0..100 {
        assert_eq!(fault(&ask(&policy).await), &Fault::NotLoaded);
    }
    assert!(started.elapsed() < Duration::from_millis(200));
    policy.reset_breaker();
    assert!(matches!(fault(&ask(&policy).await), Fault::Trap(_)));
}

#[tokio::test]
async fn an_address_that_keeps_failing_is_held_back_alone() {
    let policy = Bench::new().load(&plugin("trap-for-bad", &[]));
    for _ in 0..3 {
        let consultation = policy.decide(&login("bad"), &context(), false).await;
        assert!(matches!(fault(&consultation), Fault::Trap(_)));
    }
    let consultation = policy.decide(&login("bad"), &context(), false).await;
    assert_eq!(fault(&consultation), &Fault::NotLoaded);
    assert_eq!(policy.breaker_state(), BreakerState::Closed);
    assert!(policy.decide(&login("good"), &context(), false).await.result.is_ok());
}

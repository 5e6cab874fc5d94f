use std::time::{Duration, Instant};

use waypost_model::Fault;

use super::{Breaker, BreakerState, Verdict};

const SECOND: Duration = Duration::from_secs(1);

/// A breaker and a clock that only the test moves.
struct Bench {
    breaker: Breaker,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        Self { breaker: Breaker::new(), now: Instant::now() }
    }

    /// Decides once; `false` where the breaker refused.
    fn decide(&self, address: &str, verdict: Verdict) -> bool {
        let Some(pass) = self.breaker.admit(address, self.now) else { return false };
        let _ = self.breaker.record(pass, verdict, self.now);
        true
    }

    fn state(&self) -> BreakerState {
        self.breaker.state(self.now)
    }

    fn open(&self) {
        for n in 0..5 {
            assert!(self.decide(&format!("user{n}"), Verdict::Bad));
        }
        assert_eq!(self.state(), BreakerState::Open);
    }
}

#[test]
fn only_traps_processor_time_and_memory_count() {
    for bad in [Fault::Trap(String::new()), Fault::Cpu, Fault::Memory] {
        assert_eq!(Verdict::of(Some(&bad)), Verdict::Bad);
    }
    for neutral in [Fault::Deadline, Fault::Saturated, Fault::NotLoaded] {
        assert_eq!(Verdict::of(Some(&neutral)), Verdict::Neutral);
    }
    assert_eq!(Verdict::of(Some(&Fault::InvalidOutput(String::new()))), Verdict::Good);
    assert_eq!(Verdict::of(None), Verdict::Good);
}

#[test]
fn a_plugin_that_always_faults_is_held_back_after_five() {
    let bench = Bench::new();
    for n in 0..4 {
        assert!(bench.decide(&format!("user{n}"), Verdict::Bad));
        assert_eq!(bench.state(), BreakerState::Closed);
    }
    assert!(bench.decide("user4", Verdict::Bad));
    assert_eq!(bench.state(), BreakerState::Open);
    assert!(!bench.decide("somebody else", Verdict::Good));
}

#[test]
fn a_minority_of_faults_opens_nothing() {
    let bench = Bench::new();
    for n in 0..200 {
        assert!(bench.decide(&format!("good{n}"), Verdict::Good));
        assert!(bench.decide(&format!("good{n}"), Verdict::Good));
        assert!(bench.decide(&format!("bad{n}"), Verdict::Bad));
    }
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[test]
fn one_address_is_held_back_alone() {
    let mut bench = Bench::new();
    let admitted = (0..100).filter(|_| bench.decide("poison", Verdict::Bad)).count();
    assert_eq!(admitted, 3);
    assert_eq!(bench.state(), BreakerState::Closed);
    assert!(bench.decide("user", Verdict::Good));
    bench.now += 10 * SECOND;
    assert!(bench.decide("poison", Verdict::Good), "tried again after a while");
    assert!(bench.decide("poison", Verdict::Bad), "and cleared by a good outcome");
    assert!(bench.decide("poison", Verdict::Good));
}

#[test]
fn two_addresses_are_no_epidemic() {
    let mut bench = Bench::new();
    for _ in 0..20 {
        bench.decide("poison1", Verdict::Bad);
        bench.decide("poison2", Verdict::Bad);
        bench.now += SECOND;
    }
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[test]
fn old_outcomes_do_not_count() {
    let mut bench = Bench::new();
    for n in 0..20 {
        assert!(bench.decide(&format!("user{n}"), Verdict::Bad));
        bench.now += 20 * SECOND;
    }
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[test]
fn after_a_while_one_decision_probes() {
    let mut bench = Bench::new();
    bench.open();
    bench.now += SECOND / 2;
    assert_eq!(bench.state(), BreakerState::Open);
    bench.now += SECOND;
    assert_eq!(bench.state(), BreakerState::HalfOpen);
    let probe = bench.breaker.admit("user8", bench.now).unwrap();
    assert!(bench.breaker.admit("user9", bench.now).is_none(), "one at a time");
    assert_eq!(bench.breaker.record(probe, Verdict::Good, bench.now), Some(BreakerState::Closed));
    assert!(bench.decide("user9", Verdict::Good));
    // The past is forgotten: it takes as many faults as the first time.
    assert!(bench.decide("user10", Verdict::Bad));
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[test]
fn a_failed_probe_doubles_the_time_up_to_a_minute() {
    let mut bench = Bench::new();
    bench.open();
    let mut expected = SECOND;
    for n in 0..10 {
        bench.now += expected.mul_f64(0.74);
        assert!(!bench.decide("early", Verdict::Good), "round {n}");
        bench.now += expected.mul_f64(0.52);
        assert!(bench.decide(&format!("probe{n}"), Verdict::Bad), "round {n}");
        expected = (expected * 2).min(60 * SECOND);
    }
    assert_eq!(expected, 60 * SECOND);
}

#[test]
fn a_probe_that_says_nothing_is_followed_by_another() {
    let mut bench = Bench::new();
    bench.open();
    bench.now += 2 * SECOND;
    assert!(bench.decide("a", Verdict::Neutral));
    assert!(bench.decide("b", Verdict::Good));
    assert_eq!(bench.state(), BreakerState::Closed);
}

#[test]
fn a_lost_probe_does_not_hold_the_breaker_open() {
    let mut bench = Bench::new();
    bench.open();
    bench.now += 2 * SECOND;
    let _lost = bench.breaker.admit("a", bench.now).unwrap();
    assert!(!bench.decide("b", Verdict::Good));
    bench.now += 31 * SECOND;
    assert!(bench.decide("b", Verdict::Good));
}

#[test]
fn stragglers_from_before_do_not_decide() {
    let bench = Bench::new();
    let early = bench.breaker.admit("early", bench.now).unwrap();
    bench.open();
    assert_eq!(bench.breaker.record(early, Verdict::Good, bench.now), None);
    assert_eq!(bench.state(), BreakerState::Open);
}

#[test]
fn reset_closes() {
    let bench = Bench::new();
    bench.open();
    bench.breaker.reset();
    assert!(bench.decide("user1", Verdict::Good));
}

#[test]
fn a_flood_of_addresses_does_not_grow_the_table() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.decide("poison", Verdict::Bad);
        bench.decide("good", Verdict::Good);
        bench.decide("good", Verdict::Good);
    }
    assert!(!bench.decide("poison", Verdict::Good));
    for n in 0..1000 {
        bench.now += Duration::from_millis(1);
        bench.decide(&format!("bad{n}"), Verdict::Bad);
        for _ in 0..4 {
            bench.decide("good", Verdict::Good);
        }
    }
    assert!(!bench.decide("poison", Verdict::Good), "an old suspect is not washed out");
}

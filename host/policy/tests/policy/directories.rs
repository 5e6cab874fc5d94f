//! What a plugin gets out of a directory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use waypost_directory::{FaultyDirectory, SearchError};
use waypost_model::{Consultation, Decision, Failure, Fault, Principal, Trouble, Verification};
use waypost_policy::{Limits, Policy};

use crate::support::{Bench, ask, context, directory, fault, login, plugin};

/// The numbers of `directory.error`, as `search.wat` reports them.
const NOT_GRANTED: u32 = 0;
const BAD_REQUEST: u32 = 1;
const UNAVAILABLE: u32 = 2;
const TIMEOUT: u32 = 3;
const TOO_LARGE: u32 = 4;
const OTHER: u32 = 5;

/// What `search.wat` is told to do.
struct Plan<'a> {
    name: &'a str,
    base: &'a str,
    filter: &'a str,
    attribute: &'a str,
    times: usize,
    limits: Limits,
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Self {
            name: "main",
            base: "dc=example,dc=test",
            filter: "(mail={0})",
            attribute: "mailHost",
            times: 1,
            limits: Limits::default(),
        }
    }
}

impl Plan<'_> {
    fn load(self) -> (Arc<Policy>, FaultyDirectory) {
        let component = plugin(
            "search",
            &[
                ("NAME", self.name),
                ("BASE", self.base),
                ("FILTER", self.filter),
                ("ATTRIBUTE", self.attribute),
                ("HOST", "10.0.0.1"),
            ],
        );
        let (granted, faulty) = directory();
        let policy = Bench::new().try_load(&component, |settings| {
            settings.settings_json = format!("\"{}\"", "x".repeat(self.times));
            settings.directories = vec![granted];
            settings.limits = self.limits;
        });
        (policy.unwrap(), faulty)
    }

    async fn run(self) -> Consultation {
        ask(&self.load().0).await
    }
}

#[track_caller]
fn error(consultation: &Consultation) -> u32 {
    match consultation.result {
        Err(Trouble::Failure(Failure::Ambiguous(number))) => number,
        _ => panic!("{consultation:?}"),
    }
}

#[tokio::test]
async fn a_search_finds_and_is_explained() {
    let consultation = Plan::default().run().await;
    let Decision::Route(route) = consultation.result.unwrap().decision else { panic!() };
    let dn = "uid=user,dc=example,dc=test".into();
    let principal = Principal { directory: "main".into(), dn };
    assert_eq!(route.verification, Verification::ByPassword(principal));
    assert!(!consultation.degraded);
    let [search] = &consultation.searches[..] else { panic!() };
    assert_eq!(&*search.directory, "main");
    assert_eq!(search.base, "dc=example,dc=test");
    assert_eq!(search.filter, "(mail=user@example.test)");
    assert_eq!(search.result, Ok(1));
}

#[tokio::test]
async fn nobody_explains_unasked() {
    let (policy, _) = Plan::default().load();
    let consultation = policy.decide(&login("user"), &context(), false).await;
    assert!(consultation.result.is_ok() && consultation.searches.is_empty());
}

#[tokio::test]
async fn parameters_are_values_whatever_they_hold() {
    let (policy, _) = Plan::default().load();
    for name in ["*", "user)(uid=*", "\\2a", "\u{fc}ser", "user*"] {
        let consultation = policy.decide(&login(name), &context(), true).await;
        assert_eq!(consultation.result.unwrap().decision, Decision::Pass, "{name}");
    }
}

#[tokio::test]
async fn a_directory_that_is_not_granted_does_not_exist() {
    for name in ["other", "", "Main", "main\0"] {
        let consultation = Plan { name, ..Plan::default() }.run().await;
        assert_eq!(error(&consultation), NOT_GRANTED, "{name:?}");
        assert!(consultation.searches.is_empty());
    }
}

#[tokio::test]
async fn secrets_are_neither_read_nor_tested() {
    let filters = [
        "(&(mail={0})(userPassword=s*))",
        "(&(mail={0})(USERPASSWORD;binary=*))",
        "(&(mail={0})(2.5.4.35=*))",
        "(&(mail={0})(:caseExactMatch:=secret))",
        "(&(mail={0})(!(userPassword=secret)))",
        "(&(mail={0})(description=*))",
    ];
    for filter in filters {
        let consultation = Plan { filter, ..Plan::default() }.run().await;
        assert_eq!(error(&consultation), BAD_REQUEST, "{filter}");
    }
    for attribute in ["userPassword", "UserPassword;x-a", "2.5.4.35", "*", "+", "description", ""] {
        let consultation = Plan { attribute, ..Plan::default() }.run().await;
        assert_eq!(error(&consultation), BAD_REQUEST, "{attribute}");
        assert!(consultation.searches[0].result.is_err());
    }
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_a_bad_request() {
    let plans = [
        Plan { base: "dc=other,dc=test", ..Plan::default() },
        Plan { base: "nonsense", ..Plan::default() },
        Plan { filter: "(mail={1})", ..Plan::default() },
        Plan { filter: "(mail=", ..Plan::default() },
        Plan { filter: "{0}", ..Plan::default() },
    ];
    for plan in plans {
        assert_eq!(error(&plan.run().await), BAD_REQUEST);
    }
}

#[tokio::test]
async fn the_number_of_searches_is_limited() {
    let (policy, directory) = Plan { times: 8, ..Plan::default() }.load();
    assert!(ask(&policy).await.result.is_ok());
    assert_eq!(directory.searches(), 8);
    let (policy, directory) = Plan { times: 5000, ..Plan::default() }.load();
    let consultation = ask(&policy).await;
    assert!(
        matches!(fault(&consultation), Fault::InvalidOutput(what) if what.contains("searches"))
    );
    assert_eq!(directory.searches(), 8);
}

#[tokio::test]
async fn what_all_searches_bring_is_limited() {
    let limits = Limits { bytes: 100, ..Limits::default() };
    let once = Plan { limits: limits.clone(), ..Plan::default() }.run().await;
    assert!(once.result.is_ok());
    let thrice = Plan { limits, times: 3, ..Plan::default() }.run().await;
    assert_eq!(error(&thrice), TOO_LARGE);
    assert!(!thrice.degraded);
}

#[tokio::test]
async fn an_answer_made_without_the_directory_is_marked() {
    let errors = [
        (SearchError::Unavailable("down".into()), UNAVAILABLE, true),
        (SearchError::Timeout, TIMEOUT, true),
        (SearchError::TooLarge, TOO_LARGE, false),
        (SearchError::Other("no".into()), OTHER, false),
        (SearchError::BadRequest("no".into()), BAD_REQUEST, false),
    ];
    for (failure, number, degraded) in errors {
        let (policy, directory) = Plan::default().load();
        directory.fail(failure);
        let consultation = ask(&policy).await;
        assert_eq!(error(&consultation), number);
        assert_eq!(consultation.degraded, degraded);
        assert!(consultation.searches[0].result.is_err());
    }
}

#[tokio::test]
async fn a_slow_search_ends_for_the_plugin_at_its_own_limit() {
    let limits = Limits { host_call: Duration::from_millis(50), ..Limits::default() };
    let (policy, directory) = Plan { limits, ..Plan::default() }.load();
    directory.delay(Duration::from_secs(60));
    let started = Instant::now();
    let consultation = ask(&policy).await;
    assert_eq!(error(&consultation), TIMEOUT);
    assert!(consultation.degraded);
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn slow_searches_end_with_the_decision() {
    let limits = Limits { wall: Duration::from_millis(80), ..Limits::default() };
    let (policy, directory) = Plan { limits, times: 8, ..Plan::default() }.load();
    directory.delay(Duration::from_millis(50));
    let consultation = ask(&policy).await;
    match &consultation.result {
        Err(Trouble::Fault(Fault::Deadline)) => {}
        // Its last search was told the same deadline and may have been the first to see it.
        Err(Trouble::Failure(Failure::Ambiguous(TIMEOUT))) => {}
        other => panic!("{other:?}"),
    }
    assert!(consultation.degraded);
    assert!(consultation.searches.len() <= 3);
}

#[tokio::test]
async fn waiting_costs_no_processor_time() {
    let limits = Limits { cpu: Duration::from_millis(5), ..Limits::default() };
    let (policy, directory) = Plan { limits, times: 8, ..Plan::default() }.load();
    directory.delay(Duration::from_millis(20));
    assert!(ask(&policy).await.result.is_ok());
}

#[tokio::test]
async fn a_decision_that_is_dropped_leaves_nothing_behind() {
    let (policy, directory) = Plan::default().load();
    directory.delay(Duration::from_secs(60));
    for _ in 0..100 {
        let (login, context) = (login("user"), context());
        let decision = policy.decide(&login, &context, false);
        let dropped = tokio::time::timeout(Duration::from_millis(2), decision).await;
        assert!(dropped.is_err());
    }
    directory.heal();
    assert!(ask(&policy).await.result.is_ok());
}

#[tokio::test]
async fn open_directories_are_few() {
    let (granted, _) = directory();
    let component = plugin("open-many", &[("NAME", "main")]);
    let policy = Bench::new().try_load(&component, |settings| settings.directories = vec![granted]);
    // Not `cpu`: it ends long before that.
    let consultation = ask(&policy.unwrap()).await;
    assert!(matches!(fault(&consultation), Fault::Trap(_) | Fault::InvalidOutput(_)));
}

//! What came back beside what must.

use std::fmt::{Debug, Display};

use waypost_model::{
    Answer, ContextField, ContextReads, Decision, Encryption, Principal, Refusal, Target, Trouble,
    Verification,
};
use waypost_policy::{Cost, Exchanged, LoadError, Observation};

use super::file::{self, Expect};
use super::run::NotLoaded;
use super::words::{Kept, Octets, Period, Placed, Searches};

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What of the case, by its key in `expect`.
    pub what: &'static str,
    /// What must be.
    pub expected: String,
    /// What is.
    pub found: String,
}

impl Difference {
    pub(super) fn new(
        what: &'static str,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { what, expected: expected.into(), found: found.into() }
    }
}

/// A policy that has not been loaded.
pub(super) fn not_loaded(expect: &Expect, error: &NotLoaded) -> Vec<Difference> {
    let found = match error {
        NotLoaded::Plugin(LoadError::Problems(problems)) => {
            let each = problems.iter().map(|(path, message)| format!("{path}: {message}"));
            let found: Vec<String> = each.collect();
            if let Some(expected) = &expect.problems {
                return lists("problems", expected, &found);
            }
            format!("the plugin refuses its settings: {}", found.join("; "))
        }
        NotLoaded::Plugin(error) => error.to_string(),
        NotLoaded::Surroundings(error) => error.clone(),
    };
    match &expect.not_loaded {
        Some(part) if found.contains(part.as_str()) => Vec::new(),
        Some(part) => vec![Difference::new("not-loaded", format!("… {part} …"), found)],
        None => {
            let (what, expected) = outcome(expect);
            vec![Difference::new(what, expected, format!("not loaded: {found}"))]
        }
    }
}

/// A policy that has been loaded although it must not.
pub(super) fn loaded(expect: &Expect) -> Vec<Difference> {
    let (what, expected) = outcome(expect);
    vec![Difference::new(what, expected, "the plugin loads and accepts its settings")]
}

/// A decision.
pub(super) fn decided(expect: &Expect, seen: &Observation) -> Vec<Difference> {
    let mut all = Differences(Vec::new());
    match &seen.consultation.result {
        Ok(answer) => all.answer(expect, answer),
        Err(trouble) => all.trouble(expect, trouble),
    }
    all.searches(expect, seen);
    all.log(expect, seen);
    all.reads(expect, seen.consultation.reads);
    all.cost(&expect.within, &seen.cost);
    all.0
}

struct Differences(Vec<Difference>);

impl Differences {
    fn add(&mut self, what: &'static str, expected: impl Into<String>, found: impl Into<String>) {
        self.0.push(Difference::new(what, expected, found));
    }

    fn equal<T: PartialEq>(
        &mut self,
        what: &'static str,
        expected: Option<&T>,
        found: &T,
        show: impl Fn(&T) -> String,
    ) {
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            self.add(what, show(expected), show(found));
        }
    }

    fn answer(&mut self, expect: &Expect, answer: &Answer) {
        let kind = match &answer.decision {
            Decision::Route(_) => file::Decision::Route,
            Decision::Refuse(_) => file::Decision::Refuse,
            Decision::Defer(_) => file::Decision::Defer,
            Decision::Pass => file::Decision::Pass,
        };
        if expect.decision != Some(kind) {
            let (what, expected) = outcome(expect);
            return self.add(what, expected, describe(&answer.decision));
        }
        match &answer.decision {
            Decision::Route(route) => {
                if let Some(expected) = &expect.targets {
                    let expected: Vec<_> = expected.iter().map(|Placed(t)| target(t)).collect();
                    let found: Vec<_> = route.targets.iter().map(target).collect();
                    self.0.extend(lists("targets", &expected, &found));
                }
                let identity = Kept(route.identity.clone());
                self.equal("identity", expect.identity.as_ref(), &identity, |Kept(identity)| {
                    identity.as_deref().unwrap_or("the client's own").to_owned()
                });
                let expected = expect.verification.as_ref().map(|checked| &checked.0);
                self.equal("verification", expected, &route.verification, verification);
            }
            Decision::Refuse(refusal) => {
                if let Some(expected) = expect.refusal.map(file::Refusal::as_str)
                    && expected != refusal.kind()
                {
                    self.add("refusal", expected, refusal.kind());
                }
                self.text(
                    expect,
                    match refusal {
                        Refusal::Other(text) => text,
                        _ => refusal.kind(),
                    },
                );
            }
            Decision::Defer(why) => self.text(expect, why),
            Decision::Pass => {}
        }
        let found = answer.cache_for;
        if let Some(Kept(expected)) = &expect.cache_for
            && expected.map(|Period(period)| period) != found
        {
            let show = |period: Option<std::time::Duration>| match period {
                Some(period) => format!("{period:?}"),
                None => "the operator's time".into(),
            };
            self.add("cache-for", show(expected.map(|Period(p)| p)), show(found));
        }
    }

    fn trouble(&mut self, expect: &Expect, trouble: &Trouble) {
        let as_expected = match trouble {
            Trouble::Failure(failure) => {
                expect.failure.is_some_and(|kind| kind.as_str() == failure.kind())
            }
            Trouble::Fault(fault) => expect.fault.is_some_and(|kind| kind.as_str() == fault.kind()),
            Trouble::TargetDenied(denied) => expect
                .target_denied
                .as_ref()
                .is_some_and(|target| target.is_empty() || target == denied),
            // Cases are run with every way allowed, and a deferral is an answer.
            Trouble::VerificationDenied(_) | Trouble::Deferred(_) => false,
        };
        if as_expected {
            return self.text(expect, &trouble.to_string());
        }
        let (what, expected) = outcome(expect);
        let class = match trouble {
            Trouble::Failure(_) => "failure",
            Trouble::Fault(_) => "fault",
            Trouble::TargetDenied(_) => "target-denied",
            Trouble::VerificationDenied(_) => "verification-denied",
            Trouble::Deferred(_) => "deferred",
        };
        self.add(what, expected, format!("{class} {}: {trouble}", trouble.kind()));
    }

    fn text(&mut self, expect: &Expect, found: &str) {
        if let Some(part) = expect.text.as_ref().filter(|part| !found.contains(part.as_str())) {
            self.add("text", format!("… {part} …"), found);
        }
    }

    fn searches(&mut self, expect: &Expect, seen: &Observation) {
        let found: Vec<_> = seen.exchanges.iter().map(search).collect();
        match &expect.searches {
            Some(Searches::These(expected)) => self.0.extend(lists("searches", expected, &found)),
            Some(Searches::Count(expected)) if *expected != found.len() as u64 => {
                let found = format!("{}: {}", found.len(), found.join(", "));
                self.add("searches", expected.to_string(), found);
            }
            _ => {}
        }
    }

    fn log(&mut self, expect: &Expect, seen: &Observation) {
        let found: Vec<_> = seen.lines.iter().map(ToString::to_string).collect();
        if let Some(expected) = &expect.log {
            self.0.extend(lists("log", expected, &found));
        }
        for part in expect.log_contains.iter().flatten() {
            if !found.iter().any(|line| line.contains(part.as_str())) {
                self.add("log-contains", format!("… {part} …"), or_none(&found));
            }
        }
    }

    fn reads(&mut self, expect: &Expect, found: ContextReads) {
        let Some(expected) = &expect.reads else { return };
        let fields = ContextField::ALL.iter();
        let expected: ContextReads =
            fields.filter(|f| expected.iter().any(|e| e == f.as_str())).copied().collect();
        self.equal("reads", Some(&expected), &found, |reads| format!("{reads:?}"));
    }

    fn cost(&mut self, within: &file::Within, cost: &Cost) {
        let file::Within { time, cpu, memory, searches, bytes } = *within;
        self.most("time", time.map(|Period(p)| p), cost.time);
        self.most("cpu", cpu.map(|Period(p)| p), cost.cpu);
        self.most("memory", memory.map(|Octets(o)| o), cost.memory);
        self.most("searches", searches, cost.searches);
        self.most("bytes", bytes.map(|Octets(o)| o), cost.bytes);
    }

    fn most<T: PartialOrd + Debug>(&mut self, what: &'static str, most: Option<T>, found: T) {
        if let Some(most) = most.filter(|most| found > *most) {
            self.add("within", format!("{what} at most {most:?}"), format!("{found:?}"));
        }
    }
}

/// What came of a question, in short.
pub(super) fn outcome_of(seen: &Observation) -> String {
    match &seen.consultation.result {
        Ok(answer) => describe(&answer.decision),
        Err(trouble) => format!("{}: {trouble}", trouble.kind()),
    }
}

/// What the case expects to come of the question, as key and value.
fn outcome(expect: &Expect) -> (&'static str, String) {
    if let Some(kind) = expect.decision {
        return ("decision", kind.as_str().into());
    }
    if let Some(kind) = expect.failure {
        return ("failure", kind.as_str().into());
    }
    if let Some(kind) = expect.fault {
        return ("fault", kind.as_str().into());
    }
    if let Some(target) = &expect.target_denied {
        return (
            "target-denied",
            if target.is_empty() { "any target".into() } else { target.clone() },
        );
    }
    if let Some(problems) = &expect.problems {
        return ("problems", or_none(problems));
    }
    ("not-loaded", expect.not_loaded.clone().unwrap_or_default())
}

fn describe(decision: &Decision) -> String {
    match decision {
        Decision::Route(route) => {
            let targets: Vec<_> = route.targets.iter().map(target).collect();
            format!("route to {}", targets.join(", "))
        }
        Decision::Refuse(Refusal::Other(text)) => format!("refuse, other: {text}"),
        Decision::Refuse(refusal) => format!("refuse, {}", refusal.kind()),
        Decision::Defer(why) => format!("defer: {why}"),
        Decision::Pass => "pass".into(),
    }
}

/// A target with everything that is said of it.
fn target(target: &Target) -> String {
    let port = target.port.map(|port| format!(" port {port}"));
    let tls = target.encryption.map(|encryption| {
        let tls = match encryption {
            Encryption::None => "none",
            Encryption::Starttls => "starttls",
            Encryption::Implicit => "implicit",
        };
        format!(" tls {tls}")
    });
    let name = target.tls_name.as_ref().map(|name| format!(" tls-name {name}"));
    let parts = [port, tls, name].into_iter().flatten();
    parts.fold(target.host.to_string(), |text, part| text + &part)
}

fn verification(verification: &Verification) -> String {
    let entry = |Principal { directory, dn }: &Principal| format!("{dn} in {directory}");
    match verification {
        Verification::ByBackend => "by-backend".into(),
        Verification::ByBind(principal) => format!("by-bind as {}", entry(principal)),
        Verification::ByPassword(principal) => format!("by-password of {}", entry(principal)),
    }
}

/// A search as cases write it.
pub(super) fn search(exchanged: &Exchanged) -> String {
    let exchange = &exchanged.exchange;
    format!("{} {} {}", exchanged.directory, exchange.base, exchange.filter)
}

/// Two lists, where they differ: whole where their lengths do, else element by element.
fn lists(what: &'static str, expected: &[String], found: &[String]) -> Vec<Difference> {
    if expected.len() != found.len() {
        return vec![Difference::new(what, or_none(expected), or_none(found))];
    }
    let pairs = expected.iter().zip(found).filter(|(expected, found)| expected != found);
    pairs.map(|(expected, found)| Difference::new(what, expected, found)).collect()
}

fn or_none<T: Display>(list: &[T]) -> String {
    if list.is_empty() {
        return "none".into();
    }
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

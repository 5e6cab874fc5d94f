//! What a decision costs: the questions of cases, asked over and over.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use waypost_model::Address;
use waypost_policy::{Cost, Limits};

use super::compare::outcome_of;
use super::report::text::{size, time};
use super::run::Runner;
use super::suite::{Case, Suite};
use super::{CasesError, RunError};

/// How often a question is asked before it is measured, at most: the first decisions meet cold
/// caches and a pool that nobody has used.
const WARM_UP: u32 = 100;

/// What decisions cost.
#[derive(Clone, Debug)]
pub struct BenchReport {
    /// The file of the cases.
    pub path: PathBuf,
    /// The component, as a configuration would write it.
    pub plugin: String,
    /// The questions that were asked, in the order of the file.
    pub questions: Vec<Measured>,
}

/// One question, asked over and over.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The name of the case that asks it.
    pub name: String,
    /// What came of it the last time.
    pub outcome: String,
    /// How often it was asked.
    pub decisions: usize,
    /// From the start of a decision to its end.
    pub time: Percentiles,
    /// Time for which the thread ran the plugin, the making of its instance included.
    pub cpu: Percentiles,
    /// The dearest decision in everything that does not differ by chance.
    pub most: Cost,
    /// What a decision may cost.
    pub limits: Limits,
}

/// How times are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Percentiles {
    pub p50: Duration,
    pub p90: Duration,
    pub p99: Duration,
    pub max: Duration,
}

/// Asks each question of the cases whose name contains `filter` so many times, one decision after
/// the other, in the engine that serves sessions. Cases that ask nothing are left out. Blocks, as
/// [`Suite::run`] does.
///
/// # Errors
/// A policy that cannot be loaded.
pub fn run(suite: &Suite, filter: &str, decisions: NonZeroU32) -> Result<BenchReport, RunError> {
    let mut runner = Runner::new(suite)?;
    let mut questions = Vec::new();
    for case in suite.cases.iter().filter(|case| case.name.contains(filter)) {
        let warm_up = decisions.get().div_ceil(10).min(WARM_UP);
        if runner.measure(case, warm_up)?.is_none() {
            continue;
        }
        let Some((last, costs)) = runner.measure(case, decisions.get())? else { continue };
        let all = |of: fn(&Cost) -> Duration| Percentiles::of(costs.iter().map(of).collect());
        questions.push(Measured {
            name: case.name.clone(),
            outcome: outcome_of(&last),
            decisions: costs.len(),
            time: all(|cost| cost.time),
            cpu: all(|cost| cost.cpu),
            most: costs.iter().copied().reduce(dearer).unwrap_or_default(),
            limits: case.policy.limits.clone(),
        });
    }
    Ok(BenchReport { path: suite.path.clone(), plugin: suite.plugin.to_string(), questions })
}

impl Suite {
    /// These cases, each asking for `address` instead of its own: only the first with each policy.
    ///
    /// # Errors
    /// What is no address.
    pub fn asking(self, address: &str) -> Result<Self, CasesError> {
        let wrong = |error| CasesError {
            path: self.path.clone(),
            line: 0,
            column: 0,
            message: format!("{address:?} is no address: {error}"),
        };
        let address = Address::new(address, None).map_err(wrong)?;
        let mut cases: Vec<Case> = Vec::new();
        for mut case in self.cases {
            let Some((lookup, _)) = &mut case.question else { continue };
            lookup.address = address.clone();
            if cases.iter().all(|known| known.policy != case.policy) {
                cases.push(case);
            }
        }
        Ok(Self { cases, ..self })
    }
}

/// The greater of each.
fn dearer(one: Cost, other: Cost) -> Cost {
    Cost {
        time: one.time.max(other.time),
        cpu: one.cpu.max(other.cpu),
        memory: one.memory.max(other.memory),
        searches: one.searches.max(other.searches),
        bytes: one.bytes.max(other.bytes),
        host_calls: one.host_calls.max(other.host_calls),
    }
}

impl Percentiles {
    /// Of times in any order; of none, zero.
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        // The nearest rank: the least that so many of a hundred do not exceed.
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1);
            times.get(rank - 1).copied().unwrap_or_default()
        };
        Self { p50: at(50), p90: at(90), p99: at(99), max: at(100) }
    }

    fn to_json(self) -> Value {
        let micros = |time: Duration| time.as_nanos() as f64 / 1e3;
        json!({
            "p50": micros(self.p50),
            "p90": micros(self.p90),
            "p99": micros(self.p99),
            "max": micros(self.max),
        })
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p90, p99, max] = [self.p50, self.p90, self.p99, self.max].map(time);
        write!(f, "p50 {p50}, p90 {p90}, p99 {p99}, max {max}")
    }
}

impl fmt::Display for BenchReport {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.path.display(), self.plugin)?;
        for measured in &self.questions {
            let Measured { name, outcome, decisions, most, limits, .. } = measured;
            writeln!(f, "{name}: {outcome}; {decisions} decisions")?;
            writeln!(f, "      time    {} of {}", measured.time, time(limits.wall))?;
            writeln!(f, "      cpu     {} of {}", measured.cpu, time(limits.cpu))?;
            writeln!(
                f,
                "      memory {} of {}, searches {} of {}, bytes {} of {}, host calls {}",
                size(most.memory),
                size(limits.memory),
                most.searches,
                limits.searches,
                size(most.bytes),
                size(limits.bytes),
                most.host_calls,
            )?;
        }
        Ok(())
    }
}

impl BenchReport {
    /// For programs. Times are in microseconds, sizes in octets.
    pub fn to_json(&self) -> Value {
        let question = |measured: &Measured| {
            let Measured { most, limits, .. } = measured;
            json!({
                "name": measured.name,
                "outcome": measured.outcome,
                "decisions": measured.decisions,
                "time": measured.time.to_json(),
                "cpu": measured.cpu.to_json(),
                "memory": most.memory,
                "searches": most.searches,
                "bytes": most.bytes,
                "host-calls": most.host_calls,
                "limits": {
                    "time": limits.wall.as_micros() as u64,
                    "cpu": limits.cpu.as_micros() as u64,
                    "memory": limits.memory,
                    "searches": limits.searches,
                    "bytes": limits.bytes,
                },
            })
        };
        json!({
            "path": self.path.to_string_lossy(),
            "plugin": self.plugin,
            "questions": self.questions.iter().map(question).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Percentiles;

    #[test]
    fn percentiles_are_times_that_occurred() {
        let of = |times: &[u64]| {
            let found = Percentiles::of(times.iter().map(|t| Duration::from_micros(*t)).collect());
            [found.p50, found.p90, found.p99, found.max].map(|time| time.as_micros())
        };
        assert_eq!(of(&[]), [0; 4]);
        assert_eq!(of(&[7]), [7; 4]);
        let hundred: Vec<u64> = (1..=100).rev().collect();
        assert_eq!(of(&hundred), [50, 90, 99, 100]);
    }
}

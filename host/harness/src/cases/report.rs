//! What came of cases: for people, for CI, for programs.

mod json;
mod junit;
pub(super) mod text;

use std::path::PathBuf;

use waypost_policy::{Cost, Limits};

use super::compare::Difference;
use super::suite::Case;
pub use junit::junit;

/// What came of the cases of one file.
#[derive(Clone, Debug)]
pub struct Report {
    /// The file of the cases.
    pub path: PathBuf,
    /// The component, as a configuration would write it.
    pub plugin: String,
    /// Its SHA-256 in hexadecimal, where it could be loaded.
    pub digest: Option<String>,
    /// The cases that were run, in the order of the file.
    pub cases: Vec<CaseReport>,
    /// How many were not.
    pub left_out: usize,
}

/// What came of one case.
#[derive(Clone, Debug)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// The line of the file in which it begins.
    pub line: usize,
    /// What is not as it must be; empty when the case is well.
    pub differences: Vec<Difference>,
    /// What the decision cost, where there was one; of repeated ones the dearest.
    pub cost: Option<Cost>,
    /// What it may cost.
    pub limits: Limits,
}

impl CaseReport {
    pub(super) fn new(case: &Case, cost: Option<Cost>, differences: Vec<Difference>) -> Self {
        Self {
            name: case.name.clone(),
            line: case.line,
            differences,
            cost,
            limits: case.policy.limits.clone(),
        }
    }

    /// Whether everything is as it must be.
    pub fn is_well(&self) -> bool {
        self.differences.is_empty()
    }
}

impl Report {
    /// How many cases failed.
    pub fn failed(&self) -> usize {
        self.cases.iter().filter(|case| !case.is_well()).count()
    }

    /// Whether every case is well.
    pub fn is_well(&self) -> bool {
        self.failed() == 0
    }
}

//! Cases: what a policy must answer, in a TOML file, run against the component in the very engine
//! that serves sessions.
//!
//! A [`Suite`] is read from a file and run; its [`Report`] says of each case what differs, and what
//! the decision cost beside what it may. From an author's own `cargo test` it is one line:
//!
//! ```no_run
//! // In a function with #[test], after the component was built.
//! waypost_harness::cases::check("cases.toml", "target/plugin.wasm");
//! ```

pub mod bench;
mod compare;
mod file;
mod report;
mod run;
mod suite;
mod words;

use std::path::Path;

pub use compare::Difference;
pub use file::CasesError;
pub use report::{CaseReport, Report, junit};
pub use run::RunError;
pub use suite::{Builtin, Suite, limits, settings_json, sha256_from_hex};

/// Runs the cases of a file against a component, for an author's own tests.
///
/// # Panics
/// With the report, where a case fails; with the reason, where none can be run.
#[track_caller]
#[expect(clippy::panic, reason = "this is how a test fails")]
pub fn check(cases: impl AsRef<Path>, plugin: impl AsRef<Path>) {
    let suite = Suite::read(cases.as_ref(), Some(plugin.as_ref()), &[]);
    let suite = suite.unwrap_or_else(|error| panic!("{error}"));
    match suite.run("") {
        Ok(report) if report.is_well() => {}
        Ok(report) => panic!("\n{report}"),
        Err(error) => panic!("{error}"),
    }
}

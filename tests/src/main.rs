//! End to end: Waypost between real mail clients, real back ends and a real directory.
//!
//! `cargo test -p waypost-tests --test end-to-end [-- NAME]`; the program must have been built.

mod cases;
mod clients;
mod cluster;
mod servers;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let trials = cases::all()
        .into_iter()
        .map(|(name, case)| {
            Trial::test(name, move || {
                case();
                Ok(())
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

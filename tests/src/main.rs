//! End to end: Waypost between real mail clients, real back ends and a real directory.
//!
//! `cargo test -p waypost-tests --test end-to-end [-- NAME]`; the program must have been built.

#![expect(clippy::unwrap_used, reason = "what cannot be set up has failed the test")]
#![expect(unreachable_pub, reason = "a program of modules; nothing is reached from outside")]

mod cases;
mod clients;
mod clusters;
mod plugins;
mod senders;
mod servers;
mod talk;

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

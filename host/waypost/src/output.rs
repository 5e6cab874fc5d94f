//! What commands print.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::process;

/// As `println!`, but where whoever reads has seen enough (`| head`) the command ends, in silence.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::write(::std::format_args!($($text)*), "\n") };
}

pub(crate) use say;

/// What a shell shows of a program that a broken pipe has ended.
const SIGPIPE: i32 = 141;

/// Writes it, or ends the process.
pub(crate) fn write(text: fmt::Arguments<'_>, end: &str) {
    let mut out = io::stdout().lock();
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => process::exit(SIGPIPE),
        Err(error) => {
            eprintln!("waypost: standard output: {error}");
            process::exit(1)
        }
    }
}

//! From what Wasmtime reports to the fault that it is.

use std::fmt::Write as _;

use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};
use waypost_model::Fault;

use crate::guest::{Breach, Guest, Stop};
use crate::text::tame;

/// The longest description of a fault, in octets.
const TEXT: usize = 2048;
/// Frames of a backtrace that are described.
const FRAMES: usize = 8;

/// What an error out of a guest's run is, given what its meter saw.
pub(crate) fn classify(error: &wasmtime::Error, guest: &Guest) -> Fault {
    if let Some(Breach(what)) = error.downcast_ref() {
        return Fault::InvalidOutput(tame(what.clone(), TEXT));
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return Fault::Saturated;
    }
    let trap = error.downcast_ref::<Trap>();
    match guest.meter.stopped() {
        Some(Stop::Cpu) if trap == Some(&Trap::Interrupt) => return Fault::Cpu,
        Some(Stop::Deadline) if trap == Some(&Trap::Interrupt) => return Fault::Deadline,
        _ => {}
    }
    if guest.meter.refused_growth() {
        return Fault::Memory;
    }
    match trap {
        Some(trap) => Fault::Trap(describe(trap, error)),
        // What the guest handed over was not what it had declared: a string that is no UTF-8, a
        // list that lies outside its memory, a handle that it does not hold.
        None => Fault::InvalidOutput(tame(format!("{error:#}"), TEXT)),
    }
}

/// The trap in one line, with the innermost functions by name.
fn describe(trap: &Trap, error: &wasmtime::Error) -> String {
    let mut text = trap.to_string();
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    for (n, frame) in frames.iter().take(FRAMES).enumerate() {
        text.push_str(if n == 0 { " in " } else { " < " });
        // Writing to a string does not fail.
        let _ = match frame.func_name() {
            Some(name) => write!(text, "{name}"),
            None => write!(text, "function {}", frame.func_index()),
        };
    }
    tame(text, TEXT)
}

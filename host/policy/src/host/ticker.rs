use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::EngineWeak;

/// The unit in which guest code is counted.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// After so many ticks without a guest the thread goes to sleep. Waking it costs a decision some
/// microseconds, so it does not do so at once.
const IDLE_TICKS: u32 = 250;

/// Counts time for the engines, on a thread of its own: a runtime's task would be held up by the
/// very plugins that it is to interrupt. While nothing runs, the thread sleeps.
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

struct Shared {
    /// Guests under way.
    running: AtomicUsize,
    /// The thread sleeps, or is about to, and wants to be woken.
    asleep: AtomicBool,
    ended: AtomicBool,
}

impl Ticker {
    pub(super) fn start(engines: Vec<EngineWeak>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            running: AtomicUsize::new(0),
            asleep: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        });
        let clock = shared.clone();
        let thread = thread::Builder::new()
            .name("waypost-ticks".into())
            .spawn(move || clock.tick(&engines))?
            .thread()
            .clone();
        Ok(Self { shared, thread })
    }

    /// Time is counted for as long as the guard lives.
    pub(super) fn run(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, SeqCst);
        if self.shared.asleep.swap(false, SeqCst) {
            self.thread.unpark();
        }
        Running(&self.shared.running)
    }

    #[cfg(test)]
    pub(super) fn is_asleep(&self) -> bool {
        self.shared.asleep.load(SeqCst)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.ended.store(true, SeqCst);
        self.thread.unpark();
    }
}

impl Shared {
    fn tick(&self, engines: &[EngineWeak]) {
        let mut idle = 0;
        while !self.ended.load(SeqCst) {
            thread::sleep(TICK);
            for engine in engines.iter().filter_map(EngineWeak::upgrade) {
                engine.increment_epoch();
            }
            idle = if self.running.load(SeqCst) == 0 { idle + 1 } else { 0 };
            if idle == IDLE_TICKS {
                self.sleep();
                idle = 0;
            }
        }
    }

    fn sleep(&self) {
        self.asleep.store(true, SeqCst);
        // Whoever began since has either seen `asleep` and unparks, or is seen here: the four
        // accesses are in one order for all threads.
        while self.running.load(SeqCst) == 0 && self.asleep.load(SeqCst) && !self.ended.load(SeqCst)
        {
            thread::park();
        }
        self.asleep.store(false, SeqCst);
    }
}

/// A guest that is under way.
pub(crate) struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

//! The threads on which the spool waits for the file system.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

/// What a thread does.
pub(crate) type Job = Box<dyn FnOnce() + Send>;

/// Jobs hold buffers on the heap.
const STACK: usize = 256 * 1024;

/// A few threads with one queue. How long the queue may become is for those to bound who have
/// something to ask: a draft, a kept message and a reader each have one job at a time.
pub(crate) struct Threads {
    queue: Arc<Queue>,
    /// Whether a job is done by whoever brings it.
    inline: bool,
}

struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    /// Whether nothing is left to do after the end.
    idle: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    running: usize,
    closed: bool,
}

impl Threads {
    /// Starts `count` threads, at least one.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let threads = Self::new(false);
        for number in 0..count.max(1) {
            let queue = threads.queue.clone();
            thread::Builder::new()
                .name(format!("spool-{number}"))
                .stack_size(STACK)
                .spawn(move || queue.work())?;
        }
        Ok(threads)
    }

    /// No threads: jobs are done at once.
    pub(crate) fn inline() -> Self {
        Self::new(true)
    }

    fn new(inline: bool) -> Self {
        let queue = Queue {
            state: Mutex::default(),
            wake: Condvar::new(),
            idle: watch::Sender::new(false),
        };
        Self { queue: Arc::new(queue), inline }
    }

    /// Has a job done behind those that were submitted before, or beside them. After the end it is
    /// dropped.
    pub(crate) fn submit(&self, job: Job) {
        let mut state = self.queue.state.lock();
        if state.closed {
            drop(state);
            return;
        }
        if self.inline {
            drop(state);
            return job();
        }
        state.jobs.push_back(job);
        drop(state);
        self.queue.wake.notify_one();
    }

    /// Takes no more jobs, and waits until those that were submitted are done.
    pub(crate) async fn close(&self) {
        self.queue.close();
        let mut idle = self.queue.idle.subscribe();
        // The sender lives in the queue.
        let _ = idle.wait_for(|idle| *idle).await;
    }
}

/// The threads do what is left and end. Nobody waits for them: the last who drops the spool may be
/// one of them.
impl Drop for Threads {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Queue {
    fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        self.tell_if_idle(&state);
        drop(state);
        self.wake.notify_all();
    }

    fn tell_if_idle(&self, state: &State) {
        if state.closed && state.jobs.is_empty() && state.running == 0 {
            self.idle.send_replace(true);
        }
    }

    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                state.running = state.running.saturating_add(1);
                drop(state);
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    tracing::error!(target: "waypost::spool", "a job of the spool panicked");
                }
                state = self.state.lock();
                state.running = state.running.saturating_sub(1);
                self.tell_if_idle(&state);
            } else if state.closed {
                return;
            } else {
                self.wake.wait(&mut state);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::Threads;

    #[tokio::test]
    async fn what_was_submitted_before_the_end_is_done_and_nothing_after() {
        for threads in [Threads::start(3).unwrap(), Threads::inline()] {
            let done = Arc::new(AtomicUsize::new(0));
            let job = || {
                let done = done.clone();
                Box::new(move || {
                    done.fetch_add(1, Ordering::SeqCst);
                })
            };
            for _ in 0..100 {
                threads.submit(job());
            }
            threads.close().await;
            assert_eq!(done.load(Ordering::SeqCst), 100);
            threads.submit(job());
            threads.close().await;
            assert_eq!(done.load(Ordering::SeqCst), 100);
        }
    }

    #[tokio::test]
    async fn a_panic_costs_its_own_job_only() {
        let threads = Threads::start(1).unwrap();
        threads.submit(Box::new(|| panic!("on purpose")));
        let (sender, receiver) = mpsc::channel();
        threads.submit(Box::new(move || sender.send(()).unwrap()));
        threads.close().await;
        receiver.recv().unwrap();
    }

    #[test]
    fn several_jobs_run_at_once() {
        let threads = Threads::start(2).unwrap();
        let (one, other) = (mpsc::channel(), mpsc::channel());
        // Each waits for the other.
        threads.submit(Box::new(move || {
            one.0.send(()).unwrap();
            other.1.recv().unwrap();
        }));
        let (done, finished) = mpsc::channel();
        threads.submit(Box::new(move || {
            other.0.send(()).unwrap();
            one.1.recv().unwrap();
            done.send(()).unwrap();
        }));
        finished.recv().unwrap();
    }
}

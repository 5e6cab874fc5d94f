//! What must not be cut off when the process stops in order: attempts, and back ends that are still
//! heard. A back end that may have a message already would get it again at the next start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// How much is under way, and whether anything may begin.
pub(super) struct UnderWay {
    count: Arc<watch::Sender<usize>>,
    stopping: AtomicBool,
}

/// That something is under way, for as long as it lives.
pub(crate) struct Way(Arc<watch::Sender<usize>>);

impl UnderWay {
    pub(super) fn new() -> Self {
        Self { count: Arc::new(watch::Sender::new(0)), stopping: AtomicBool::new(false) }
    }

    pub(super) fn enter(&self) -> Way {
        self.count.send_modify(|count| *count = count.saturating_add(1));
        Way(self.count.clone())
    }

    pub(super) fn count(&self) -> usize {
        *self.count.borrow()
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Waits until nothing is.
    pub(super) async fn settled(&self) {
        // The sender lives in `self`.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::UnderWay;

    #[tokio::test(start_paused = true)]
    async fn settled_when_the_last_has_ended() {
        let under_way = UnderWay::new();
        under_way.settled().await;
        let (one, other) = (under_way.enter(), under_way.enter());
        assert_eq!(under_way.count(), 2);
        drop(one);
        let early = timeout(Duration::from_secs(1), under_way.settled()).await;
        assert!(early.is_err());
        drop(other);
        under_way.settled().await;
    }
}

//! Back ends that have not answered when their client was: they are heard to the end, so that what
//! they have accepted is not sent to them again.

use std::sync::Arc;

use crate::delivering::{Delivering, Task};
use crate::fail_point::{FailPoint, FailPoints};
use crate::outcome::Outcome;
use crate::queue::{Hearing, Message, Queue, Way};

/// Hears what is left of a delivery in a task of its own, and writes it into the message's record.
pub(crate) fn hear(
    queue: Arc<Queue>,
    mut delivering: Delivering,
    hearing: Hearing,
    news: Vec<(Vec<usize>, Outcome)>,
) {
    if delivering.delivery.is_finished() && news.is_empty() {
        return;
    }
    let guard = Late::new(&queue, hearing);
    let fail_points = delivering.fail_points().clone();
    tokio::spawn(async move {
        for (recipients, outcome) in news {
            write(&queue, &fail_points, guard.hearing.message(), &recipients, &outcome).await;
        }
        loop {
            match delivering.next(None, None).await {
                Task::Update { recipients, outcome } => {
                    write(&queue, &fail_points, guard.hearing.message(), &recipients, &outcome)
                        .await;
                }
                Task::Finished => break,
                // The client has been answered.
                _ => {}
            }
        }
        for connection in delivering.take_connections() {
            connection.quit().await;
        }
    });
}

async fn write(
    queue: &Queue,
    fail_points: &FailPoints,
    message: &Message,
    recipients: &[usize],
    outcome: &Outcome,
) {
    fail_points.pass(FailPoint::BeforeUpdate).await;
    queue.settle(message, recipients, outcome).await;
    fail_points.pass(FailPoint::AfterUpdate).await;
}

/// That a message is heard although its client has been answered.
struct Late {
    hearing: Hearing,
    queue: Arc<Queue>,
    _way: Way,
}

impl Late {
    fn new(queue: &Arc<Queue>, hearing: Hearing) -> Self {
        queue.metrics().late_legs().inc();
        Self { hearing, queue: queue.clone(), _way: queue.enter() }
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        self.queue.metrics().late_legs().dec();
    }
}

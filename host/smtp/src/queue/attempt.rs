use std::sync::Arc;

use waypost_routing::Decide;
use waypost_session::Grant;

use super::message::MessageError;
use super::{Due, Lanes, Message, Queue, TROUBLE, chance, now};
use crate::fail_point::FailPoint;
use crate::outcome::Outcome;
use crate::record::{Record, UnixTime};
use crate::{Metrics, Service};

/// For an operator everything is due that waits.
const ALWAYS: UnixTime = UnixTime(u64::MAX);

impl Queue {
    /// Tries a message once, and notes when to try it again.
    pub(super) async fn attempt<P: Decide>(
        &self,
        service: &Arc<Service<P>>,
        lanes: &Lanes,
        due: Due,
    ) where
        P::Targets: Grant,
    {
        let id = due.message.id();
        service.fail_points.pass(FailPoint::BeforeRetry).await;
        match Box::pin(self.work(service, lanes, &due)).await {
            Ok(Some(next)) => self.schedule(id, next),
            Ok(None) => self.forget(id),
            Err(error) => {
                self.metrics.spool_failed();
                tracing::error!(target: "waypost::queue", %id, %error, "a kept message is stuck");
                self.schedule(id, now().after(TROUBLE));
            }
        }
    }

    /// Does what is due. `None`: nothing is left to do.
    async fn work<P: Decide>(
        &self,
        service: &Arc<Service<P>>,
        lanes: &Lanes,
        due: &Due,
    ) -> Result<Option<UnixTime>, MessageError>
    where
        P::Targets: Grant,
    {
        let Due { message, forced, .. } = due;
        let mut record = message.read().await?;
        let at = if *forced { ALWAYS } else { now() };
        let attempt = record.due(at).attempt;
        if !attempt.is_empty() {
            let outcomes = self.deliver(service, lanes, message, &record, &attempt).await;
            service.fail_points.pass(FailPoint::AfterRetry).await;
            record = self.settle_all(message, &outcomes).await?;
            service.fail_points.pass(FailPoint::AfterRetryUpdate).await;
        }
        // One that is begun may be cut off; at the next start it is due still.
        if record.due(at).report && !self.is_stopping() {
            record = self.report(service, message, at).await?;
        }
        if !record.is_finished() {
            return Ok(Some(record.next().unwrap_or_else(now)));
        }
        service.fail_points.pass(FailPoint::BeforeRemove).await;
        message.remove().await?;
        service.fail_points.pass(FailPoint::AfterRemove).await;
        tracing::info!(target: "waypost::queue", id = %message.id(), "a kept message is done with");
        Ok(None)
    }

    /// Writes what became of a late leg.
    pub(crate) async fn settle(&self, message: &Message, recipients: &[usize], outcome: &Outcome) {
        let outcomes = [(recipients.to_vec(), outcome.clone())];
        tracing::info!(
            target: "waypost::queue",
            id = %message.id(), outcome = outcome.kind(), recipients = recipients.len(),
            "a late back end has been heard"
        );
        match self.settle_all(message, &outcomes).await {
            Ok(record) => self.reschedule(message.id(), record.next().unwrap_or_else(now)),
            Err(error) => {
                self.metrics.spool_failed();
                tracing::error!(
                    target: "waypost::queue",
                    id = %message.id(), %error, "a late outcome is lost"
                );
            }
        }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    async fn settle_all(
        &self,
        message: &Message,
        outcomes: &[(Vec<usize>, Outcome)],
    ) -> Result<Record, MessageError> {
        let pace = self.pace();
        self.write(message, |record| {
            for (recipients, outcome) in outcomes {
                record.settle(recipients, outcome, now(), &pace, chance());
            }
        })
        .await
    }

    /// Changes a record. That it cannot be written is for the log: the worst of it is a duplicate.
    pub(super) async fn write<T>(
        &self,
        message: &Message,
        change: impl FnOnce(&mut Record) -> T + Send,
    ) -> Result<Record, MessageError> {
        let (_, record, written) = message.edit(change).await?;
        if let Err(error) = written {
            self.metrics.spool_failed();
            tracing::error!(
                target: "waypost::queue",
                id = %message.id(), %error, "a record cannot be written"
            );
        }
        Ok(record)
    }
}

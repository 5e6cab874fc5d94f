use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use waypost_spool::{CopyReader, Error};
use waypost_wire::smtp::content::Encoder;
use waypost_wire::smtp::{Asked, Reply};

use super::body::{Body, Found};
use crate::backend::{Broken, Connection};
use crate::outcome::Loss;
use crate::transaction::Opening;

/// How much is encoded before it is written.
const BATCH: usize = 64 * 1024;

/// One mail transaction on one back-end connection, from DATA on.
pub(crate) struct Transfer {
    opening: Opening,
    stage: Stage,
    encoder: Encoder,
    /// How much of the content has been taken.
    place: u64,
    /// Reads what the window has lost.
    copy: Copy,
    /// Since when the back end has taken nothing of what waits for it.
    stalled: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// DATA has been said.
    Opening,
    /// Content goes there.
    Open,
    /// All content has been taken.
    Ending,
    /// All content is with the system.
    Sent,
    /// The dot is to be sent.
    Dotting,
    /// It is with the system.
    Dotted,
    /// Every reply has come, or DATA was refused.
    Over,
    /// The connection is of no more use.
    Lost,
}

/// Where octets come from that are only in the copy.
enum Copy {
    None,
    Idle(CopyReader),
    Reading(Pin<Box<dyn Future<Output = Read> + Send>>),
}

/// A reader with what it has read, and how much that is.
type Read = (CopyReader, Vec<u8>, Result<usize, Error>);

/// What has happened on a transfer.
#[derive(Debug)]
pub(crate) enum TransferEvent {
    /// 354.
    Opened,
    /// Another answer to DATA.
    Refused(Reply),
    /// All content has been sent, or would go out together with the dot.
    Sent,
    /// The dot has been sent.
    DotSent,
    /// The final reply of that leg.
    Replied(usize, Reply),
    /// The connection is of no more use; with what the back end did, where it did something.
    Lost(Loss, Option<Broken>),
}

impl Transfer {
    /// Says DATA.
    pub(crate) fn new(mut opening: Opening, copy: Option<CopyReader>) -> Self {
        let connection = &mut opening.connection;
        if opening.lost.is_none() {
            connection.back.data(&mut connection.link.out);
        }
        Self {
            opening,
            stage: Stage::Opening,
            encoder: Encoder::new(),
            place: 0,
            copy: copy.map_or(Copy::None, Copy::Idle),
            stalled: None,
        }
    }

    /// How much of the content it has taken; none where it takes no more.
    pub(crate) fn place(&self) -> Option<u64> {
        matches!(self.stage, Stage::Opening | Stage::Open).then_some(self.place)
    }

    /// When it has taken nothing for too long.
    pub(crate) fn deadline(&self, patience: Duration) -> Option<Instant> {
        self.stalled.map(|since| since + patience)
    }

    /// Whether every reply has come on a connection that can serve again.
    pub(crate) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.opening.connection
    }

    /// The connection, for the next transaction.
    pub(crate) fn into_connection(self) -> Connection {
        self.opening.connection
    }

    /// The message ends here.
    pub(crate) fn send_dot(&mut self) {
        if matches!(self.stage, Stage::Ending | Stage::Sent) {
            let connection = &mut self.opening.connection;
            connection.back.end_of_data(&mut connection.link.out);
            self.stage = Stage::Dotting;
        }
    }

    /// Goes as far as it can. With `together` the last of the content waits for the dot, so that
    /// both go out in one.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        body: &Body,
        together: bool,
        patience: Duration,
    ) -> Poll<TransferEvent> {
        if matches!(self.stage, Stage::Over | Stage::Lost) {
            return Poll::Pending;
        }
        if let Some(loss) = self.opening.lost.take() {
            return Poll::Ready(self.lose(loss, None));
        }
        // What a back end says comes first: before it is asked, nothing may.
        match self.poll_reply(cx) {
            Poll::Ready(Ok(event)) => return Poll::Ready(event),
            Poll::Ready(Err(broken)) => return Poll::Ready(self.lose(broken.loss(), Some(broken))),
            Poll::Pending => {}
        }
        match self.poll_send(cx, body, together) {
            Ok(Some(event)) => return Poll::Ready(event),
            Ok(None) => {}
            Err((loss, broken)) => return Poll::Ready(self.lose(loss, broken)),
        }
        if self.deadline(patience).is_some_and(|at| Instant::now() >= at) {
            return Poll::Ready(self.lose(Loss::Stalled, None));
        }
        Poll::Pending
    }

    fn lose(&mut self, loss: Loss, broken: Option<Broken>) -> TransferEvent {
        self.stage = Stage::Lost;
        self.stalled = None;
        TransferEvent::Lost(loss, broken)
    }

    fn poll_reply(&mut self, cx: &mut Context<'_>) -> Poll<Result<TransferEvent, Broken>> {
        loop {
            let (asked, reply) = std::task::ready!(self.opening.connection.poll_reply(cx))?;
            let event = match asked {
                Asked::Data if reply.is_intermediate() => {
                    self.stage = Stage::Open;
                    TransferEvent::Opened
                }
                Asked::Data => {
                    self.stage = if reply.is_goodbye() { Stage::Lost } else { Stage::Over };
                    TransferEvent::Refused(reply)
                }
                Asked::EndOfData => self.replied(0, reply),
                Asked::Delivered(number) => match self.opening.leg_of(number) {
                    Some(leg) => self.replied(leg, reply),
                    None => continue,
                },
                Asked::Mail | Asked::Recipient(_) | Asked::Reset | Asked::Quit => continue,
            };
            return Poll::Ready(Ok(event));
        }
    }

    fn replied(&mut self, leg: usize, reply: Reply) -> TransferEvent {
        if self.opening.connection.back.pending() == 0 {
            self.stage = if reply.is_goodbye() { Stage::Lost } else { Stage::Over };
            self.stalled = None;
            self.opening.connection.finished();
        }
        TransferEvent::Replied(leg, reply)
    }

    /// Takes content and sends it, as much as there is and the system takes.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        body: &Body,
        together: bool,
    ) -> Result<Option<TransferEvent>, (Loss, Option<Broken>)> {
        loop {
            if self.stage == Stage::Open {
                self.take(cx, body).map_err(|loss| (loss, None))?;
            }
            if self.stage == Stage::Ending && together {
                self.stage = Stage::Sent;
                return Ok(Some(TransferEvent::Sent));
            }
            if self.stage == Stage::Sent || !self.opening.connection.link.has_unsent() {
                // What waits for the dot, or for more content, waits for nobody's sake.
                self.stalled = None;
            }
            let held = self.stage == Stage::Sent && together;
            if !held && self.opening.connection.link.has_unsent() {
                let (moved, flushed) = self.opening.connection.link.poll_flush(cx);
                if moved {
                    self.stalled = None;
                }
                match flushed {
                    Poll::Pending => {
                        self.stalled.get_or_insert_with(Instant::now);
                        return Ok(None);
                    }
                    Poll::Ready(Err(error)) => return Err((Loss::Closed, Some(error.into()))),
                    Poll::Ready(Ok(())) => self.stalled = None,
                }
                if self.stage == Stage::Open {
                    // There may be more to take.
                    continue;
                }
            }
            return Ok(match self.stage {
                Stage::Ending => {
                    self.stage = Stage::Sent;
                    Some(TransferEvent::Sent)
                }
                Stage::Dotting => {
                    self.stage = Stage::Dotted;
                    Some(TransferEvent::DotSent)
                }
                _ => None,
            });
        }
    }

    /// Encodes content until there is enough for a write, or no more.
    fn take(&mut self, cx: &mut Context<'_>, body: &Body) -> Result<(), Loss> {
        let out = &mut self.opening.connection.link.out;
        while out.len() < BATCH {
            match body.at(self.place) {
                Found::Octets(octets) => {
                    let octets = octets.get(..BATCH).unwrap_or(octets);
                    self.encoder.push(octets, out);
                    self.place += octets.len() as u64;
                }
                Found::NotYet => return Ok(()),
                Found::End => {
                    self.encoder.end(out);
                    self.stage = Stage::Ending;
                    return Ok(());
                }
                Found::InCopy => {
                    let Poll::Ready(octets) = self.copy.poll_read(cx, self.place) else {
                        return Ok(());
                    };
                    // The disk's trouble, and nobody else's: the leg comes too late.
                    let octets = octets.filter(|octets| !octets.is_empty()).ok_or(Loss::Stalled)?;
                    self.encoder.push(&octets, out);
                    self.place += octets.len() as u64;
                }
            }
        }
        Ok(())
    }
}

impl Copy {
    /// The octets at `place`: none where they cannot be read.
    fn poll_read(&mut self, cx: &mut Context<'_>, place: u64) -> Poll<Option<Vec<u8>>> {
        loop {
            match std::mem::replace(self, Self::None) {
                Self::None => return Poll::Ready(None),
                Self::Idle(mut reader) => {
                    *self = Self::Reading(Box::pin(async move {
                        let mut buffer = vec![0; BATCH];
                        let read = reader.read_at(place, &mut buffer).await;
                        (reader, buffer, read)
                    }));
                }
                Self::Reading(mut reading) => match reading.as_mut().poll(cx) {
                    Poll::Pending => {
                        *self = Self::Reading(reading);
                        return Poll::Pending;
                    }
                    Poll::Ready((reader, mut buffer, read)) => {
                        *self = Self::Idle(reader);
                        return Poll::Ready(read.ok().map(|count| {
                            buffer.truncate(count);
                            buffer
                        }));
                    }
                },
            }
        }
    }
}

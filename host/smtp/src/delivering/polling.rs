//! Finding out what happens next: the disk, the client, the back ends and the clock.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use waypost_net::session::SessionRecord;
use waypost_spool::Error;
use waypost_wire::smtp::{EnhancedCode, Reply};

use super::disk::DiskEvent;
use super::transfer::Transfer;
use super::{Delivering, Happened, Lost};
use crate::client::{Client, Content};
use crate::legs::Event;

/// How often a session that waits shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// The client has sent more than it had said (RFC 1870 section 6.3).
const BEYOND_DECLARED: Reply =
    Reply::new(552, EnhancedCode::new(5, 3, 4), "The message is larger than it was said to be.");

impl Delivering {
    /// Looks at everybody until something has happened.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut client: Option<&mut Client>,
        record: Option<&SessionRecord>,
    ) -> Poll<Happened> {
        loop {
            if let Poll::Ready(Some(happened)) = self.poll_disk(cx) {
                return Poll::Ready(happened);
            }
            let mut moved = false;
            if let Some(client) = client.as_deref_mut() {
                match self.poll_client(cx, client) {
                    Poll::Ready(Some(happened)) => return Poll::Ready(happened),
                    Poll::Ready(None) => moved = true,
                    Poll::Pending => {}
                }
            }
            if let Poll::Ready(happened) = self.poll_transfers(cx) {
                return Poll::Ready(happened);
            }
            let had_room = self.may_receive();
            self.trim();
            // Whoever was held up and is not any more has to be looked at again.
            if !moved && had_room == self.may_receive() {
                break;
            }
        }
        if let Some(record) = record {
            record.touch();
            // Once the message is whole, what is decided about it is to be told.
            if !self.body.has_ended()
                && let Poll::Ready(reason) = record.poll_ended(cx)
            {
                return Poll::Ready(Happened::Lost(Lost::Ended(reason)));
            }
        }
        self.poll_timer(cx)
    }

    /// `Ready(None)`: the disk is ready for more.
    fn poll_disk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Happened>> {
        loop {
            let event = match std::task::ready!(self.disk.poll(cx)) {
                DiskEvent::Appended(Ok(())) => continue,
                DiskEvent::Appended(Err(Error::BeyondReservation)) => {
                    Event::Spoilt(BEYOND_DECLARED)
                }
                DiskEvent::Appended(Err(error)) | DiskEvent::Synced(Err(error)) => {
                    self.note_disk(&error);
                    Event::CopyFailed
                }
                DiskEvent::Synced(Ok(())) => Event::CopySynced,
                DiskEvent::Kept(Ok(kept)) => return Poll::Ready(Some(Happened::Kept(kept))),
                DiskEvent::Kept(Err(error)) => {
                    self.note_disk(&error);
                    Event::PromiseFailed
                }
            };
            return Poll::Ready(Some(Happened::Event(event)));
        }
    }

    /// Whether content may come from the client.
    fn may_receive(&self) -> bool {
        self.receiving.is_some() && self.body.has_room() && !self.disk.is_busy()
    }

    /// `Ready(None)`: some content has come.
    fn poll_client(&mut self, cx: &mut Context<'_>, client: &mut Client) -> Poll<Option<Happened>> {
        let mut moved = false;
        while self.may_receive() {
            self.scratch.clear();
            let Poll::Ready(content) = client.poll_content(cx, &mut self.scratch) else { break };
            moved = true;
            self.receiving = Some(Instant::now());
            if !self.scratch.is_empty() {
                self.body.push(&self.scratch);
                self.disk.append(&self.scratch);
            }
            let happened = match content {
                Content::More => continue,
                Content::Spoilt(reply) => Happened::Event(Event::Spoilt(reply)),
                Content::Ended => {
                    self.receiving = None;
                    self.body.end();
                    Happened::Event(Event::Ended)
                }
                Content::Reset => Happened::Lost(Lost::Reset),
                Content::Closed(reason) => Happened::Lost(Lost::Closed(reason)),
                Content::Gone(error) => Happened::Lost(Lost::Gone(error)),
            };
            return Poll::Ready(Some(happened));
        }
        if moved { Poll::Ready(None) } else { Poll::Pending }
    }

    fn poll_transfers(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        let patience = self.setting.settings.stall_timeout;
        for number in 0..self.transfers.len() {
            let Some(Some(transfer)) = self.transfers.get_mut(number) else { continue };
            if let Poll::Ready(event) = transfer.poll(cx, &self.body, self.together, patience) {
                return Poll::Ready(self.heard(number, event));
            }
        }
        Poll::Pending
    }

    /// Lets go of content that nobody needs any more.
    fn trim(&mut self) {
        let slowest = self.transfers.iter().flatten().filter_map(Transfer::place).min();
        self.body.trim(slowest);
    }

    /// Looks at the clock: what is overdue, and when to look again.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Happened> {
        let now = Instant::now();
        let by_machine = self.delivery.deadline().map(Instant::from_std);
        if by_machine.is_some_and(|at| now >= at) {
            return Poll::Ready(Happened::Event(Event::Tick));
        }
        if self.receiving.is_some() && !self.may_receive() {
            // A client that is held up is not to blame for its silence.
            self.receiving = Some(now);
        }
        let by_client = self.receiving.map(|since| since + self.setting.settings.data_timeout);
        if by_client.is_some_and(|at| now >= at) {
            return Poll::Ready(Happened::Lost(Lost::Timeout));
        }
        let patience = self.setting.settings.stall_timeout;
        let stalls = self.transfers.iter().flatten().filter_map(|it| it.deadline(patience));
        let next = stalls.chain(by_machine).chain(by_client).min();
        let next = next.unwrap_or(now + HEARTBEAT).min(now + HEARTBEAT);
        std::task::ready!(self.timer.poll(cx, next));
        // A transfer that has stalled says so itself.
        if let Poll::Ready(happened) = self.poll_transfers(cx) {
            return Poll::Ready(happened);
        }
        // One that has taken something has made room: the client is to be looked at again.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

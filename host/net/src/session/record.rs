//! One session's record.

use std::fmt;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use super::table::Shared;
use super::{
    EndReason, HALF_CLOSED_LIMIT, LINGERING_LIMIT, SessionInfo, SessionKind, SessionRoute,
};
use crate::clock;

/// The bits of `state` that hold an [`EndReason`], and those that say that the session has less
/// time than others.
const REASON: u8 = 0b0000_0111;
const LINGERING: u8 = 0b0100_0000;
const HALF_CLOSED: u8 = 0b1000_0000;

/// What the table and the session share. It is held to about a hundred bytes by a test.
pub(super) struct Record {
    pub(super) id: u64,
    kind: Arc<SessionKind>,
    from_client: AtomicU64,
    from_backend: AtomicU64,
    contact: Mutex<Contact>,
    pub(super) slot: u32,
    started: u32,
    last_activity: AtomicU32,
    client_port: u16,
    state: AtomicU8,
    client: IpAddr,
}

/// What changes in the life of a session, but not with its traffic.
#[derive(Default)]
struct Contact {
    waker: Option<Waker>,
    route: Option<Arc<SessionRoute>>,
}

impl Record {
    pub(super) fn new(id: u64, slot: u32, kind: Arc<SessionKind>, client: SocketAddr) -> Self {
        let now = clock::seconds();
        Self {
            id,
            kind,
            from_client: AtomicU64::new(0),
            from_backend: AtomicU64::new(0),
            contact: Mutex::default(),
            slot,
            started: now,
            last_activity: AtomicU32::new(now),
            client_port: client.port(),
            state: AtomicU8::new(0),
            client: client.ip(),
        }
    }

    /// Tells the session to end; the first reason stands. Returns whether this is it.
    pub(super) fn end(&self, reason: EndReason) -> bool {
        let first = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
                (state & REASON == 0).then_some(state | reason as u8)
            })
            .is_ok();
        // The reason stands before the lock is taken: whoever stores a waker later sees it.
        let waker = self.contact.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
        first
    }

    fn reason(&self) -> Option<EndReason> {
        EndReason::from_bits(self.state.load(Ordering::Acquire) & REASON)
    }

    /// Whether the session has been silent for longer than it may.
    pub(super) fn is_overdue(&self, now: u32) -> bool {
        let limit = match self.state.load(Ordering::Relaxed) {
            state if state & LINGERING != 0 => LINGERING_LIMIT,
            state if state & HALF_CLOSED != 0 => HALF_CLOSED_LIMIT,
            _ => Duration::MAX,
        };
        self.idle(now) > limit.min(self.kind.idle_limit)
    }

    fn idle(&self, now: u32) -> Duration {
        let last = self.last_activity.load(Ordering::Relaxed);
        Duration::from_secs(now.saturating_sub(last).into())
    }

    pub(super) fn route(&self) -> Option<Arc<SessionRoute>> {
        self.contact.lock().route.clone()
    }

    pub(super) fn set_route(&self, route: Arc<SessionRoute>) -> Option<Arc<SessionRoute>> {
        self.contact.lock().route.replace(route)
    }

    pub(super) fn has_route(&self, user: &str, target: &str) -> bool {
        let contact = self.contact.lock();
        contact.route.as_ref().is_some_and(|route| &*route.user == user && &*route.target == target)
    }

    pub(super) fn take_route(&self) -> Option<Arc<SessionRoute>> {
        self.contact.lock().route.take()
    }

    /// Bytes from the client and from the back end.
    pub(super) fn relayed(&self) -> (u64, u64) {
        (self.from_client.load(Ordering::Relaxed), self.from_backend.load(Ordering::Relaxed))
    }

    pub(super) fn info(&self, now: u32) -> SessionInfo {
        let (from_client, from_backend) = self.relayed();
        SessionInfo {
            id: self.id,
            kind: self.kind.clone(),
            client: self.client,
            client_port: self.client_port,
            route: self.route(),
            age: Duration::from_secs(now.saturating_sub(self.started).into()),
            idle: self.idle(now),
            from_client,
            from_backend,
        }
    }
}

/// A session's hold on its record. The session is in the table as long as this lives.
pub struct SessionRecord {
    pub(super) record: Arc<Record>,
    pub(super) table: Arc<Shared>,
}

impl SessionRecord {
    /// The session's number, unique in the life of the process.
    pub fn id(&self) -> u64 {
        self.record.id
    }

    /// Notes whose session it is and where it goes, for the list.
    pub fn set_route(&self, user: &str, target: &str) {
        self.table.set_route(&self.record, user, target);
    }

    /// The session as it would be listed now.
    pub fn info(&self) -> SessionInfo {
        self.record.info(clock::seconds())
    }

    /// Notes that the session is alive.
    pub fn touch(&self) {
        self.record.last_activity.store(clock::seconds(), Ordering::Relaxed);
    }

    /// Waits until the session is ended from outside. Only the task that called last is woken.
    pub async fn ended(&self) -> EndReason {
        poll_fn(|cx| self.poll_ended(cx)).await
    }

    /// See [`SessionRecord::ended`].
    pub fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<EndReason> {
        let mut contact = self.record.contact.lock();
        if !contact.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            contact.waker = Some(cx.waker().clone());
        }
        drop(contact);
        self.record.reason().map_or(Poll::Pending, Poll::Ready)
    }

    /// Counts bytes from the client. Only the session itself writes here, so that no atomic
    /// addition is needed.
    pub fn count_from_client(&self, bytes: u64) {
        add(&self.record.from_client, bytes);
    }

    /// Counts bytes from the back end.
    pub fn count_from_backend(&self, bytes: u64) {
        add(&self.record.from_backend, bytes);
    }

    /// Notes that one side is gone, and the other has only to close.
    pub(crate) fn set_lingering(&self) {
        self.record.state.fetch_or(LINGERING, Ordering::Relaxed);
    }

    /// Notes that one side has said its last word.
    pub(crate) fn set_half_closed(&self) {
        self.record.state.fetch_or(HALF_CLOSED, Ordering::Relaxed);
    }
}

fn add(counter: &AtomicU64, bytes: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(bytes), Ordering::Relaxed);
}

impl Drop for SessionRecord {
    fn drop(&mut self) {
        self.table.close(&self.record);
    }
}

impl fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionRecord").field("id", &self.record.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::Record;

    #[test]
    fn a_record_is_small() {
        // Two counters of references come on top.
        assert!(size_of::<Record>() <= 112, "{} bytes", size_of::<Record>());
    }
}

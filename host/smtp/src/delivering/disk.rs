use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use waypost_spool::{CopyReader, Draft, Error, Kept};

/// The copy of a message under way, which is written while everything else goes on. Dropping it
/// removes the copy, and undoes a promise that has not been made.
pub(crate) struct Disk {
    state: State,
    /// To be synced as soon as it is ready for that.
    sync_due: bool,
}

enum State {
    /// There is no copy, or none any more.
    Nothing,
    Idle(Box<Draft>),
    Busy(Pin<Box<dyn Future<Output = Done> + Send>>),
}

enum Done {
    Appended(Box<Draft>, Result<(), Error>),
    Synced(Box<Draft>, Result<(), Error>),
    Kept(Result<Kept, Error>),
}

/// What the disk has finished.
pub(crate) enum DiskEvent {
    /// It is ready for more of the copy.
    Appended(Result<(), Error>),
    Synced(Result<(), Error>),
    Kept(Result<Kept, Error>),
}

impl Disk {
    /// No copy.
    pub(crate) const fn none() -> Self {
        Self { state: State::Nothing, sync_due: false }
    }

    /// This one.
    pub(crate) fn with(draft: Draft) -> Self {
        Self { state: State::Idle(Box::new(draft)), sync_due: false }
    }

    /// A reader of the copy.
    pub(crate) fn reader(&self) -> Option<CopyReader> {
        match &self.state {
            State::Idle(draft) => Some(draft.reader()),
            State::Nothing | State::Busy(_) => None,
        }
    }

    /// Whether it works, and takes nothing meanwhile.
    pub(crate) const fn is_busy(&self) -> bool {
        matches!(self.state, State::Busy(_))
    }

    /// Appends octets to the copy, where there is one. Not while it is busy.
    pub(crate) fn append(&mut self, octets: &[u8]) {
        let Some(mut draft) = self.take() else { return };
        let octets = octets.to_vec();
        self.state = State::Busy(Box::pin(async move {
            let result = draft.append(&octets).await;
            Done::Appended(draft, result)
        }));
    }

    /// Brings the copy to stable storage, when it is ready for that.
    pub(crate) fn sync(&mut self) {
        let Some(mut draft) = self.take() else {
            self.sync_due = self.is_busy();
            return;
        };
        self.state = State::Busy(Box::pin(async move {
            let result = draft.sync().await;
            Done::Synced(draft, result)
        }));
    }

    /// Makes the promise. Not while it is busy.
    pub(crate) fn keep(&mut self, record: Vec<u8>) {
        let Some(draft) = self.take() else { return };
        self.state = State::Busy(Box::pin(async move { Done::Kept(draft.keep(record).await) }));
    }

    /// Removes the copy; what is under way is undone.
    pub(crate) fn discard(&mut self) {
        *self = Self::none();
    }

    /// Waits for what it has been told to do.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<DiskEvent> {
        let State::Busy(work) = &mut self.state else { return Poll::Pending };
        let done = ready!(work.as_mut().poll(cx));
        let (draft, event) = match done {
            Done::Appended(draft, result) => (Some(draft), DiskEvent::Appended(result)),
            Done::Synced(draft, result) => (Some(draft), DiskEvent::Synced(result)),
            Done::Kept(result) => (None, DiskEvent::Kept(result)),
        };
        self.state = draft.map_or(State::Nothing, State::Idle);
        if std::mem::take(&mut self.sync_due) {
            self.sync();
        }
        Poll::Ready(event)
    }

    fn take(&mut self) -> Option<Box<Draft>> {
        match std::mem::replace(&mut self.state, State::Nothing) {
            State::Idle(draft) => Some(draft),
            other => {
                self.state = other;
                None
            }
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Nothing => "Nothing",
            State::Idle(_) => "Idle",
            State::Busy(_) => "Busy",
        })
    }
}

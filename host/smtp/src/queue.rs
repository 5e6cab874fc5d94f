//! The messages that are kept: when each is tried again, and by whom its record is written.
//!
//! A message's record has one writer at a time: whoever holds the lock of its [`Message`]. The queue
//! tries one message at a time once only, in a task of its own.

mod attempt;
mod delivery;
mod message;
mod report;
mod under_way;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::{Notify, Semaphore};
use tokio::time::sleep;
use waypost_routing::Decide;
use waypost_session::Grant;
use waypost_spool::{Id, Kept, Recovered, Spool};

use self::delivery::Lanes;
use self::message::MessageError;
pub(crate) use self::message::{Hearing, Message};
use self::under_way::UnderWay;
pub(crate) use self::under_way::Way;
use crate::record::{Record, RecordError, Schedule, UnixTime};
use crate::{Metrics, Service, Settings};

/// The longest that the queue sleeps: the clock on the wall may be set meanwhile.
const NAP: Duration = Duration::from_secs(30);
/// After how long a message that could not be worked on at all is looked at again.
const TROUBLE: Duration = Duration::from_secs(60);
/// A message that is older is worth a warning.
const OLD: Duration = Duration::from_secs(3600);

/// The messages that are kept.
pub struct Queue {
    spool: Spool,
    settings: Arc<Settings>,
    metrics: Metrics,
    messages: Mutex<Messages>,
    under_way: UnderWay,
    /// Something is due earlier than before, or nothing is taken up any more.
    changed: Notify,
}

#[derive(Default)]
struct Messages {
    all: HashMap<Id, Entry>,
    /// When each is due that is not being tried.
    due: BTreeSet<(UnixTime, Id)>,
}

struct Entry {
    message: Arc<Message>,
    /// When it is due; none while it is being tried.
    next: Option<UnixTime>,
    /// An operator wants it tried, whenever it would be due.
    forced: bool,
}

/// Why an operator's wish is not granted.
#[derive(Debug, Error)]
pub enum OperateError {
    /// There is no such message.
    #[error("there is no message {0}")]
    Unknown(Id),
    /// It is being delivered at this moment.
    #[error("the message {0} is being delivered at this moment")]
    Busy(Id),
    /// The spool's word.
    #[error("{0}")]
    Spool(#[from] waypost_spool::Error),
    /// Its record is none.
    #[error("{0}")]
    Record(#[from] RecordError),
}

impl From<MessageError> for OperateError {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::Spool(error) => Self::Spool(error),
            MessageError::Record(error) => Self::Record(error),
        }
    }
}

/// A message that is due.
struct Due {
    message: Arc<Message>,
    forced: bool,
    /// Its attempt counts until it has ended.
    _way: Way,
}

impl Queue {
    /// Over `spool`, with the messages that it has kept over the restart.
    pub fn new(
        spool: Spool,
        recovered: Vec<Recovered>,
        settings: Arc<Settings>,
        metrics: Metrics,
    ) -> Arc<Self> {
        let queue = Self {
            spool,
            settings,
            metrics,
            messages: Mutex::default(),
            under_way: UnderWay::new(),
            changed: Notify::new(),
        };
        for Recovered { message, record } in recovered {
            let id = message.id();
            let next = match Record::from_bytes(&record) {
                Ok(record) => record.next().unwrap_or_else(now),
                Err(error) => {
                    // It stays where it is, for the operator to look at.
                    tracing::error!(
                        target: "waypost::queue",
                        %id, %error, "a record cannot be read"
                    );
                    continue;
                }
            };
            queue.insert(Arc::new(Message::new(message)), next);
        }
        Arc::new(queue)
    }

    /// Tries kept messages again, until [`stop`](Self::stop). To be run where nothing of a session
    /// runs.
    pub async fn run<P: Decide>(self: Arc<Self>, service: Arc<Service<P>>)
    where
        P::Targets: Grant,
    {
        let permits = Arc::new(Semaphore::new(self.settings.max_deliveries.get()));
        let lanes = Arc::new(Lanes::new(self.settings.max_deliveries_per_target));
        let watch = self.watch();
        let work = async {
            loop {
                let Ok(permit) = permits.clone().acquire_owned().await else { return };
                let Some(due) = self.next_due().await else { return };
                let (queue, service, lanes) = (self.clone(), service.clone(), lanes.clone());
                tokio::spawn(async move {
                    let id = due.message.id();
                    let trying = queue.clone();
                    let attempt = async move { trying.attempt(&service, &lanes, due).await };
                    // One that breaks off is not the message's end.
                    if tokio::spawn(attempt).await.is_err() {
                        queue.schedule(id, now().after(TROUBLE));
                    }
                    drop(permit);
                });
            }
        };
        tokio::join!(watch, work);
    }

    /// The ids of the messages that are kept, the oldest first.
    pub fn ids(&self) -> Vec<Id> {
        let mut ids: Vec<Id> = self.messages.lock().all.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// What is known of a message.
    ///
    /// # Errors
    /// Where there is none, or its record cannot be read.
    pub async fn show(&self, id: Id) -> Result<Record, OperateError> {
        let message = self.find(id)?;
        Ok(message.read().await?)
    }

    /// Has a message tried as soon as may be, whenever it would be due.
    ///
    /// # Errors
    /// Where there is none, or where a back end that may have it is still being heard.
    pub fn retry_now(&self, id: Id) -> Result<(), OperateError> {
        let mut messages = self.messages.lock();
        let entry = messages.all.get_mut(&id).ok_or(OperateError::Unknown(id))?;
        if entry.message.is_heard() {
            return Err(OperateError::Busy(id));
        }
        entry.forced = true;
        if let Some(next) = entry.next.replace(now()) {
            messages.due.remove(&(next, id));
            messages.due.insert((now(), id));
        } else {
            entry.next = None;
        }
        drop(messages);
        self.changed.notify_one();
        Ok(())
    }

    /// Forgets a message: it is delivered to nobody any more, and nobody is told.
    ///
    /// # Errors
    /// Where there is none, where it is being delivered, or where it cannot be removed.
    pub async fn drop_message(&self, id: Id) -> Result<(), OperateError> {
        let message = {
            let mut messages = self.messages.lock();
            let entry = messages.all.get_mut(&id).ok_or(OperateError::Unknown(id))?;
            let Some(next) = entry.next.filter(|_| !entry.message.is_heard()) else {
                return Err(OperateError::Busy(id));
            };
            // Nobody else takes it up meanwhile.
            entry.next = None;
            let message = entry.message.clone();
            messages.due.remove(&(next, id));
            message
        };
        if let Err(error) = message.remove().await {
            self.schedule(id, now());
            return Err(error.into());
        }
        self.forget(id);
        tracing::warn!(target: "waypost::queue", %id, "a message was dropped by the operator");
        Ok(())
    }

    /// Takes up no message any more. What is under way goes on.
    pub fn stop(&self) {
        // Under the lock: whatever was taken up before is counted already.
        let messages = self.messages.lock();
        self.under_way.stop();
        drop(messages);
        self.changed.notify_one();
    }

    /// How many attempts are under way, and how many late back ends are heard.
    pub fn under_way(&self) -> usize {
        self.under_way.count()
    }

    /// Waits until nothing is under way. After [`stop`](Self::stop), and once no session may leave
    /// a late back end behind, that stays so.
    pub async fn settled(&self) {
        self.under_way.settled().await;
    }

    /// Finishes what the spool has been told, and lets go of it. What is kept is found again at the
    /// next start.
    pub async fn close(&self) {
        self.spool.close().await;
    }

    /// Whether nothing is to be begun any more.
    pub(crate) fn is_stopping(&self) -> bool {
        self.under_way.is_stopping()
    }

    /// Something begins that is to be waited for before the end.
    pub(crate) fn enter(&self) -> Way {
        self.under_way.enter()
    }

    pub(crate) fn spool(&self) -> &Spool {
        &self.spool
    }

    /// Takes over a message that has just been promised, and whose back ends are heard still.
    pub(crate) fn adopt(&self, kept: Kept, record: &Record) -> Hearing {
        let hearing = Hearing::new(Arc::new(Message::new(kept)));
        self.insert(hearing.message().clone(), record.next().unwrap_or_else(now));
        hearing
    }

    /// How retries are spaced.
    pub(crate) fn pace(&self) -> Schedule {
        pace(&self.settings)
    }

    /// Notes when a message is due next.
    pub(crate) fn schedule(&self, id: Id, next: UnixTime) {
        let mut messages = self.messages.lock();
        let Some(entry) = messages.all.get_mut(&id) else { return };
        let next = if entry.forced { now() } else { next };
        if let Some(before) = entry.next.replace(next) {
            messages.due.remove(&(before, id));
        }
        messages.due.insert((next, id));
        drop(messages);
        self.changed.notify_one();
    }

    /// Notes when a message is due next, unless it is being tried: then that says so.
    pub(crate) fn reschedule(&self, id: Id, next: UnixTime) {
        let idle = self.messages.lock().all.get(&id).is_some_and(|entry| entry.next.is_some());
        if idle {
            self.schedule(id, next);
        }
    }

    fn insert(&self, message: Arc<Message>, next: UnixTime) {
        let id = message.id();
        let mut messages = self.messages.lock();
        messages.all.insert(id, Entry { message, next: Some(next), forced: false });
        messages.due.insert((next, id));
        self.metrics.queued(messages.all.len());
        drop(messages);
        self.changed.notify_one();
    }

    fn forget(&self, id: Id) {
        let mut messages = self.messages.lock();
        if let Some(Entry { next: Some(next), .. }) = messages.all.remove(&id) {
            messages.due.remove(&(next, id));
        }
        self.metrics.queued(messages.all.len());
    }

    fn find(&self, id: Id) -> Result<Arc<Message>, OperateError> {
        let messages = self.messages.lock();
        let entry = messages.all.get(&id).ok_or(OperateError::Unknown(id))?;
        Ok(entry.message.clone())
    }

    /// Waits until a message is due. From now on it is being tried. `None`: none is, ever again.
    async fn next_due(&self) -> Option<Due> {
        loop {
            let wait = {
                let mut messages = self.messages.lock();
                if self.is_stopping() {
                    return None;
                }
                let now = SystemTime::now();
                match messages.due.first().copied() {
                    Some((at, id)) if at <= now.into() => {
                        messages.due.pop_first();
                        let Some(entry) = messages.all.get_mut(&id) else { continue };
                        entry.next = None;
                        let forced = std::mem::take(&mut entry.forced);
                        let message = entry.message.clone();
                        return Some(Due { message, forced, _way: self.enter() });
                    }
                    Some((at, _)) => at.still(now).min(NAP),
                    None => NAP,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// Says so when messages grow old.
    async fn watch(&self) {
        let mut warned: Option<SystemTime> = None;
        loop {
            let now = SystemTime::now();
            self.spool.observe(now);
            let age = self.spool.oldest().and_then(|oldest| now.duration_since(oldest).ok());
            let again = warned.is_none_or(|at| now.duration_since(at).is_ok_and(|it| it >= OLD));
            match age {
                Some(age) if age > OLD => {
                    if again {
                        warned = Some(now);
                        tracing::warn!(
                            target: "waypost::queue",
                            messages = self.messages.lock().all.len(),
                            minutes = age.as_secs() / 60,
                            "messages cannot be delivered"
                        );
                    }
                }
                _ => warned = None,
            }
            sleep(NAP).await;
        }
    }
}

/// How retries are spaced.
pub(crate) fn pace(settings: &Settings) -> Schedule {
    Schedule {
        expire_after: settings.expire_after,
        retry_after: settings.retry_after,
        retry_at_most: settings.retry_at_most,
    }
}

/// The time on the wall.
pub(crate) fn now() -> UnixTime {
    UnixTime::from(SystemTime::now())
}

/// What makes those who failed together not come back together.
pub(crate) fn chance() -> f64 {
    rand::random()
}

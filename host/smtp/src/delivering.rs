//! A message on its way: the machine that decides, and everything that it moves.
//!
//! One task does all of it. What a back end, the disk or the client does next is found out by
//! polling them, so that a message to one back end costs no hand-over between tasks.

mod body;
mod disk;
mod polling;
mod task;
mod timer;
mod transfer;

use std::collections::VecDeque;
use std::future::poll_fn;

use tokio::time::Instant;
use waypost_net::session::SessionRecord;
use waypost_spool::{Error, Kept};
use waypost_wire::smtp::Reply;

use self::body::Body;
use self::disk::Disk;
pub(crate) use self::task::{Lost, Setting, Source, Task};
use self::timer::Timer;
use self::transfer::{Transfer, TransferEvent};
use crate::Settings;
use crate::backend::{Broken, Connection};
use crate::client::Client;
use crate::fail_point::{FailPoint, FailPoints};
use crate::legs::{Action, Delivery, Event, Mode, Plan, Timings};
use crate::offer::note_fault;
use crate::outcome::Loss;
use crate::transaction::Opening;
use crate::translate::{Situation, Translated};

/// How much of a message is in memory at most: for those who are slower than its client.
const WINDOW: usize = 256 * 1024;
/// A message on its way.
pub(crate) struct Delivering {
    pub(crate) id: String,
    setting: Setting,
    pub(crate) delivery: Delivery,
    transfers: Vec<Option<Transfer>>,
    body: Body,
    disk: Disk,
    /// Whether the last of the content goes out with the dot: where nothing is synced in between.
    together: bool,
    /// When the client sent something last; none where it is not its turn.
    receiving: Option<Instant>,
    timer: Timer,
    /// What the machine wants done.
    actions: VecDeque<Action>,
    scratch: Vec<u8>,
}

/// What has happened.
enum Happened {
    Event(Event),
    DotSent,
    Kept(Kept),
    Lost(Lost),
}

impl Delivering {
    /// Sends DATA to every back end. [`Delivering::next`] does the rest.
    pub(crate) async fn begin(
        setting: Setting,
        id: String,
        plan: Plan,
        openings: Vec<Opening>,
        source: Source,
    ) -> Self {
        let together = plan.mode() != Mode::Copied;
        let has_client = matches!(source, Source::Client { .. });
        let (body, disk, mut readers) = match source {
            Source::Copy { length, readers } => (Body::in_copy(length), Disk::none(), readers),
            Source::Whole(octets) => {
                let mut body = Body::new(octets.len(), false);
                body.push(&octets);
                body.end();
                (body, Disk::none(), Vec::new())
            }
            Source::Client { trace, draft } => {
                let mut body = Body::new(WINDOW, draft.is_some());
                body.push(&trace);
                let mut disk = draft.map_or_else(Disk::none, Disk::with);
                let readers = openings.iter().filter_map(|_| disk.reader()).collect();
                disk.append(&trace);
                (body, disk, readers)
            }
        };
        let now = Instant::now().into_std();
        let timings = timings(&setting.settings);
        // From the spool a large message may take a slow link as long as it needs.
        let timings = if has_client { timings } else { timings.without_client() };
        let mut delivering = Self {
            delivery: Delivery::new(plan, timings, &id, now),
            id,
            transfers: Vec::with_capacity(openings.len()),
            body,
            disk,
            together,
            receiving: None,
            timer: Timer::default(),
            actions: VecDeque::new(),
            scratch: Vec::new(),
            setting,
        };
        delivering.pass(FailPoint::BeforeData).await;
        for opening in openings {
            delivering.transfers.push(Some(Transfer::new(opening, readers.pop())));
        }
        delivering
    }

    /// Goes on until its driver has something to do. Cancelled, it goes on where it was the next
    /// time. `client` is needed as long as it has not been answered.
    pub(crate) async fn next(
        &mut self,
        mut client: Option<&mut Client>,
        record: Option<&SessionRecord>,
    ) -> Task {
        loop {
            while let Some(action) = self.actions.pop_front() {
                if let Some(task) = self.carry_out(action).await {
                    return task;
                }
            }
            if self.delivery.is_finished() {
                return Task::Finished;
            }
            if client.is_some() && self.delivery.is_answered() {
                return Task::HearOn;
            }
            let happened = poll_fn(|cx| self.poll(cx, client.as_deref_mut(), record)).await;
            match happened {
                Happened::Event(event) => {
                    if let Some(point) = point_of(&event) {
                        self.pass(point).await;
                    }
                    self.advance(event);
                }
                Happened::DotSent => self.pass(FailPoint::AfterDot).await,
                Happened::Kept(kept) => {
                    self.pass(FailPoint::AfterPromise).await;
                    self.advance(Event::PromiseSynced);
                    return Task::Kept(kept);
                }
                Happened::Lost(lost) => {
                    self.receiving = None;
                    self.advance(Event::ClientLost);
                    if self.delivery.is_finished() {
                        self.drop_everything();
                        return Task::ClientLost(lost);
                    }
                }
            }
        }
    }

    /// Whether there is, or will be, more to write of the message than its promise says.
    pub(crate) fn has_more_to_say(&self) -> bool {
        let is_news = |action: &Action| matches!(action, Action::Update { .. });
        self.delivery.is_awaited() || self.actions.iter().any(is_news)
    }

    /// The client has been let send its content.
    pub(crate) fn receive(&mut self) {
        self.receiving = Some(Instant::now());
    }

    /// The content is whole: it comes from a copy.
    pub(crate) fn ended(&mut self) {
        self.advance(Event::Ended);
    }

    /// Makes the promise.
    pub(crate) fn keep(&mut self, record: Vec<u8>) {
        self.disk.keep(record);
    }

    /// The connections on which every reply has come: they can serve again.
    pub(crate) fn take_connections(&mut self) -> Vec<Connection> {
        let over = |place: &mut Option<Transfer>| place.take_if(|transfer| transfer.is_over());
        self.transfers.iter_mut().filter_map(over).map(Transfer::into_connection).collect()
    }

    pub(crate) fn fail_points(&self) -> &FailPoints {
        &self.setting.fail_points
    }

    /// How much content there was.
    pub(crate) fn size(&self) -> u64 {
        self.body.len()
    }

    /// Passes a fail point, without holding on to anything.
    pub(crate) fn pass(&self, point: FailPoint) -> impl Future<Output = ()> + Send + use<> {
        let fail_points = self.setting.fail_points.clone();
        async move { fail_points.pass(point).await }
    }

    fn advance(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.delivery.advance(event, Instant::now().into_std(), &mut actions);
        self.actions.extend(actions);
    }

    /// `None`: done here.
    async fn carry_out(&mut self, action: Action) -> Option<Task> {
        match action {
            Action::Continue => return Some(Task::Continue),
            Action::Refuse(reply) => return Some(Task::Refuse(reply)),
            Action::Answer(replies) => return Some(Task::Answer(replies)),
            Action::WritePromise(promised) => {
                self.pass(FailPoint::BeforePromise).await;
                return Some(Task::Promise(promised));
            }
            Action::Update { recipients, outcome } => {
                return Some(Task::Update { recipients, outcome });
            }
            Action::Discard => self.body.discard(),
            Action::SyncCopy => {
                self.pass(FailPoint::BeforeCopySync).await;
                self.disk.sync();
            }
            Action::SendDot { transfer } => {
                self.pass(FailPoint::BeforeDot).await;
                if let Some(transfer) = self.transfer(transfer) {
                    transfer.send_dot();
                }
            }
            Action::Abandon { transfer } => {
                if let Some(place) = self.transfers.get_mut(transfer) {
                    *place = None;
                }
            }
            Action::DropCopy => {
                self.pass(FailPoint::BeforeCopyDrop).await;
                self.disk.discard();
            }
            // It stays where it is; the driver sees by `is_finished` that there is more to hear.
            Action::HearOn { .. } => {}
        }
        None
    }

    /// What the machine hears of a transfer.
    fn heard(&mut self, transfer: usize, event: TransferEvent) -> Happened {
        Happened::Event(match event {
            TransferEvent::Opened => Event::Opened { transfer },
            TransferEvent::Sent => Event::Sent { transfer },
            TransferEvent::DotSent => return Happened::DotSent,
            TransferEvent::Refused(reply) => {
                let reply = self.translated(transfer, Situation::Data, &reply);
                Event::Refused { transfer, reply }
            }
            TransferEvent::Replied(leg, reply) => {
                let reply = self.translated(transfer, Situation::Final, &reply);
                Event::Replied { transfer, leg, reply }
            }
            TransferEvent::Lost(loss, broken) => {
                self.note_loss(transfer, loss, broken.as_ref());
                if let Some(place) = self.transfers.get_mut(transfer) {
                    *place = None;
                }
                Event::Lost { transfer, loss }
            }
        })
    }

    fn translated(&self, transfer: usize, situation: Situation, reply: &Reply) -> Translated {
        let translated = Translated::new(situation, reply);
        if let (Some(fault), Some(Some(transfer))) =
            (translated.fault(), self.transfers.get(transfer))
        {
            let target = &transfer.connection().target;
            note_fault(&self.id, target, fault.as_str(), reply, self.setting.clear);
        }
        translated
    }

    fn transfer(&mut self, number: usize) -> Option<&mut Transfer> {
        self.transfers.get_mut(number)?.as_mut()
    }

    fn drop_everything(&mut self) {
        self.actions.clear();
        self.transfers.clear();
        self.disk.discard();
    }

    fn note_loss(&self, transfer: usize, loss: Loss, broken: Option<&Broken>) {
        self.setting.metrics.leg_lost(loss.as_str());
        let Some(Some(transfer)) = self.transfers.get(transfer) else { return };
        let clear = self.setting.clear;
        tracing::warn!(
            target: "waypost::smtp",
            id = self.id, target = %transfer.connection().target, reason = loss.as_str(),
            detail = broken.map(|broken| broken.detail(clear)),
            "a back end did not finish"
        );
    }

    fn note_disk(&self, error: &Error) {
        self.setting.metrics.spool_failed();
        tracing::error!(target: "waypost::smtp", id = self.id, %error, "the spool failed");
    }
}

/// Where an event stands among the changes of state.
const fn point_of(event: &Event) -> Option<FailPoint> {
    match event {
        Event::Opened { .. } => Some(FailPoint::AfterData),
        Event::Ended => Some(FailPoint::Ended),
        Event::CopySynced => Some(FailPoint::AfterCopySync),
        Event::Replied { .. } => Some(FailPoint::Replied),
        _ => None,
    }
}

fn timings(settings: &Settings) -> Timings {
    Timings {
        stall: settings.stall_timeout,
        answer_within: settings.answer_within,
        reply: settings.reply_timeout,
        ..Timings::default()
    }
}

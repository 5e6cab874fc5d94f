//! A message on its way: the machine that decides, and everything that it moves.
//!
//! One task does all of it. What a back end, the disk or the client does next is found out by
//! polling them, so that a message to one back end costs no hand-over between tasks.

mod body;
mod disk;
mod transfer;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use waypost_net::session::{EndReason, SessionRecord};
use waypost_spool::{CopyReader, Draft, Error, Kept};
use waypost_wire::login::CloseReason;
use waypost_wire::smtp::{EnhancedCode, Reply};

use self::body::Body;
use self::disk::{Disk, DiskEvent};
use self::transfer::{Transfer, TransferEvent};
use crate::backend::{Broken, Connection};
use crate::client::{Client, Content};
use crate::fail_point::{FailPoint, FailPoints};
use crate::legs::{Action, Delivery, Event, Mode, Plan, Promised, Timings};
use crate::offer::note_fault;
use crate::outcome::{Loss, Outcome};
use crate::transaction::Opening;
use crate::translate::{Situation, Translated};
use crate::{Metrics, Settings};

/// How much of a message is in memory at most: for those who are slower than its client.
const WINDOW: usize = 256 * 1024;
/// How often a session that waits shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// The client has sent more than it had said (RFC 1870 section 6.3).
const BEYOND_DECLARED: Reply =
    Reply::new(552, EnhancedCode::new(5, 3, 4), "The message is larger than it was said to be.");

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

/// What it needs of its surroundings.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) settings: Arc<Settings>,
    pub(crate) metrics: Metrics,
    pub(crate) fail_points: FailPoints,
    /// Whether the log may show what back ends say.
    pub(crate) clear: bool,
}

/// Where the content comes from.
pub(crate) enum Source {
    /// From the client, behind what we say first; into this copy too, where there are several legs.
    Client { trace: Vec<u8>, draft: Option<Draft> },
    /// From a copy that is whole; with a reader for each transfer.
    Copy { length: u64, readers: Vec<CopyReader> },
    /// It is all here.
    Whole(Vec<u8>),
}

/// What its driver has to do.
pub(crate) enum Task {
    /// Let the client send its content.
    Continue,
    /// Answer the client: no content is wanted.
    Refuse(Reply),
    /// Answer the client.
    Answer(Vec<Reply>),
    /// Write the promise, by [`Delivering::keep`].
    Promise(Vec<Promised>),
    /// The promise stands: the message is the queue's.
    Kept(Kept),
    /// Write what became of a late leg.
    Update { recipients: Vec<usize>, outcome: Outcome },
    /// The client is gone, and nothing comes of the message.
    ClientLost(Lost),
    /// The client has been answered, and some legs are open: they are to be heard elsewhere.
    HearOn,
    /// Nothing more: the client has been answered, and no leg is open.
    Finished,
}

/// Why a client is taken for lost in the middle of a message.
#[derive(Debug)]
pub(crate) enum Lost {
    /// It has gone.
    Gone(std::io::Error),
    /// It has taken back what it began.
    Reset,
    /// The dialogue with it is over.
    Closed(CloseReason),
    /// It has said nothing for too long.
    Timeout,
    /// The session is ended from outside.
    Ended(EndReason),
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

    /// Looks at everybody until something has happened.
    fn poll(
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
            detail = broken.filter(|_| clear).map(tracing::field::display),
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

/// One timer for all that may be overdue.
#[derive(Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn poll(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }
}

use std::sync::Arc;
use std::time::{Duration, Instant};

use waypost_wire::smtp::Reply;

use super::ending::Ending;
use super::transfer::{State, Transfer};
use super::{Action, Event, Mode, Plan, Promised, Timings, wording};
use crate::outcome::{Loss, Outcome};

/// The delivery of one message. [`crate::legs`] says how it is driven.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Delivery {
    mode: Mode,
    id: Arc<str>,
    timings: Timings,
    began: Instant,
    transfers: Vec<Transfer>,
    /// For each recipient its transfer, and its leg therein.
    places: Vec<(usize, usize)>,
    /// The client has been let send.
    opened: bool,
    /// The rest of the content is not wanted.
    discarding: bool,
    /// When the client's end of data came.
    ended: Option<Instant>,
    /// What the client will hear whatever the legs say.
    verdict: Option<Reply>,
    copy: Copy,
    stage: Stage,
    /// What became of legs while the promise was being written.
    news: Vec<(Vec<usize>, Outcome)>,
}

/// Where the copy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Copy {
    /// There is none, or none any more that would be this delivery's.
    None,
    Written,
    Syncing,
    Synced,
}

/// Where the client's answer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Deciding,
    /// The promise is being written.
    Promising,
    /// The client has been answered, some legs are still heard.
    Hearing,
    Finished,
}

/// A leg whose dot was sent and that has not answered yet.
static UNDECIDED: Outcome = Outcome::Unknown(Loss::Silent);
/// A leg that has not got its dot.
static WITHOUT_DOT: Outcome = Outcome::Late(Loss::Stalled);

impl Delivery {
    /// The delivery of the message `id`, of which DATA has been sent to every back end at `now`.
    pub fn new(plan: Plan, timings: Timings, id: &str, now: Instant) -> Self {
        let mut places = vec![(0, 0); plan.recipients];
        for (transfer, legs) in plan.transfers.iter().enumerate() {
            for (leg, recipients) in legs.iter().enumerate() {
                for recipient in recipients {
                    if let Some(place) = places.get_mut(*recipient) {
                        *place = (transfer, leg);
                    }
                }
            }
        }
        Self {
            mode: plan.mode,
            id: Arc::from(id),
            timings,
            began: now,
            transfers: plan.transfers.into_iter().map(Transfer::new).collect(),
            places,
            opened: false,
            discarding: false,
            ended: None,
            verdict: None,
            copy: if plan.mode == Mode::Copied { Copy::Written } else { Copy::None },
            stage: Stage::Deciding,
            news: Vec::new(),
        }
    }

    /// Takes note of an event and appends what is to be done, in its order.
    pub fn advance(&mut self, event: Event, now: Instant, actions: &mut Vec<Action>) {
        if self.is_finished() {
            return;
        }
        self.take(event, now, actions);
        self.pass_time(now, actions);
        self.proceed(now, actions);
    }

    /// When an [`Event::Tick`] is due, if nothing else happens before.
    pub fn deadline(&self) -> Option<Instant> {
        let transfers = self.transfers.iter().filter_map(|transfer| match transfer.state {
            State::Opening => self.began.checked_add(self.timings.stall),
            State::Dotted(at) => at.checked_add(self.timings.hear),
            State::Open | State::Sent | State::Over => None,
        });
        transfers.chain(self.answer_by()).min().filter(|_| !self.is_finished())
    }

    /// Whether the client has been answered, or is beyond it.
    pub const fn is_answered(&self) -> bool {
        matches!(self.stage, Stage::Hearing | Stage::Finished)
    }

    /// Whether a back end has the whole message and has not said what becomes of it.
    pub fn is_awaited(&self) -> bool {
        self.transfers.iter().any(|transfer| transfer.dotted().is_some())
    }

    /// Whether nothing can happen any more.
    pub const fn is_finished(&self) -> bool {
        matches!(self.stage, Stage::Finished)
    }

    /// What became of a recipient's leg; none while it is undecided.
    pub fn outcome(&self, recipient: usize) -> Option<&Outcome> {
        let (transfer, leg) = *self.places.get(recipient)?;
        self.transfers.get(transfer)?.legs.get(leg)?.outcome.as_ref()
    }

    /// Until when the client, who waits, must have its answer.
    fn answer_by(&self) -> Option<Instant> {
        let within = match (self.stage, self.mode) {
            (Stage::Hearing | Stage::Finished, _) => return None,
            (Stage::Deciding, Mode::Copied) => self.timings.answer_within.min(self.timings.reply),
            (Stage::Deciding | Stage::Promising, _) => self.timings.reply,
        };
        self.ended?.checked_add(within)
    }

    fn take(&mut self, event: Event, now: Instant, actions: &mut Vec<Action>) {
        match event {
            Event::Opened { transfer } => self.open(transfer, actions),
            Event::Refused { transfer, reply } => {
                let outcome = match Outcome::from(reply) {
                    // There is nothing yet that could be accepted.
                    Outcome::Accepted(_) => Outcome::Late(Loss::Nonsense),
                    outcome => outcome,
                };
                if let Some(refusing) = self.before_dot(transfer) {
                    refusing.end(&outcome);
                }
            }
            Event::Sent { transfer } => {
                if let Some(sending) =
                    self.before_dot(transfer).filter(|it| it.state == State::Open)
                {
                    sending.state = State::Sent;
                }
            }
            Event::Replied { transfer, leg, reply } => {
                if self.before_dot(transfer).is_some() {
                    // To what? Its next words would be taken for the answer to the dot.
                    self.abandon(transfer, Loss::Nonsense, actions);
                } else if let Some(replying) = self.transfers.get_mut(transfer) {
                    let outcome = Outcome::from(reply);
                    let recipients = replying.reply(leg, &outcome);
                    self.decided(recipients, outcome, actions);
                }
            }
            Event::Lost { transfer, loss } => self.lose(transfer, loss, actions),
            Event::Spoilt(reply) if self.is_content_expected() => self.judge(reply, actions),
            Event::Ended => self.ended = self.ended.or(Some(now)),
            Event::ClientLost if self.is_content_expected() => {
                self.abandon_all(Loss::Dropped, actions);
                self.drop_copy(actions);
                self.stage = Stage::Finished;
            }
            Event::CopySynced if self.copy == Copy::Syncing => self.copy = Copy::Synced,
            Event::CopyFailed if matches!(self.copy, Copy::Written | Copy::Syncing) => {
                self.judge(wording::STORAGE, actions);
            }
            Event::PromiseSynced if self.stage == Stage::Promising => self.promised(actions),
            Event::PromiseFailed if self.stage == Stage::Promising => self.not_promised(actions),
            Event::Spoilt(_) | Event::ClientLost | Event::CopySynced | Event::CopyFailed => {}
            Event::PromiseSynced | Event::PromiseFailed | Event::Tick => {}
        }
    }

    fn open(&mut self, transfer: usize, actions: &mut Vec<Action>) {
        let opening = self.before_dot(transfer).filter(|it| it.state == State::Opening);
        let Some(opening) = opening else { return };
        opening.state = State::Open;
        if !self.opened {
            self.opened = true;
            actions.push(Action::Continue);
        }
    }

    /// Whether the client's end of data has not come, and somebody waits for it.
    fn is_content_expected(&self) -> bool {
        self.ended.is_none() && self.stage == Stage::Deciding
    }

    /// The transfer, where it lives and has no dot.
    fn before_dot(&mut self, transfer: usize) -> Option<&mut Transfer> {
        let transfer = self.transfers.get_mut(transfer)?;
        (transfer.is_live() && transfer.dotted().is_none()).then_some(transfer)
    }

    /// Lets what is overdue happen.
    fn pass_time(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let over = |since: Instant, wait: Duration| now.saturating_duration_since(since) >= wait;
        for number in 0..self.transfers.len() {
            match self.transfers.get(number).map(|transfer| transfer.state) {
                Some(State::Opening) if over(self.began, self.timings.stall) => {
                    self.abandon(number, Loss::Stalled, actions);
                }
                Some(State::Dotted(at)) if over(at, self.timings.hear) => {
                    self.abandon(number, Loss::Silent, actions);
                }
                _ => {}
            }
        }
        if self.answer_by().is_none_or(|at| now < at) {
            return;
        }
        match self.stage {
            Stage::Deciding => self.time_is_up(now, actions),
            Stage::Promising => self.not_promised(actions),
            Stage::Hearing | Stage::Finished => {}
        }
    }

    /// The client is answered now. What has no dot will get none; what has one is only waited for
    /// where there is a copy to make good for it.
    fn time_is_up(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.mode == Mode::Copied && self.copy != Copy::Synced {
            self.verdict.get_or_insert(wording::STORAGE);
        }
        for number in 0..self.transfers.len() {
            match self.transfers.get(number).map(|transfer| transfer.state) {
                Some(State::Dotted(_)) if self.mode == Mode::Copied => {}
                Some(State::Dotted(_)) => self.abandon(number, Loss::Silent, actions),
                _ => self.abandon(number, Loss::Stalled, actions),
            }
        }
        if self.opened {
            self.conclude(now, actions);
        }
    }

    /// Does what has become possible.
    fn proceed(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let is_live = self.transfers.iter().any(Transfer::is_live);
        match self.stage {
            Stage::Deciding => {}
            Stage::Hearing if !is_live => return self.stage = Stage::Finished,
            Stage::Promising | Stage::Hearing | Stage::Finished => return,
        }
        if !self.opened {
            if !is_live {
                self.refuse(actions);
            }
        } else if self.ended.is_none() {
            if !is_live {
                self.discard(actions);
            }
        } else if !is_live {
            self.conclude(now, actions);
        } else {
            self.finish_transfers(now, actions);
        }
    }

    /// No back end wants the content, and the client has sent none.
    fn refuse(&mut self, actions: &mut Vec<Action>) {
        let reply = self.verdict.take().unwrap_or_else(|| match Ending::of(self.outcomes()) {
            Ending::Nothing(reply) => reply,
            // Neither can be, without a dot.
            Ending::Delivered | Ending::Mixed => Loss::Nonsense.reply(),
        });
        actions.push(Action::Refuse(reply));
        self.drop_copy(actions);
        self.stage = Stage::Finished;
    }

    /// No back end is left that wants the content, and the client is still sending it.
    fn discard(&mut self, actions: &mut Vec<Action>) {
        if !self.discarding {
            self.discarding = true;
            actions.push(Action::Discard);
            self.drop_copy(actions);
        }
    }

    /// The content is whole and good: first the copy, then the dots.
    fn finish_transfers(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.copy == Copy::Written {
            self.copy = Copy::Syncing;
            actions.push(Action::SyncCopy);
        }
        if self.mode == Mode::Copied && self.copy != Copy::Synced {
            return;
        }
        for (number, transfer) in self.transfers.iter_mut().enumerate() {
            if transfer.state == State::Sent {
                transfer.state = State::Dotted(now);
                actions.push(Action::SendDot { transfer: number });
            }
        }
    }

    /// Answers the client, or begins to promise. Every leg is decided, or as good as.
    fn conclude(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let recipients = self.places.len();
        if let Some(reply) = self.verdict.take() {
            let replies = if self.mode == Mode::PerRecipient { recipients } else { 1 };
            return self.answer(vec![reply; replies], actions);
        }
        match self.mode {
            Mode::Single => {
                let replies = self.outcomes().take(1).map(Outcome::reply).collect();
                self.answer(replies, actions);
            }
            Mode::PerRecipient => {
                let replies = self.outcomes().map(Outcome::reply).collect();
                self.answer(replies, actions);
            }
            Mode::Copied => match Ending::of(self.outcomes()) {
                Ending::Delivered => {
                    self.answer(vec![wording::delivered(&self.id, recipients)], actions);
                }
                Ending::Nothing(reply) => self.answer(vec![reply], actions),
                Ending::Mixed => {
                    actions.push(Action::WritePromise(self.promise(now)));
                    self.stage = Stage::Promising;
                }
            },
        }
    }

    /// The last word to the client, with nothing left to do.
    fn answer(&mut self, replies: Vec<Reply>, actions: &mut Vec<Action>) {
        actions.push(Action::Answer(replies));
        self.abandon_all(Loss::Dropped, actions);
        self.drop_copy(actions);
        self.stage = Stage::Finished;
    }

    fn promise(&self, now: Instant) -> Vec<Promised> {
        let promised = |(outcome, transfer): (&Outcome, &Transfer)| {
            let until = transfer.dotted().and_then(|at| at.checked_add(self.timings.hear));
            let heard_for = until.map(|until| until.saturating_duration_since(now));
            Promised {
                outcome: outcome.clone(),
                // A leg of a transfer that is still heard may be decided itself.
                heard_for: heard_for.filter(|_| *outcome == UNDECIDED).unwrap_or_default(),
            }
        };
        let transfers = self.places.iter().filter_map(|(number, _)| self.transfers.get(*number));
        self.outcomes().zip(transfers).map(promised).collect()
    }

    /// The promise stands: the message is ours.
    fn promised(&mut self, actions: &mut Vec<Action>) {
        let accepted = self.outcomes().filter(|it| matches!(it, Outcome::Accepted(_))).count();
        let recipients = self.places.len();
        let reply = if accepted == recipients {
            wording::delivered(&self.id, recipients)
        } else {
            wording::promised(&self.id, accepted, recipients)
        };
        actions.push(Action::Answer(vec![reply]));
        self.copy = Copy::None;
        self.stage = Stage::Hearing;
        let news = std::mem::take(&mut self.news);
        actions.extend(
            news.into_iter().map(|(recipients, outcome)| Action::Update { recipients, outcome }),
        );
        for (transfer, it) in self.transfers.iter().enumerate() {
            if let Some(until) = it.dotted().and_then(|at| at.checked_add(self.timings.hear)) {
                actions.push(Action::HearOn { transfer, until });
            }
        }
    }

    /// The promise does not stand: without it only what the legs have said by now counts.
    fn not_promised(&mut self, actions: &mut Vec<Action>) {
        let reply = match Ending::of(self.outcomes()) {
            Ending::Delivered => wording::delivered(&self.id, self.places.len()),
            Ending::Nothing(reply) => reply,
            Ending::Mixed => wording::STORAGE,
        };
        self.answer(vec![reply], actions);
    }

    /// The message will not be delivered now, and this is what the client hears.
    fn judge(&mut self, reply: Reply, actions: &mut Vec<Action>) {
        self.verdict.get_or_insert(reply);
        self.abandon_all(Loss::Dropped, actions);
        self.drop_copy(actions);
    }

    fn drop_copy(&mut self, actions: &mut Vec<Action>) {
        if self.copy != Copy::None {
            self.copy = Copy::None;
            actions.push(Action::DropCopy);
        }
    }

    fn abandon_all(&mut self, loss: Loss, actions: &mut Vec<Action>) {
        for number in 0..self.transfers.len() {
            self.abandon(number, loss, actions);
        }
    }

    fn abandon(&mut self, transfer: usize, loss: Loss, actions: &mut Vec<Action>) {
        if self.transfers.get(transfer).is_some_and(Transfer::is_live) {
            actions.push(Action::Abandon { transfer });
            self.lose(transfer, loss, actions);
        }
    }

    fn lose(&mut self, transfer: usize, loss: Loss, actions: &mut Vec<Action>) {
        let Some(losing) = self.transfers.get_mut(transfer) else { return };
        let outcome = losing.lost(loss);
        let recipients = losing.end(&outcome);
        self.decided(recipients, outcome, actions);
    }

    /// Keeps what became of a leg for the record, where there is one or is going to be.
    fn decided(&mut self, recipients: Vec<usize>, outcome: Outcome, actions: &mut Vec<Action>) {
        if recipients.is_empty() {
            return;
        }
        match self.stage {
            Stage::Promising => self.news.push((recipients, outcome)),
            Stage::Hearing => actions.push(Action::Update { recipients, outcome }),
            Stage::Deciding | Stage::Finished => {}
        }
    }

    /// What the legs have come to, by recipient; those without reply as if none came any more.
    fn outcomes(&self) -> impl Iterator<Item = &Outcome> + Clone {
        self.places.iter().map(|&(number, leg)| {
            let Some(transfer) = self.transfers.get(number) else { return &WITHOUT_DOT };
            let open = if transfer.dotted().is_some() { &UNDECIDED } else { &WITHOUT_DOT };
            transfer.legs.get(leg).and_then(|leg| leg.outcome.as_ref()).unwrap_or(open)
        })
    }
}

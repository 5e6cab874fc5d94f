//! Clients, back ends and a disk that exist on paper only, and what must hold between them.
//!
//! The world keeps its own account of what happened, and checks every action against it.

use std::time::{Duration, Instant};

use waypost_smtp::legs::{Action, Delivery, Event, Mode, Plan, Promised, Timings};
use waypost_smtp::outcome::{Loss, Outcome};
use waypost_smtp::translate::{Situation, Translated};
use waypost_wire::smtp::{EnhancedCode, Reply};

/// What a leg came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    Accepted,
    Temporary,
    Permanent,
    Unknown,
    Late,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum State {
    Opening,
    Open,
    Sent,
    Dotted(Instant),
    Over,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Transfer {
    state: State,
    fates: Vec<Option<Fate>>,
}

/// Where the copy, or the promise, stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Disk {
    Nothing,
    Asked,
    Synced,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) delivery: Delivery,
    pub(crate) now: Instant,
    mode: Mode,
    /// Transfer → leg → recipients.
    plan: Vec<Vec<Vec<usize>>>,
    transfers: Vec<Transfer>,
    continued: bool,
    ended: bool,
    spoilt: bool,
    client_lost: bool,
    discarded: bool,
    copy: Disk,
    dropped: bool,
    promise: Disk,
    /// What the record says of each recipient.
    record: Vec<Promised>,
    /// Transfers that are heard beside the client's session.
    heard: Vec<usize>,
    pub(crate) answer: Option<Vec<Reply>>,
    pub(crate) refusal: Option<Reply>,
    /// Since the last event.
    pub(crate) actions: Vec<Action>,
}

pub(crate) const TIMINGS: Timings = Timings {
    stall: Duration::from_secs(30),
    answer_within: Duration::from_secs(60),
    reply: Duration::from_secs(570),
    hear: Duration::from_secs(600),
};

pub(crate) const SPOILT: Reply =
    Reply::new(550, EnhancedCode::new(5, 6, 11), "A line ends with a bare line feed");

/// A reply that tells which leg gave it.
pub(crate) fn reply(fate: Fate, transfer: usize, leg: usize) -> Translated {
    let code = match fate {
        Fate::Accepted => 250,
        Fate::Temporary => 452,
        _ => 550,
    };
    let reply = Reply::worded(code, EnhancedCode::of(code), &format!("leg {transfer}.{leg}"));
    Translated::new(Situation::Final, &reply)
}

impl World {
    pub(crate) fn smtp(plan: Vec<Vec<Vec<usize>>>) -> Self {
        Self::new(Plan::smtp(plan.clone()).unwrap(), plan)
    }

    pub(crate) fn lmtp(plan: Vec<Vec<Vec<usize>>>) -> Self {
        Self::new(Plan::lmtp(plan.clone()).unwrap(), plan)
    }

    fn new(made: Plan, plan: Vec<Vec<Vec<usize>>>) -> Self {
        let now = Instant::now();
        let mode = made.mode();
        let transfers = plan
            .iter()
            .map(|legs| Transfer { state: State::Opening, fates: vec![None; legs.len()] })
            .collect();
        Self {
            delivery: Delivery::new(made, TIMINGS, "4f2a", now),
            now,
            mode,
            plan,
            transfers,
            continued: false,
            ended: false,
            spoilt: false,
            client_lost: false,
            discarded: false,
            copy: Disk::Nothing,
            dropped: false,
            promise: Disk::Nothing,
            record: Vec::new(),
            heard: Vec::new(),
            answer: None,
            refusal: None,
            actions: Vec::new(),
        }
    }

    /// Lets something happen, and checks all that is then done.
    pub(crate) fn happen(&mut self, event: Event) {
        let finished = self.delivery.is_finished();
        self.note(&event);
        self.actions.clear();
        let mut actions = Vec::new();
        self.delivery.advance(event, self.now, &mut actions);
        assert!(!finished || actions.is_empty(), "{actions:?} after the end");
        for action in &actions {
            self.carry_out(action);
        }
        self.actions = actions;
        self.check();
    }

    /// When an event happens: a tick at its time, everything else at once.
    pub(crate) fn time_of(&self, event: &Event) -> Instant {
        match event {
            Event::Tick => self.delivery.deadline().unwrap_or(self.now).max(self.now),
            _ => self.now,
        }
    }

    /// Lets time pass to the next deadline.
    pub(crate) fn tick(&mut self) {
        self.now = self.time_of(&Event::Tick);
        self.happen(Event::Tick);
    }

    /// Lets some time pass in which nothing happens, every deadline included.
    pub(crate) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while self.delivery.deadline().is_some_and(|deadline| deadline <= until) {
            self.tick();
        }
        self.now = until;
    }

    pub(crate) fn did(&self, action: &Action) -> bool {
        self.actions.contains(action)
    }

    pub(crate) fn transfers(&self) -> usize {
        self.transfers.len()
    }

    /// What the record says of a recipient, once there is one.
    pub(crate) fn recorded(&self, recipient: usize) -> &Promised {
        &self.record[recipient]
    }

    /// Whether the message is with the spool.
    pub(crate) fn is_kept(&self) -> bool {
        self.promise == Disk::Synced
    }

    pub(crate) fn is_copy_dropped(&self) -> bool {
        self.dropped
    }

    /// Everything that can come next where drivers and back ends keep to their word.
    pub(crate) fn possible(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for (transfer, it) in self.transfers.iter().enumerate() {
            match it.state {
                State::Opening => {
                    events.push(Event::Opened { transfer });
                    for fate in [Fate::Temporary, Fate::Permanent] {
                        events.push(Event::Refused { transfer, reply: reply(fate, transfer, 0) });
                    }
                }
                State::Open if self.ended => events.push(Event::Sent { transfer }),
                State::Dotted(_) => {
                    let undecided = it.fates.iter().enumerate().filter(|(_, fate)| fate.is_none());
                    for (leg, _) in undecided {
                        for fate in [Fate::Accepted, Fate::Temporary, Fate::Permanent] {
                            let reply = reply(fate, transfer, leg);
                            events.push(Event::Replied { transfer, leg, reply });
                        }
                    }
                }
                State::Open | State::Sent | State::Over => {}
            }
            if it.state != State::Over {
                events.push(Event::Lost { transfer, loss: Loss::Closed });
            }
        }
        if self.continued && !self.ended && !self.client_lost {
            events.extend([Event::Ended, Event::ClientLost]);
            if !self.spoilt {
                events.push(Event::Spoilt(SPOILT));
            }
            if self.mode == Mode::Copied && !self.dropped {
                events.push(Event::CopyFailed);
            }
        }
        if self.copy == Disk::Asked {
            events.extend([Event::CopySynced, Event::CopyFailed]);
        }
        if self.promise == Disk::Asked {
            events.extend([Event::PromiseSynced, Event::PromiseFailed]);
        }
        if self.delivery.deadline().is_some() {
            events.push(Event::Tick);
        }
        events
    }

    /// Keeps the account of what happens.
    fn note(&mut self, event: &Event) {
        match event {
            Event::Opened { transfer } if self.state(*transfer) == State::Opening => {
                self.transfers[*transfer].state = State::Open;
            }
            Event::Refused { transfer, reply } if self.is_before_dot(*transfer) => {
                let fate = if reply.reply().is_permanent() {
                    Fate::Permanent
                } else if reply.reply().is_transient() {
                    Fate::Temporary
                } else {
                    Fate::Late
                };
                self.end(*transfer, fate);
            }
            Event::Sent { transfer } if self.state(*transfer) == State::Open => {
                self.transfers[*transfer].state = State::Sent;
            }
            Event::Replied { transfer, leg, reply } => {
                let State::Dotted(_) = self.state(*transfer) else { return };
                let transfer = &mut self.transfers[*transfer];
                let Some(fate) = transfer.fates.get_mut(*leg).filter(|fate| fate.is_none()) else {
                    return;
                };
                *fate = Some(match reply.reply().code() / 100 {
                    2 => Fate::Accepted,
                    4 => Fate::Temporary,
                    _ => Fate::Permanent,
                });
                if transfer.fates.iter().all(Option::is_some) {
                    transfer.state = State::Over;
                }
            }
            Event::Lost { transfer, .. } => self.lose(*transfer),
            Event::Spoilt(_) if !self.ended && !self.is_over() => self.spoilt = true,
            Event::Ended if !self.is_over() => self.ended = true,
            Event::ClientLost if !self.ended && !self.is_over() => self.client_lost = true,
            Event::CopySynced if self.copy == Disk::Asked => self.copy = Disk::Synced,
            Event::CopyFailed if self.mode == Mode::Copied && self.copy != Disk::Synced => {
                self.copy = Disk::Failed;
            }
            // Once the copy is dropped, so is a promise that is still being written.
            Event::PromiseSynced if self.promise == Disk::Asked && !self.dropped => {
                self.promise = Disk::Synced;
            }
            Event::PromiseFailed if self.promise == Disk::Asked && !self.dropped => {
                self.promise = Disk::Failed;
            }
            _ => {}
        }
    }

    /// Checks an action against the account.
    fn carry_out(&mut self, action: &Action) {
        match action {
            Action::Continue => {
                assert!(!self.continued && !self.is_over());
                assert!(self.transfers.iter().any(|it| it.state == State::Open));
                self.continued = true;
            }
            Action::Refuse(reply) => {
                assert!(!self.continued && !self.is_over(), "one answer");
                self.check_nothing(reply);
                self.refusal = Some(reply.clone());
            }
            Action::Discard => {
                assert!(self.continued && !self.ended && !self.discarded);
                self.discarded = true;
            }
            Action::SyncCopy => {
                assert!(self.ended && !self.spoilt && self.mode == Mode::Copied);
                assert!(self.copy == Disk::Nothing && !self.dropped);
                self.copy = Disk::Asked;
            }
            Action::SendDot { transfer } => {
                assert!(self.ended && !self.spoilt && !self.client_lost, "no dot of our own");
                assert!(self.mode != Mode::Copied || self.copy == Disk::Synced, "copy first");
                assert_eq!(self.state(*transfer), State::Sent);
                assert!(!self.is_over());
                self.transfers[*transfer].state = State::Dotted(self.now);
            }
            Action::Abandon { transfer } => {
                assert_ne!(self.state(*transfer), State::Over, "said twice");
                self.lose(*transfer);
            }
            Action::WritePromise(promised) => {
                assert!(self.promise == Disk::Nothing && !self.dropped && !self.is_over());
                assert_eq!(self.copy, Disk::Synced);
                self.promise = Disk::Asked;
                self.record.clone_from(promised);
                assert_eq!(self.record.len(), self.recipients());
                for recipient in 0..self.recipients() {
                    self.check_record(recipient);
                }
            }
            Action::Answer(replies) => {
                assert!(!self.is_over(), "one answer");
                assert!(self.ended, "an answer to nothing");
                self.check_answer(replies);
                self.answer = Some(replies.clone());
            }
            Action::DropCopy => {
                assert!(self.mode == Mode::Copied && !self.dropped);
                assert!(!self.is_kept(), "a promise is kept");
                self.dropped = true;
            }
            Action::HearOn { transfer, until } => {
                assert!(self.answer.is_some() && self.is_kept());
                let State::Dotted(at) = self.state(*transfer) else {
                    panic!("nothing to hear");
                };
                assert_eq!(*until, at + TIMINGS.hear);
                assert!(!self.heard.contains(transfer));
                self.heard.push(*transfer);
            }
            Action::Update { recipients, outcome } => {
                assert!(self.answer.is_some() && self.is_kept());
                for recipient in recipients {
                    let entry = &mut self.record[*recipient];
                    assert!(matches!(entry.outcome, Outcome::Unknown(_)), "decided twice");
                    *entry = Promised { outcome: outcome.clone(), heard_for: Duration::ZERO };
                }
            }
        }
    }

    /// What holds after every event.
    fn check(&self) {
        let live = |it: &&Transfer| it.state != State::Over;
        if self.is_kept() {
            assert!(self.answer.is_some());
            for recipient in 0..self.recipients() {
                self.check_record(recipient);
            }
            let live = self.transfers.iter().enumerate().filter(|(_, it)| live(it));
            assert!(live.map(|(number, _)| number).all(|it| self.heard.contains(&it)));
        }
        if !self.delivery.is_finished() {
            // Somebody is waited for, and if it is not the client, not forever.
            let for_client = self.continued && !self.ended;
            assert!(for_client || self.delivery.deadline().is_some(), "stuck: {self:?}");
            assert_eq!(self.delivery.is_answered(), self.is_kept());
            return;
        }
        assert!(self.delivery.deadline().is_none());
        assert!(self.delivery.is_answered());
        assert!(self.is_over(), "an end without answer");
        assert_eq!(self.transfers.iter().filter(live).count(), 0, "a forgotten transfer");
        for recipient in 0..self.recipients() {
            let fate = self.delivery.outcome(recipient).map(fate_of);
            assert_eq!(fate, Some(self.fate(recipient)), "a lost leg");
        }
        if self.mode == Mode::Copied {
            assert!(self.dropped != self.is_kept(), "a copy is dropped or promised");
        }
    }

    /// The record must say no more and no less than what is known.
    fn check_record(&self, recipient: usize) {
        let Promised { outcome, heard_for } = &self.record[recipient];
        assert_eq!(fate_of(outcome), self.fate(recipient), "recipient {recipient}");
        let (transfer, leg) = self.place(recipient);
        match self.transfers[transfer].state {
            State::Dotted(at) if self.transfers[transfer].fates[leg].is_none() => {
                // Made at some time since; nothing is tried again while the leg is heard.
                assert!(*heard_for > Duration::ZERO && self.now + *heard_for >= at + TIMINGS.hear);
            }
            _ => {}
        }
    }

    fn check_answer(&self, replies: &[Reply]) {
        let count = if self.mode == Mode::PerRecipient { self.recipients() } else { 1 };
        assert_eq!(replies.len(), count);
        if self.spoilt {
            let heard = replies.iter().all(|reply| *reply == SPOILT);
            assert!(heard || self.copy == Disk::Failed, "{replies:?}");
            assert!(replies.iter().all(|reply| !reply.is_positive()));
            return;
        }
        if self.mode != Mode::Copied {
            let live = self.transfers.iter().any(|it| it.state != State::Over);
            assert!(!live, "answered before all legs had their outcome");
            for (recipient, reply) in replies.iter().enumerate() {
                self.check_passed(recipient, reply);
            }
            return;
        }
        let fates: Vec<Fate> = (0..self.recipients()).map(|it| self.fate(it)).collect();
        let held = |fate: &Fate| matches!(fate, Fate::Accepted | Fate::Unknown);
        let reply = &replies[0];
        if fates.iter().all(|fate| *fate == Fate::Accepted) || self.is_kept() {
            assert_eq!(reply.code(), 250);
            assert!(reply.text().contains("4f2a"));
        } else if fates.iter().any(held) {
            let at_an_end = self.promise == Disk::Failed || self.promise == Disk::Asked;
            assert!(at_an_end, "{reply} for {fates:?}");
            assert_eq!(reply.to_string()[..9], *"451 4.3.0");
        } else {
            self.check_nothing(reply);
        }
    }

    /// One leg's reply is passed on.
    fn check_passed(&self, recipient: usize, reply: &Reply) {
        let (transfer, leg) = self.place(recipient);
        match self.fate(recipient) {
            Fate::Unknown | Fate::Late => assert_eq!(reply.code(), 451),
            fate => {
                let class = match fate {
                    Fate::Accepted => 2,
                    Fate::Temporary => 4,
                    _ => 5,
                };
                assert_eq!(reply.code() / 100, class);
                let whose = [format!("leg {transfer}.{leg}"), format!("leg {transfer}.0")];
                assert!(whose.iter().any(|text| text == reply.text()), "{reply}");
            }
        }
    }

    /// The reply where no back end has the message: the first 5yz, or a 4yz if there is any.
    fn check_nothing(&self, reply: &Reply) {
        if self.spoilt || self.copy == Disk::Failed {
            return assert!(reply.is_transient() || *reply == SPOILT);
        }
        let fates: Vec<Fate> = (0..self.recipients()).map(|it| self.fate(it)).collect();
        let held = |fate: &Fate| matches!(fate, Fate::Accepted | Fate::Unknown);
        assert!(!fates.iter().any(held), "{reply} for {fates:?}");
        let decisive = [Fate::Temporary, Fate::Late, Fate::Permanent];
        let decisive = decisive.into_iter().find(|it| fates.contains(it)).unwrap();
        let first = fates.iter().position(|fate| *fate == decisive).unwrap();
        let late_copy = self.mode == Mode::Copied && self.copy == Disk::Asked;
        if late_copy && reply.to_string().starts_with("451 4.3.0") {
            return;
        }
        self.check_passed(first, reply);
    }

    fn is_over(&self) -> bool {
        self.answer.is_some() || self.refusal.is_some() || self.client_lost
    }

    fn state(&self, transfer: usize) -> State {
        self.transfers.get(transfer).map_or(State::Over, |it| it.state)
    }

    fn is_before_dot(&self, transfer: usize) -> bool {
        matches!(self.state(transfer), State::Opening | State::Open | State::Sent)
    }

    fn lose(&mut self, transfer: usize) {
        match self.state(transfer) {
            State::Opening | State::Open | State::Sent => self.end(transfer, Fate::Late),
            State::Dotted(_) => self.end(transfer, Fate::Unknown),
            State::Over => {}
        }
    }

    fn end(&mut self, transfer: usize, fate: Fate) {
        let transfer = &mut self.transfers[transfer];
        transfer.state = State::Over;
        for undecided in transfer.fates.iter_mut().filter(|fate| fate.is_none()) {
            *undecided = Some(fate);
        }
    }

    /// What is known of a recipient, as if nothing more were to come.
    fn fate(&self, recipient: usize) -> Fate {
        let (transfer, leg) = self.place(recipient);
        let Transfer { state, fates } = &self.transfers[transfer];
        let open = if matches!(state, State::Dotted(_)) { Fate::Unknown } else { Fate::Late };
        fates[leg].unwrap_or(open)
    }

    pub(crate) fn recipients(&self) -> usize {
        self.plan.iter().flatten().flatten().count()
    }

    fn place(&self, recipient: usize) -> (usize, usize) {
        let mut places = self.plan.iter().enumerate().flat_map(|(transfer, legs)| {
            legs.iter().enumerate().map(move |(leg, recipients)| (transfer, leg, recipients))
        });
        let (transfer, leg, _) =
            places.find(|(.., recipients)| recipients.contains(&recipient)).unwrap();
        (transfer, leg)
    }
}

pub(crate) fn fate_of(outcome: &Outcome) -> Fate {
    match outcome {
        Outcome::Accepted(_) => Fate::Accepted,
        Outcome::Temporary(_) => Fate::Temporary,
        Outcome::Permanent(_) => Fate::Permanent,
        Outcome::Unknown(_) => Fate::Unknown,
        Outcome::Late(_) => Fate::Late,
    }
}

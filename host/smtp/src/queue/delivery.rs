//! One attempt to deliver a kept message: each recipient is looked up anew, and those who go the
//! same way go together.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use waypost_model::{Context, Protocol};
use waypost_routing::Decide;
use waypost_session::{Generation, Grant};
use waypost_wire::proxy::Header;
use waypost_wire::smtp::{ForwardPath, Mail, RecipientParameters};

use super::{Message, Queue};
use crate::Service;
use crate::backend::Caller;
use crate::delivering::{Delivering, Source, Task};
use crate::legs::Plan;
use crate::offer::Offerer;
use crate::outcome::Outcome;
use crate::pool::Pool;
use crate::recipient::{Finder, Found};
use crate::record::{EnvelopeRecipient, Record};
use crate::transaction::{Accepted, Opening, Transaction};
use crate::translate::{Situation, Translated};
use crate::wording;

/// How many deliveries each target has at once.
pub(super) struct Lanes {
    most: NonZeroUsize,
    used: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// A recipient of a kept message.
pub(super) struct Waiting<T> {
    /// Its place in the record.
    pub(super) number: usize,
    pub(super) path: ForwardPath,
    pub(super) parameters: RecipientParameters,
    pub(super) found: Found<T>,
}

/// What became of recipients of a kept message.
pub(super) type Outcomes = Vec<(Vec<usize>, Outcome)>;

impl Queue {
    /// Tries these recipients of a message.
    pub(super) async fn deliver<P: Decide>(
        &self,
        service: &Arc<Service<P>>,
        lanes: &Lanes,
        message: &Message,
        record: &Record,
        attempt: &[usize],
    ) -> Outcomes
    where
        P::Targets: Grant,
    {
        let id = message.id().to_string();
        let mail = record.envelope().mail.clone();
        let generation = service.process.generation.load_full();
        let context = Arc::new(context(record, &mail));
        let finder = Finder {
            router: &service.process.router,
            generation: &generation,
            settings: &service.settings,
            context: &context,
        };
        let mut outcomes = Vec::new();
        let mut waiting = Vec::new();
        for number in attempt {
            let Some(recipient) = record.envelope().recipients.get(*number) else { continue };
            let EnvelopeRecipient { path, parameters, .. } = recipient.clone();
            match finder.find(&path).await {
                Ok(found) => waiting.push(Waiting { number: *number, path, parameters, found }),
                Err(not_found) => {
                    let reply = not_found.reply();
                    outcomes.push((
                        vec![*number],
                        if not_found.is_final() {
                            Outcome::Permanent(reply)
                        } else {
                            Outcome::Temporary(wording::later(reply))
                        },
                    ));
                }
            }
        }
        let _permits = lanes.enter(first_targets(&waiting)).await;
        if self.is_stopping() {
            // Who has waited in line all the time would hold up the end, and has lost nothing.
            waiting.clear();
        }
        let trip = Trip { service, id: &id, generation: &generation, finder: &finder };
        let numbers = Box::pin(trip.offer(mail, waiting, &mut outcomes)).await;
        if let Some((openings, numbers)) = numbers {
            let readers = message.readers(openings.len()).await;
            let source = Source::Copy { length: message.length(), readers };
            Box::pin(trip.carry(openings, &numbers, source, &mut outcomes)).await;
        }
        for (recipients, outcome) in &outcomes {
            self.note(service, &id, record, recipients, outcome);
        }
        outcomes
    }

    fn note<P: Decide>(
        &self,
        service: &Service<P>,
        id: &str,
        record: &Record,
        recipients: &[usize],
        outcome: &Outcome,
    ) {
        let users = &service.process.users;
        let reply = outcome.reply();
        for number in recipients {
            self.metrics().retried(outcome.kind());
            let Some(recipient) = record.envelope().recipients.get(*number) else { continue };
            tracing::info!(
                target: "waypost::queue",
                id,
                recipient = %users.label(&crate::journal::spelled(&recipient.path)),
                outcome = outcome.kind(),
                reply = %crate::journal::Said { reply: &reply, users },
                "a recipient was tried again"
            );
        }
    }
}

/// One way out to the back ends, with what was learnt for it.
pub(super) struct Trip<'a, P: Decide> {
    pub(super) service: &'a Arc<Service<P>>,
    pub(super) id: &'a str,
    pub(super) generation: &'a Arc<Generation<P>>,
    pub(super) finder: &'a Finder<'a, P>,
}

impl<P: Decide> Trip<'_, P>
where
    P::Targets: Grant,
{
    /// Offers each recipient. Comes back with the back ends that take some, and whose they are.
    pub(super) async fn offer(
        &self,
        mail: Mail,
        waiting: Vec<Waiting<P::Targets>>,
        outcomes: &mut Outcomes,
    ) -> Option<(Vec<Opening>, Vec<usize>)> {
        let caller = caller();
        let mut pool = Pool::default();
        let mut transaction = Transaction::new(mail);
        let mut numbers = Vec::new();
        let offerer = Offerer {
            process: &self.service.process,
            generation: self.generation,
            settings: &self.service.settings,
            metrics: &self.service.metrics,
            caller: &caller,
            id: self.id,
            is_kept: true,
            may_split: true,
        };
        for Waiting { number, path, parameters, mut found } in waiting {
            let began = Instant::now();
            let offering =
                offerer.offer(&mut transaction, &mut pool, self.finder, &mut found, &parameters);
            let offered = offering.await;
            if let (Some(place), Some(way)) = (offered.place, offered.way) {
                let (lookup, took) = (found.lookup, began.elapsed());
                transaction.accept(place, Accepted { path, parameters, lookup, way, took });
                numbers.push(number);
            } else {
                let reply = Translated::new(Situation::Recipient, &offered.reply);
                outcomes.push((vec![number], reply.into()));
            }
        }
        pool.quit().await;
        let (openings, others): (Vec<_>, Vec<_>) =
            transaction.openings.into_iter().partition(Opening::has_recipients);
        for opening in others.into_iter().filter(|opening| opening.lost.is_none()) {
            opening.connection.quit().await;
        }
        (!openings.is_empty()).then_some((openings, numbers))
    }

    /// Takes the message to the back ends that have accepted recipients: `numbers` says whose each
    /// is.
    pub(super) async fn carry(
        &self,
        openings: Vec<Opening>,
        numbers: &[usize],
        source: Source,
        outcomes: &mut Outcomes,
    ) {
        let Ok(plan) = Plan::lmtp(openings.iter().map(Opening::legs).collect()) else { return };
        let setting = self.service.setting();
        let mut delivering =
            Delivering::begin(setting, self.id.to_owned(), plan, openings, source).await;
        delivering.ended();
        while !matches!(delivering.next(None, None).await, Task::Finished) {}
        for (place, number) in numbers.iter().enumerate() {
            if let Some(outcome) = delivering.delivery.outcome(place) {
                outcomes.push((vec![*number], outcome.clone()));
            }
        }
        for connection in delivering.take_connections() {
            connection.quit().await;
        }
    }
}

/// Waypost speaks for itself: the client has gone long ago.
pub(super) fn caller() -> Caller {
    Caller {
        protocol: Protocol::Smtp,
        header: Header { local: true, ..Header::default() },
        identity: None,
    }
}

pub(super) fn context(record: &Record, mail: &Mail) -> Context {
    let envelope = record.envelope();
    Context {
        protocol: Protocol::Smtp,
        listener: Arc::from(envelope.listener.as_str()),
        client_address: envelope.client,
        encrypted: false,
        mechanism: None,
        login_name: None,
        authentication_id: None,
        certificate_name: None,
        sender: Some(mail.sender.mailbox().map_or_else(Arc::default, |it| it.to_string().into())),
        now: SystemTime::now(),
    }
}

fn first_targets<T>(waiting: &[Waiting<T>]) -> BTreeSet<String> {
    let first =
        |waiting: &Waiting<T>| Some(waiting.found.routed.route.targets.first()?.to_string());
    waiting.iter().filter_map(first).collect()
}

impl Lanes {
    pub(super) fn new(most: NonZeroUsize) -> Self {
        Self { most, used: Mutex::default() }
    }

    /// Waits for a place at each of the targets, in one order for all who wait.
    async fn enter(&self, targets: BTreeSet<String>) -> Vec<OwnedSemaphorePermit> {
        let mut permits = Vec::with_capacity(targets.len());
        for target in targets {
            let lane = self.lane(target);
            permits.extend(lane.acquire_owned().await);
        }
        permits
    }

    fn lane(&self, target: String) -> Arc<Semaphore> {
        let mut used = self.used.lock();
        used.retain(|_, lane| lane.strong_count() > 0);
        let known = used.get(&target).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            let lane = Arc::new(Semaphore::new(self.most.get()));
            used.insert(target, Arc::downgrade(&lane));
            lane
        })
    }
}

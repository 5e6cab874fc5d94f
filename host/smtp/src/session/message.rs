//! A message: from DATA or the first BDAT to the client's answer.

use std::time::SystemTime;

use tokio::time::{Instant, timeout};
use waypost_routing::Decide;
use waypost_session::Grant;
use waypost_spool::{Draft, Id};
use waypost_wire::smtp::Reply;

use super::commands::Mailing;
use super::{Ended, Session};
use crate::client::Client;
use crate::delivering::{Delivering, Source, Task};
use crate::fail_point::FailPoint;
use crate::journal::{self, MessageLine};
use crate::legs::{Mode, Plan, Promised};
use crate::outcome::Outcome;
use crate::promise::{self, Origin};
use crate::queue::Hearing;
use crate::received::Received;
use crate::record::{Record, UnixTime};
use crate::scrutiny::Scrutiny;
use crate::transaction::{Opening, Transaction};
use crate::{late, wording};

/// What Waypost writes into a copy beyond what the client has declared.
const OVERHEAD: u64 = 64 * 1024;

/// A message under way, as its session sees it.
struct Course {
    delivering: Delivering,
    origin: Origin,
    began: Instant,
    /// The promise, where one has been made.
    record: Option<Record>,
    /// What it has become, where it is kept.
    message: Option<Hearing>,
    /// What became of late legs before they were somebody else's.
    news: Vec<(Vec<usize>, Outcome)>,
    /// Whether the client was told that it has been taken.
    taken: bool,
}

impl<P: Decide> Session<P>
where
    P::Targets: Grant,
{
    /// Takes a message and answers it. `Err`: the session is over.
    pub(super) async fn message(
        &self,
        client: &mut Client,
        mailing: &mut Mailing<P>,
    ) -> Result<(), Ended> {
        let Some(mut transaction) = mailing.transaction.take() else {
            client.reply(&wording::STORAGE);
            return Ok(());
        };
        let openings = self.participants(mailing, &mut transaction).await;
        let transfers = openings.iter().map(Opening::legs).collect();
        let plan =
            if self.entrance.is_lmtp() { Plan::lmtp(transfers) } else { Plan::smtp(transfers) };
        let Ok(plan) = plan else {
            client.reply(&wording::STORAGE);
            return Ok(());
        };
        let id = Id::generate();
        let origin = self.origin(id, client, transaction);
        let draft = match self.draft(id, &plan, &origin).await {
            Ok(draft) => draft,
            Err(reply) => {
                self.give_back(mailing, openings).await;
                client.reply(&reply);
                return Ok(());
            }
        };
        let source = Source::Client { trace: received(&origin, client), draft };
        let setting = self.service.setting();
        let began = Instant::now();
        let delivering = Delivering::begin(setting, id.to_string(), plan, openings, source).await;
        let course = Course {
            delivering,
            origin,
            began,
            record: None,
            message: None,
            news: Vec::new(),
            taken: false,
        };
        self.follow(course, client, mailing).await
    }

    /// The back ends that have accepted recipients. The others wait for the next transaction.
    async fn participants(
        &self,
        mailing: &mut Mailing<P>,
        transaction: &mut Transaction,
    ) -> Vec<Opening> {
        let openings = std::mem::take(&mut transaction.openings);
        let (participants, others) = openings.into_iter().partition(Opening::has_recipients);
        self.give_back(mailing, others).await;
        participants
    }

    async fn give_back(&self, mailing: &mut Mailing<P>, openings: Vec<Opening>) {
        let generation = self.service.process.generation.load_full();
        for opening in openings.into_iter().filter(|opening| opening.lost.is_none()) {
            mailing.pool.keep(opening.connection, &generation).await;
        }
    }

    fn origin(&self, id: Id, client: &Client, transaction: Transaction) -> Origin {
        let Transaction { mail, accepted, .. } = transaction;
        Origin {
            id,
            arrived: SystemTime::now(),
            client: self.client.ip(),
            listener: self.entrance.kind.listener.clone(),
            hostname: self.service.settings.hostname.clone(),
            hello: client.front.hello().cloned(),
            mail,
            recipients: accepted,
        }
    }

    /// Where there are several legs: a copy with its space.
    async fn draft(&self, id: Id, plan: &Plan, origin: &Origin) -> Result<Option<Draft>, Reply> {
        if plan.mode() != Mode::Copied {
            return Ok(None);
        }
        let queue = self.service.queue.as_ref().ok_or(wording::STORAGE)?;
        let settings = &self.service.settings;
        let declared = origin.mail.parameters.size.unwrap_or(settings.max_message_size);
        let copy = declared.saturating_add(OVERHEAD);
        let record = promise::envelope(origin, copy).record_bytes();
        match queue.spool().reserve(copy, record).await {
            Ok(reservation) => {
                self.service.fail_points.pass(FailPoint::Reserved).await;
                Ok(Some(queue.spool().begin(id, reservation)))
            }
            Err(error) => {
                self.service.metrics.spool_failed();
                tracing::warn!(
                    target: "waypost::smtp",
                    session = self.id, %error, "no room for a copy"
                );
                Err(if error.is_full() { wording::FULL } else { wording::STORAGE })
            }
        }
    }

    /// Does what the message needs until its client has its answer.
    async fn follow(
        &self,
        mut course: Course,
        client: &mut Client,
        mailing: &mut Mailing<P>,
    ) -> Result<(), Ended> {
        loop {
            let task = course.delivering.next(Some(&mut *client), Some(&self.record)).await;
            match task {
                Task::Continue => {
                    course.delivering.pass(FailPoint::BeforeContinue).await;
                    let normalizes =
                        self.entrance.settings.normalize_newlines_from.contains(self.client.ip());
                    client.go_ahead(Scrutiny::new(&self.service.settings, normalizes));
                    self.tell(client).await?;
                    course.delivering.receive();
                }
                Task::Refuse(reply) => {
                    client.reply(&reply);
                    self.note(&course, "refused", &[reply]);
                }
                Task::Promise(promised) => self.promise(&mut course, &promised),
                Task::Kept(kept) => {
                    if let (Some(queue), Some(record)) = (&self.service.queue, &course.record) {
                        course.message = Some(queue.adopt(kept, record));
                    }
                }
                Task::Answer(replies) => self.answer(&mut course, client, mailing, replies).await?,
                Task::Update { recipients, outcome } => course.news.push((recipients, outcome)),
                Task::ClientLost(lost) => {
                    self.note(&course, "client-lost", &[]);
                    return Ended::with_message(lost).map_or(Ok(()), Err);
                }
                Task::HearOn | Task::Finished => break,
            }
        }
        let generation = self.service.process.generation.load_full();
        for connection in course.delivering.take_connections() {
            mailing.pool.keep(connection, &generation).await;
        }
        let Course { delivering, message, news, .. } = course;
        if let (Some(queue), Some(message)) = (&self.service.queue, message) {
            late::hear(queue.clone(), delivering, message, news);
        }
        Ok(())
    }

    fn promise(&self, course: &mut Course, promised: &[Promised]) {
        let size = course.delivering.size();
        let record = promise::write(&course.origin, size, promised, &self.service.settings);
        course.delivering.keep(record.to_bytes());
        course.record = Some(record);
    }

    async fn answer(
        &self,
        course: &mut Course,
        client: &mut Client,
        mailing: &mut Mailing<P>,
        replies: Vec<Reply>,
    ) -> Result<(), Ended> {
        course.delivering.pass(FailPoint::BeforeAnswer).await;
        if let Some(hearing) = &course.message
            && course.news.is_empty()
            && !course.delivering.has_more_to_say()
        {
            hearing.end();
        }
        client.replies(&replies);
        course.taken = replies.iter().any(Reply::is_positive);
        mailing.counts.octets += course.delivering.size();
        mailing.counts.messages += usize::from(course.taken);
        let outcome = match (&course.message, course.taken) {
            (Some(_), _) => "kept",
            (None, true) => "delivered",
            (None, false) => "refused",
        };
        self.note(course, outcome, &replies);
        let told = self.tell(client).await;
        course.delivering.pass(FailPoint::AfterAnswer).await;
        // What has been decided is to be carried out, whether the client hears of it or not.
        if let (Err(ended), None) = (told, &course.message) {
            return Err(ended);
        }
        Ok(())
    }

    /// Sends what is to be said to a client that may not be listening.
    async fn tell(&self, client: &mut Client) -> Result<(), Ended> {
        match timeout(self.service.settings.command_timeout, client.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Ended::Gone(error)),
            Err(_) => Err(Ended::Timeout),
        }
    }

    fn note(&self, course: &Course, outcome: &'static str, replies: &[Reply]) {
        let took = course.began.elapsed();
        self.service.metrics.message(self.entrance.kind.protocol, outcome, took);
        journal::message(
            self,
            &MessageLine {
                id: course.origin.id,
                mail: &course.origin.mail,
                recipients: &course.origin.recipients,
                delivery: &course.delivering.delivery,
                size: course.delivering.size(),
                outcome,
                replies,
                took,
            },
        );
    }
}

/// Our trace field, which comes first in the message.
fn received(origin: &Origin, client: &Client) -> Vec<u8> {
    let recipients: Vec<_> = origin.recipients.iter().map(|recipient| &recipient.path).collect();
    let mut field = Vec::with_capacity(256);
    Received {
        hello: origin.hello.as_ref(),
        client: origin.client,
        hostname: &origin.hostname,
        smtputf8: origin.mail.parameters.smtputf8,
        cipher: client.cipher_suite(),
        id: &origin.id.to_string(),
        recipients: &recipients,
        at: UnixTime::from(origin.arrived),
    }
    .write(&mut field);
    field
}

//! Reports on their way to senders: routed as the sender's address, or by the relay.

use std::sync::Arc;

use waypost_model::Target;
use waypost_routing::Decide;
use waypost_session::Grant;
use waypost_wire::smtp::{
    Body, ForwardPath, Mail, MailParameters, Mailbox, RecipientParameters, ReversePath,
};

use super::delivery::{Trip, Waiting, caller, context};
use super::message::MessageError;
use super::{Message, Queue, chance, now};
use crate::Service;
use crate::backend::{Begun, Opener, TargetFailure};
use crate::delivering::Source;
use crate::fail_point::FailPoint;
use crate::outcome::Outcome;
use crate::recipient::{Finder, NotFound};
use crate::record::{Record, ReportId, UnixTime};
use crate::report::{Abilities, COPY_PREFIX, Issuer, Original, Rendered, render};
use crate::transaction::{Opening, Transaction};
use crate::translate::{Lack, Situation, Translated};
use crate::wording;

impl Queue {
    /// Sends the reports that are due at `at`. Comes back with the record as it is then.
    pub(super) async fn report<P: Decide>(
        &self,
        service: &Arc<Service<P>>,
        message: &Message,
        at: UnixTime,
    ) -> Result<Record, MessageError>
    where
        P::Targets: Grant,
    {
        service.fail_points.pass(FailPoint::BeforeReport).await;
        let pace = self.pace();
        let (_, mut record, written) =
            message.edit(|record| record.begin_report(now(), &pace)).await?;
        // What is in which report must be certain before one is sent: else there could be two.
        written?;
        service.fail_points.pass(FailPoint::AfterReportBegun).await;
        let copy = beginning(message).await?;
        for id in record.reports_due(at) {
            let outcome = self.send(service, &record, &id, &copy, message).await;
            service.fail_points.pass(FailPoint::AfterReportSent).await;
            self.metrics().reported(outcome.kind());
            let users = &service.process.users;
            tracing::info!(
                target: "waypost::queue",
                id = %message.id(),
                sender = %users.label(&crate::journal::reverse(&record.envelope().mail.sender)),
                outcome = outcome.kind(),
                reply = %crate::journal::Said { reply: &outcome.reply(), users },
                "a report was tried"
            );
            record = self
                .write(message, |record| record.reported(&id, &outcome, now(), &pace, chance()))
                .await?;
            service.fail_points.pass(FailPoint::AfterReportUpdate).await;
        }
        Ok(record)
    }

    /// Sends one report: with what the message holds as it is where the way can carry it, else in a
    /// form that every way can.
    async fn send<P: Decide>(
        &self,
        service: &Arc<Service<P>>,
        record: &Record,
        id: &ReportId,
        copy: &[u8],
        message: &Message,
    ) -> Outcome
    where
        P::Targets: Grant,
    {
        let whole = u64::try_from(copy.len()).is_ok_and(|length| length == message.length());
        let original = Original { octets: copy, whole };
        let issuer = Issuer { postmaster: &service.settings.postmaster, now: now() };
        let mut outcome = Outcome::Permanent(wording::UNKNOWN_USER);
        for eight_bit in [true, false] {
            let abilities = Abilities { eight_bit };
            let Some(rendered) = render(record, id, &issuer, &original, abilities) else { break };
            let was_eight_bit = rendered.eight_bit;
            outcome = Box::pin(self.post(service, record, rendered, message)).await;
            let lacks = outcome.reply() == Lack::EightBit.reply();
            if !(was_eight_bit && lacks) {
                break;
            }
        }
        outcome
    }

    async fn post<P: Decide>(
        &self,
        service: &Arc<Service<P>>,
        record: &Record,
        rendered: Rendered,
        message: &Message,
    ) -> Outcome
    where
        P::Targets: Grant,
    {
        let Some(sender) = record.envelope().mail.sender.mailbox() else {
            return Outcome::Permanent(wording::UNKNOWN_USER);
        };
        let path = ForwardPath::Mailbox(sender.clone());
        let mail = mail(&rendered);
        let id = message.id().to_string();
        let generation = service.process.generation.load_full();
        let context = Arc::new(context(record, &mail));
        let finder = Finder {
            router: &service.process.router,
            generation: &generation,
            settings: &service.settings,
            context: &context,
        };
        let mut outcomes = Vec::new();
        let trip = Trip { service, id: &id, generation: &generation, finder: &finder };
        let found = finder.find(&path).await;
        let openings = match found {
            Ok(found) => {
                let parameters = RecipientParameters::default();
                let waiting = vec![Waiting { number: 0, path, parameters, found }];
                let offered = trip.offer(mail, waiting, &mut outcomes).await;
                offered.map(|(openings, _)| openings)
            }
            Err(NotFound::NotServed) => match self.relay(service, record) {
                Some(relay) => match trip.relay(relay, mail, sender).await {
                    Ok(opening) => Some(vec![opening]),
                    Err(outcome) => return outcome,
                },
                None => return Outcome::Temporary(wording::later(wording::NOT_SERVED)),
            },
            Err(not_found) if not_found.is_final() => {
                return Outcome::Permanent(not_found.reply());
            }
            Err(not_found) => return Outcome::Temporary(not_found.reply()),
        };
        if let Some(openings) = openings {
            let source = Source::Whole(rendered.octets);
            trip.carry(openings, &[0], source, &mut outcomes).await;
        }
        let outcome = outcomes.pop().map(|(_, outcome)| outcome);
        outcome.unwrap_or(Outcome::Temporary(wording::UNREACHABLE))
    }

    /// Where reports on messages of this client go whose senders no policy serves.
    fn relay<'a, P: Decide>(&self, service: &'a Service<P>, record: &Record) -> Option<&'a Target> {
        let settings = &service.settings;
        let trusted = settings.report_networks.contains(record.envelope().client);
        settings.relay.as_ref().filter(|_| trusted)
    }
}

impl<P: Decide> Trip<'_, P>
where
    P::Targets: Grant,
{
    /// Offers a report to the relay, which may be wherever the operator has put it.
    async fn relay(
        &self,
        target: &Target,
        mail: Mail,
        sender: &Mailbox,
    ) -> Result<Opening, Outcome> {
        let caller = caller();
        let opener = Opener {
            connector: &self.service.process.connector,
            table: &self.generation.backends,
            settings: &self.service.settings,
            caller: &caller,
        };
        let clear = self.service.process.users.are_clear();
        let unreachable = |failure: TargetFailure| {
            tracing::warn!(
                target: "waypost::queue",
                id = self.id, %target, reason = failure.kind(),
                detail = failure.detail(clear), "the relay failed"
            );
            Outcome::Temporary(wording::UNREACHABLE)
        };
        let opened = opener.open(target, &|_, _| true, true).await;
        let mut connection = opened.map_err(unreachable)?;
        let needs = crate::offer::needs(&mail, sender);
        if let Some(lack) = Lack::find(&needs, &connection.offers()) {
            return Err(Outcome::Permanent(lack.reply()));
        }
        let path = ForwardPath::Mailbox(sender.clone());
        let begun = connection.begin(&mail, &path, &RecipientParameters::default()).await;
        let (number, reply) = match begun.map_err(|broken| unreachable(broken.into()))? {
            Begun::Refused(reply) => {
                return Err(Translated::new(Situation::Mail, &reply).into());
            }
            Begun::Recipient(number, reply) => (number, reply),
        };
        let reply = Translated::new(Situation::Recipient, &reply).into_reply();
        if !reply.is_positive() {
            return Err(Translated::new(Situation::Recipient, &reply).into());
        }
        let mut transaction = Transaction::new(mail);
        transaction.openings.push(Opening::new(connection));
        let place = transaction.note(0, sender, number, &reply);
        transaction.reach(place, 0);
        transaction.openings.pop().ok_or(Outcome::Temporary(wording::UNREACHABLE))
    }
}

/// What MAIL says of a report.
fn mail(rendered: &Rendered) -> Mail {
    Mail {
        sender: ReversePath::Null,
        parameters: MailParameters {
            size: u64::try_from(rendered.octets.len()).ok(),
            body: rendered.eight_bit.then_some(Body::EightBitMime),
            smtputf8: rendered.smtputf8,
            ..MailParameters::default()
        },
    }
}

/// As much of a message's copy as a report returns.
async fn beginning(message: &Message) -> Result<Vec<u8>, MessageError> {
    let mut octets = vec![0; COPY_PREFIX];
    let mut length = 0;
    let Some(mut reader) = message.readers(1).await.pop() else { return Ok(Vec::new()) };
    loop {
        let place = u64::try_from(length).unwrap_or(u64::MAX);
        let room = octets.get_mut(length..).unwrap_or_default();
        match reader.read_at(place, room).await? {
            0 => break,
            read => length += read,
        }
    }
    octets.truncate(length);
    Ok(octets)
}

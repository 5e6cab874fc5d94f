//! Offering a recipient to the targets of its route, until one of them has a word on it.

use std::sync::Arc;

use waypost_model::Target;
use waypost_net::connect::ConnectError;
use waypost_routing::Decide;
use waypost_session::{Generation, Grant, Process};
use waypost_wire::smtp::{Body, ForwardPath, Mail, Mailbox, RecipientParameters, Reply};

use crate::backend::{Begun, Broken, Caller, Connection, Opener, TargetFailure};
use crate::outcome::Loss;
use crate::pool::Pool;
use crate::recipient::{Finder, Found};
use crate::transaction::{Opening, Place, Transaction, Way};
use crate::translate::{Lack, MISUNDERSTOOD, Needs, Situation, Translated};
use crate::{Metrics, Settings, wording};

/// What it takes to offer recipients to back ends.
pub(crate) struct Offerer<'a, P: Decide> {
    pub(crate) process: &'a Process<P>,
    pub(crate) generation: &'a Arc<Generation<P>>,
    pub(crate) settings: &'a Settings,
    pub(crate) metrics: &'a Metrics,
    pub(crate) caller: &'a Caller,
    /// Whose mail it is, in the log: a session or a kept message.
    pub(crate) id: &'a str,
    /// Whether that is a kept message.
    pub(crate) is_kept: bool,
    /// Whether a message may go to several back ends, or to several recipients of one over LMTP.
    pub(crate) may_split: bool,
}

/// What came of it.
pub(crate) struct Offered {
    /// What the client hears.
    pub(crate) reply: Reply,
    /// Where the recipient stands, where a back end has accepted it.
    pub(crate) place: Option<Place>,
    /// How it got there, where a target was reached.
    pub(crate) way: Option<Way>,
    /// It was the recipient that a back end refused, and not something else.
    refused: bool,
}

/// What came of trying one target.
enum Tried {
    /// It has spoken, or another word stands for its own.
    Said(Offered),
    /// The next one's turn; the client hears this where there is none.
    Next { reply: Reply, all_down: bool },
}

impl<P: Decide> Offerer<'_, P>
where
    P::Targets: Grant,
{
    /// Offers a recipient. A refusal on a route that was learnt before is taken for what it is only
    /// when the policy still says so.
    pub(crate) async fn offer(
        &self,
        transaction: &mut Transaction,
        pool: &mut Pool<P>,
        finder: &Finder<'_, P>,
        found: &mut Found<P::Targets>,
        parameters: &RecipientParameters,
    ) -> Offered {
        let offered = self.try_route(transaction, pool, found, parameters).await;
        if !offered.refused {
            return offered;
        }
        match finder.renew(found).await {
            Ok(None) => offered,
            Ok(Some(moved)) => {
                *found = moved;
                self.try_route(transaction, pool, found, parameters).await
            }
            Err(trouble) => Offered::ours(trouble.reply()),
        }
    }

    /// Where all targets are known to be down, they are tried all the same.
    async fn try_route(
        &self,
        transaction: &mut Transaction,
        pool: &mut Pool<P>,
        found: &Found<P::Targets>,
        parameters: &RecipientParameters,
    ) -> Offered {
        let mut told = wording::UNREACHABLE;
        for last_resort in [false, true] {
            let mut all_are_down = true;
            for target in &found.routed.route.targets {
                let aim = Aim { target, found, parameters, last_resort };
                match Box::pin(self.try_target(transaction, pool, &aim)).await {
                    Tried::Said(offered) => return offered,
                    Tried::Next { reply, all_down } => {
                        all_are_down &= all_down;
                        // A back end's own words are worth more than ours about another one.
                        if reply != wording::UNREACHABLE {
                            told = reply;
                        }
                    }
                }
            }
            if !all_are_down {
                break;
            }
        }
        Offered::ours(told)
    }

    async fn try_target(
        &self,
        transaction: &mut Transaction,
        pool: &mut Pool<P>,
        aim: &Aim<'_, P::Targets>,
    ) -> Tried {
        let Aim { target, found, .. } = aim;
        let opening = transaction.opening_at(target, &found.routed);
        if let Some(opening) = opening
            && let Some((place, reply)) = transaction.said_before(opening, &found.passed_on)
        {
            return Tried::Said(self.said(transaction, aim, place, reply));
        }
        if let Some(reply) = transaction.out_of(target) {
            let reply = reply.clone();
            if reply.is_permanent() {
                return Tried::Said(Offered::ours(reply));
            }
            return Tried::Next { reply, all_down: false };
        }
        if !self.may_split && transaction.would_split(opening) {
            return Tried::Said(Offered::ours(wording::SEPARATELY));
        }
        match opening {
            Some(opening) => self.further(transaction, opening, aim).await,
            None => self.first(transaction, pool, aim).await,
        }
    }

    /// A recipient for a back end that takes part already.
    async fn further(
        &self,
        transaction: &mut Transaction,
        number: usize,
        aim: &Aim<'_, P::Targets>,
    ) -> Tried {
        let Some(opening) = transaction.openings.get_mut(number) else {
            return Tried::Said(Offered::ours(wording::UNREACHABLE));
        };
        let connection = &mut opening.connection;
        let needs = needs(&transaction.mail, &aim.found.passed_on);
        if let Some(lack) = Lack::find(&needs, &connection.offers()) {
            return Tried::Said(Offered::ours(lack.reply()));
        }
        match connection.recipient(&aim.path(), aim.parameters).await {
            Ok((rcpt, reply)) => Tried::Said(self.heard(transaction, number, rcpt, &reply, aim)),
            Err(broken) => {
                let loss = broken.loss();
                opening.lost = Some(loss);
                self.note_failure(aim.target, &broken.into());
                transaction.leave_out(aim.target, loss.reply());
                Tried::Next { reply: loss.reply(), all_down: false }
            }
        }
    }

    /// The first recipient for a back end.
    async fn first(
        &self,
        transaction: &mut Transaction,
        pool: &mut Pool<P>,
        aim: &Aim<'_, P::Targets>,
    ) -> Tried {
        let kept = pool.take(aim.target, &aim.found.routed, self.generation).await;
        let connection = match kept {
            Some(connection) => Ok(connection),
            None => self.open(aim).await,
        };
        let mut connection = match connection {
            Ok(connection) => connection,
            Err(failure) => return self.failed(transaction, aim, failure),
        };
        loop {
            let needs = needs(&transaction.mail, &aim.found.passed_on);
            if let Some(lack) = Lack::find(&needs, &connection.offers()) {
                pool.keep(connection, self.generation).await;
                return Tried::Said(Offered::ours(lack.reply()));
            }
            let begun = connection.begin(&transaction.mail, &aim.path(), aim.parameters).await;
            if connection.is_used() && has_gone(&begun) {
                // It had grown too old: a new one, which is not used, takes its place.
                connection = match self.open(aim).await {
                    Ok(connection) => connection,
                    Err(failure) => return self.failed(transaction, aim, failure),
                };
                continue;
            }
            return match begun {
                Err(broken) => self.failed(transaction, aim, broken.into()),
                Ok(Begun::Refused(reply)) => {
                    if !reply.is_goodbye() {
                        pool.keep(connection, self.generation).await;
                    }
                    self.refused(transaction, aim, reply)
                }
                Ok(Begun::Recipient(rcpt, reply)) => {
                    let number = transaction.openings.len();
                    transaction.openings.push(Opening::new(connection));
                    Tried::Said(self.heard(transaction, number, rcpt, &reply, aim))
                }
            };
        }
    }

    async fn open(&self, aim: &Aim<'_, P::Targets>) -> Result<Connection, TargetFailure> {
        let opener = Opener {
            connector: &self.process.connector,
            table: &self.generation.backends,
            settings: self.settings,
            caller: self.caller,
        };
        let targets = &aim.found.routed.targets;
        let allowed = |host: &_, address| targets.allows_resolved(host, &address);
        Box::pin(opener.open(aim.target, &allowed, aim.last_resort)).await
    }

    /// What a back end says to RCPT.
    fn heard(
        &self,
        transaction: &mut Transaction,
        opening: usize,
        rcpt: usize,
        reply: &Reply,
        aim: &Aim<'_, P::Targets>,
    ) -> Offered {
        if reply.is_goodbye() {
            if let Some(opening) = transaction.openings.get_mut(opening) {
                opening.lost = Some(Loss::Closed);
            }
            transaction.leave_out(aim.target, wording::BROKEN_OFF);
        }
        let translated = self.translated(Situation::Recipient, reply, aim.target);
        let place = transaction.note(opening, &aim.found.passed_on, rcpt, translated.reply());
        let reply = translated.into_reply();
        Offered { refused: reply.is_permanent(), ..self.said(transaction, aim, place, reply) }
    }

    fn said(
        &self,
        transaction: &Transaction,
        aim: &Aim<'_, P::Targets>,
        place: Place,
        reply: Reply,
    ) -> Offered {
        let opening = transaction.openings.get(place.opening);
        let way = opening.map(|opening| Way {
            policy: aim.found.routed.policy.clone(),
            source: aim.found.routed.source,
            target: aim.target.to_string(),
            address: opening.connection.address,
        });
        let place = reply.is_positive().then_some(place);
        Offered { reply, place, way, refused: false }
    }

    /// A back end's no to MAIL is its word on each of its recipients; where it may pass, the next
    /// target may do better.
    fn refused(
        &self,
        transaction: &mut Transaction,
        aim: &Aim<'_, P::Targets>,
        reply: Reply,
    ) -> Tried {
        let told = self.translated(Situation::Mail, &reply, aim.target).into_reply();
        transaction.leave_out(aim.target, told.clone());
        if told.is_permanent() {
            return Tried::Said(Offered::ours(told));
        }
        self.note_failure(aim.target, &TargetFailure::Mail(reply));
        Tried::Next { reply: told, all_down: false }
    }

    /// Nothing came of a target.
    fn failed(
        &self,
        transaction: &mut Transaction,
        aim: &Aim<'_, P::Targets>,
        failure: TargetFailure,
    ) -> Tried {
        let all_down = matches!(failure, TargetFailure::Connect(ConnectError::AllDown));
        let nonsense =
            matches!(&failure, TargetFailure::Broken(broken) if broken.loss() == Loss::Nonsense);
        let reply = if nonsense { MISUNDERSTOOD } else { wording::UNREACHABLE };
        if !all_down || aim.last_resort {
            self.note_failure(aim.target, &failure);
            transaction.leave_out(aim.target, reply.clone());
        }
        Tried::Next { reply, all_down }
    }

    fn note_failure(&self, target: &Target, failure: &TargetFailure) {
        self.metrics.target_failed(failure.kind());
        let clear = self.process.users.are_clear();
        macro_rules! write_line {
            ($write:ident) => {
                tracing::$write!(
                    target: "waypost::smtp",
                    session = (!self.is_kept).then_some(self.id),
                    id = self.is_kept.then_some(self.id),
                    %target, reason = failure.kind(),
                    detail = failure.detail(clear),
                    "a target failed"
                )
            };
        }
        // Target health has its own line where an address goes down, and one where it is up again.
        let is_news = !matches!(failure, TargetFailure::Connect(error) if error.is_watched());
        if is_news && self.process.warned.is_due((target, failure.kind())) {
            write_line!(warn);
        } else {
            write_line!(debug);
        }
    }

    fn translated(&self, situation: Situation, reply: &Reply, target: &Target) -> Translated {
        let translated = Translated::new(situation, reply);
        if let Some(fault) = translated.fault() {
            note_fault(self.id, target, fault.as_str(), reply, self.process.users.are_clear());
        }
        translated
    }
}

/// A reply that the operator has to look at.
pub(crate) fn note_fault(id: &str, target: &Target, fault: &str, reply: &Reply, clear: bool) {
    tracing::error!(
        target: "waypost::smtp",
        id, %target, reason = fault, code = reply.code(),
        reply = clear.then(|| tracing::field::display(reply)),
        "a back end's reply cannot be passed on"
    );
}

/// One recipient and one target.
struct Aim<'a, T> {
    target: &'a Target,
    found: &'a Found<T>,
    parameters: &'a RecipientParameters,
    last_resort: bool,
}

impl<T> Aim<'_, T> {
    fn path(&self) -> ForwardPath {
        ForwardPath::Mailbox(self.found.passed_on.clone())
    }
}

impl Offered {
    /// A reply that no back end has given to RCPT.
    const fn ours(reply: Reply) -> Self {
        Self { reply, place: None, way: None, refused: false }
    }
}

/// What a back end must take to take a message for `recipient`.
pub(crate) fn needs(mail: &Mail, recipient: &Mailbox) -> Needs {
    let parameters = &mail.parameters;
    Needs {
        size: parameters.size,
        eight_bit: parameters.body == Some(Body::EightBitMime),
        smtputf8: parameters.smtputf8,
        non_ascii_address: !mail.sender.is_ascii() || !recipient.is_ascii(),
    }
}

fn has_gone(begun: &Result<Begun, Broken>) -> bool {
    match begun {
        Ok(Begun::Refused(reply)) => reply.is_goodbye(),
        Ok(Begun::Recipient(..)) => false,
        Err(broken) => broken.is_gone(),
    }
}

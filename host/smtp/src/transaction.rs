//! One mail transaction: what the client said, and which back ends take part in it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use waypost_model::{Lookup, Target};
use waypost_routing::{Routed, Source};
use waypost_session::Grant;
use waypost_wire::smtp::{ForwardPath, Mail, Mailbox, RecipientParameters, Reply};

use crate::backend::Connection;
use crate::outcome::Loss;

/// One mail transaction, over all back ends that take part in it.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) mail: Mail,
    /// Recipients that a back end has accepted, in the client's order.
    pub(crate) accepted: Vec<Accepted>,
    /// Back ends that have accepted MAIL.
    pub(crate) openings: Vec<Opening>,
    /// Targets that take no part in it, and what their recipients hear.
    out: Vec<(Target, Reply)>,
}

/// A back end that has accepted MAIL.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) connection: Connection,
    /// Each RCPT that was sent, and what came of it.
    pub(crate) said: Vec<Said>,
    /// The connection is of no more use.
    pub(crate) lost: Option<Loss>,
}

/// One RCPT.
#[derive(Debug)]
pub(crate) struct Said {
    /// Whom it named, in one spelling.
    name: Arc<str>,
    /// The number by which the back end's replies tell it from the others.
    pub(crate) number: usize,
    /// What the client heard.
    reply: Reply,
    /// Who is reached by it: places in [`Transaction::accepted`].
    pub(crate) recipients: Vec<usize>,
}

/// A recipient that a back end has accepted.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    /// As the client named it.
    pub(crate) path: ForwardPath,
    pub(crate) parameters: RecipientParameters,
    /// Who was asked for.
    pub(crate) lookup: Arc<Lookup>,
    pub(crate) way: Way,
    /// From the client's RCPT to the back end's reply.
    pub(crate) took: Duration,
}

/// How a recipient came to its back end: for the log.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) policy: Arc<str>,
    pub(crate) source: Source,
    pub(crate) target: String,
    pub(crate) address: SocketAddr,
}

/// Where a recipient stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) opening: usize,
    pub(crate) said: usize,
}

impl Transaction {
    pub(crate) fn new(mail: Mail) -> Self {
        Self { mail, accepted: Vec::new(), openings: Vec::new(), out: Vec::new() }
    }

    /// The back end at `target`, where it takes part and the policy may name it at its address.
    pub(crate) fn opening_at<T: Grant>(
        &self,
        target: &Target,
        routed: &Routed<T>,
    ) -> Option<usize> {
        self.openings.iter().position(|opening| {
            let connection = &opening.connection;
            opening.lost.is_none()
                && connection.target == *target
                && routed.targets.allows_resolved(&target.host, &connection.address.ip())
        })
    }

    /// What recipients at a target hear that takes no part.
    pub(crate) fn out_of(&self, target: &Target) -> Option<&Reply> {
        self.out.iter().find(|(out, _)| out == target).map(|(_, reply)| reply)
    }

    /// From now on a target takes no part.
    pub(crate) fn leave_out(&mut self, target: &Target, reply: Reply) {
        self.out.push((target.clone(), reply));
    }

    /// Notes what a RCPT that was sent has come to.
    pub(crate) fn note(
        &mut self,
        opening: usize,
        name: &Mailbox,
        number: usize,
        reply: &Reply,
    ) -> Place {
        let mut place = Place { opening, said: 0 };
        if let Some(opening) = self.openings.get_mut(opening) {
            place.said = opening.said.len();
            let (name, reply) = (one_spelling(name), reply.clone());
            opening.said.push(Said { name, number, reply, recipients: Vec::new() });
        }
        place
    }

    /// The RCPT that has named the same recipient before, and what it came to.
    pub(crate) fn said_before(&self, opening: usize, name: &Mailbox) -> Option<(Place, Reply)> {
        let name = one_spelling(name);
        let said = &self.openings.get(opening)?.said;
        let (number, before) = said.iter().enumerate().find(|(_, before)| before.name == name)?;
        Some((Place { opening, said: number }, before.reply.clone()))
    }

    /// Adds a recipient to those that a back end has accepted.
    pub(crate) fn accept(&mut self, place: Place, recipient: Accepted) {
        let number = self.accepted.len();
        if self.reach(place, number) {
            self.accepted.push(recipient);
        }
    }

    /// Notes that a RCPT reaches the recipient with this number. Whether there is such a RCPT.
    pub(crate) fn reach(&mut self, place: Place, number: usize) -> bool {
        let opening = self.openings.get_mut(place.opening);
        let said = opening.and_then(|opening| opening.said.get_mut(place.said));
        said.map(|said| said.recipients.push(number)).is_some()
    }

    /// Whether a further recipient there, or at a back end that takes no part yet, would make the
    /// message one of several legs.
    pub(crate) fn would_split(&self, opening: Option<usize>) -> bool {
        let opening = opening.and_then(|number| self.openings.get(number));
        let opens_leg = opening.is_none_or(|it| it.connection.lmtp || !it.has_recipients());
        opens_leg && self.openings.iter().any(Opening::has_recipients)
    }
}

impl Opening {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, said: Vec::new(), lost: None }
    }

    /// Whether it has accepted recipients.
    pub(crate) fn has_recipients(&self) -> bool {
        self.said.iter().any(|said| !said.recipients.is_empty())
    }

    /// Its legs: over SMTP one with all its recipients, over LMTP one for each RCPT.
    pub(crate) fn legs(&self) -> Vec<Vec<usize>> {
        let reached = self.said.iter().map(|said| &said.recipients).filter(|it| !it.is_empty());
        if self.connection.lmtp {
            return reached.cloned().collect();
        }
        vec![reached.flatten().copied().collect()]
    }

    /// The leg that a reply after the dot is for, by the number of its RCPT.
    pub(crate) fn leg_of(&self, number: usize) -> Option<usize> {
        let reached = self.said.iter().filter(|it| !it.recipients.is_empty());
        reached.enumerate().find(|(_, said)| said.number == number).map(|(leg, _)| leg)
    }
}

/// A mailbox so that those that are the same look the same.
fn one_spelling(name: &Mailbox) -> Arc<str> {
    match name.address() {
        Ok(address) => Arc::from(address.as_str()),
        Err(_) => Arc::from(name.to_string()),
    }
}

use std::net::IpAddr;

use waypost_model::Address;
use waypost_wire::smtp::{ForwardPath, Mail, Notify, RecipientParameters, ReversePath};

use super::{End, LastWord, State, UnixTime};

/// What a client said of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The message's name in the spool, in its `Received` field and in the log.
    pub id: String,
    /// When it came.
    pub arrived: UnixTime,
    /// From where.
    pub client: IpAddr,
    /// By which listener.
    pub listener: String,
    /// What we were called then.
    pub hostname: String,
    /// What its MAIL said.
    pub mail: Mail,
    /// The length of its copy, in octets.
    pub size: u64,
    /// The recipients that back ends had accepted, in the client's order.
    pub recipients: Vec<EnvelopeRecipient>,
}

/// What a client said of a recipient, and who that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeRecipient {
    /// As the client named it.
    pub path: ForwardPath,
    /// What else its RCPT said.
    pub parameters: RecipientParameters,
    /// The address that its route was asked for with.
    pub lookup: Address,
}

impl Envelope {
    /// The state of a recipient that will not get the message: reported, if the sender wants to hear
    /// of it and can (RFC 3461 section 4.1: without NOTIFY, failures are).
    pub(super) fn failed(&self, recipient: usize, last: LastWord, expired: bool) -> State {
        let recipient = self.recipients.get(recipient);
        let notify = recipient.and_then(|recipient| recipient.parameters.notify);
        let is_wanted = notify.is_none_or(|Notify { failure, .. }| failure);
        if self.mail.sender == ReversePath::Null || !is_wanted {
            return State::Done(End::NotReported);
        }
        State::Reporting { last, expired, report: None }
    }
}

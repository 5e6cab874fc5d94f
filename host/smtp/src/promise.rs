//! From a session's transaction to a message's record.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use waypost_spool::Id;
use waypost_wire::smtp::{Hello, Mail};

use crate::Settings;
use crate::legs::Promised;
use crate::queue;
use crate::record::{Envelope, EnvelopeRecipient, Record, UnixTime};
use crate::transaction::Accepted;

/// A message as its client has brought it.
pub(crate) struct Origin {
    pub(crate) id: Id,
    pub(crate) arrived: SystemTime,
    pub(crate) client: IpAddr,
    pub(crate) listener: Arc<str>,
    pub(crate) hostname: Arc<str>,
    /// How the client has introduced itself.
    pub(crate) hello: Option<Hello>,
    pub(crate) mail: Mail,
    pub(crate) recipients: Vec<Accepted>,
}

/// The envelope of the message, of `size` octets, for its record.
pub(crate) fn envelope(origin: &Origin, size: u64) -> Envelope {
    Envelope {
        id: origin.id.to_string(),
        arrived: UnixTime::from(origin.arrived),
        client: origin.client,
        listener: origin.listener.to_string(),
        hostname: origin.hostname.to_string(),
        mail: origin.mail.clone(),
        size,
        recipients: origin.recipients.iter().map(envelope_recipient).collect(),
    }
}

/// The promise to deliver the message, of `size` octets, or to report on it.
pub(crate) fn write(
    origin: &Origin,
    size: u64,
    promised: &[Promised],
    settings: &Settings,
) -> Record {
    let envelope = envelope(origin, size);
    Record::promise(envelope, promised, queue::now(), &queue::pace(settings), queue::chance())
}

fn envelope_recipient(recipient: &Accepted) -> EnvelopeRecipient {
    let Accepted { path, parameters, lookup, .. } = recipient;
    EnvelopeRecipient {
        path: path.clone(),
        parameters: parameters.clone(),
        lookup: lookup.address.clone(),
    }
}

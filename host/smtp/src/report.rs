//! Reports: what the sender of a message is told that could not be delivered to everybody
//! (RFC 3464, and RFC 6533 for messages with SMTPUTF8).
//!
//! A report speaks for the whole cluster: it names the host that took the message, and no back end.
//! Their names are nobody's business outside, and a route may name another tomorrow; who runs the
//! cluster finds them in the log, under the message's id. So there is no `Remote-MTA`, which
//! RFC 3464 section 2.3.5 leaves to the reporter. What a back end said is repeated as it was.
//!
//! The same report is the same to the octet but for its date, however often it is sent: its
//! `Message-ID` comes from the message's id and its first recipient, so that one that arrives twice
//! can be told to be one.

mod fold;
mod part;
mod quoted;
mod returned;
mod status;
mod words;

use waypost_model::Address;
use waypost_wire::smtp::{EnhancedCode, Mailbox, OriginalRecipient};

use crate::received::name;
use crate::record::{LastWord, Record, ReportId, UnixTime};
use part::{Encoded, Encoding};

/// The most of a copy that is returned, in octets; more need not be handed in.
pub const COPY_PREFIX: usize = 50 * 1024;

/// Who reports, and when.
#[derive(Clone, Copy, Debug)]
pub struct Issuer<'a> {
    /// In whose name: where an answer to the report goes.
    pub postmaster: &'a Address,
    /// The report's date.
    pub now: UnixTime,
}

/// The message that is reported on.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// Its copy, or as much of its beginning as [`COPY_PREFIX`] says.
    pub octets: &'a [u8],
    /// Whether that is all of it.
    pub whole: bool,
}

/// What the way that the report takes can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// 8-bit data. Without it a message that is not ASCII is returned by its header alone.
    pub eight_bit: bool,
}

/// A report as it is sent: with the null sender, to the sender of the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The message: lines of at most 998 octets, each ended by CRLF; dots are not doubled.
    pub octets: Vec<u8>,
    /// It needs `BODY=8BITMIME`.
    pub eight_bit: bool,
    /// It needs `SMTPUTF8`, since its sender or recipient has an address that does.
    pub smtputf8: bool,
}

/// A recipient that will not get the message.
struct Failure<'a> {
    /// As the client named it.
    mailbox: Mailbox,
    /// What the client called it before.
    original: Option<&'a OriginalRecipient>,
    last: &'a LastWord,
    expired: bool,
}

/// Writes the report of that id. None: the record has no such report, or no sender.
pub fn render(
    record: &Record,
    id: &ReportId,
    issuer: &Issuer<'_>,
    original: &Original<'_>,
    abilities: Abilities,
) -> Option<Rendered> {
    let sender = record.envelope().mail.sender.mailbox()?;
    let failures = failures(record, *id);
    if failures.is_empty() {
        return None;
    }
    let returned = returned::choose(record.envelope(), original, abilities);
    let parts = [
        words::part(record, &failures, returned.what),
        status::part(record.envelope(), &failures),
        returned.part,
    ]
    .map(|part| part.encode(abilities));

    let report = name(&record.name_of(*id));
    let host = name(&record.envelope().hostname);
    let boundary = boundary(&report, &parts);
    let postmaster = Mailbox::from(issuer.postmaster);
    let smtputf8 = !sender.is_ascii() || !postmaster.is_ascii();
    let eight_bit = smtputf8 || parts.iter().any(|part| part.encoding == Encoding::EightBit);

    let mut header = format!(
        "From: Mail delivery <{postmaster}>\r\n\
         To: <{sender}>\r\n\
         Subject: Your message could not be delivered\r\n\
         Date: {}\r\n\
         Message-ID: <report-{report}@{host}>\r\n",
        issuer.now.date(),
    );
    if let Some(message_id) = returned::message_id(original) {
        // RFC 3834 section 3.1.5.
        header.push_str(&format!("In-Reply-To: {message_id}\r\nReferences: {message_id}\r\n"));
    }
    header.push_str(&format!(
        "Auto-Submitted: auto-replied\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n\
         \tboundary=\"{boundary}\"\r\n",
    ));
    if eight_bit {
        // RFC 2045 section 6.4: what is inside shows outside.
        header.push_str("Content-Transfer-Encoding: 8bit\r\n");
    }
    let mut octets = header.into_bytes();
    for part in &parts {
        octets.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
        part.write(&mut octets);
    }
    octets.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Some(Rendered { octets, eight_bit, smtputf8 })
}

fn failures(record: &Record, id: ReportId) -> Vec<Failure<'_>> {
    let failures = record.failures(id).map(|(recipient, last, expired)| {
        let mailbox = recipient.path.mailbox().cloned();
        Failure {
            mailbox: mailbox.unwrap_or_else(|| Mailbox::from(&recipient.lookup)),
            original: recipient.parameters.original_recipient.as_ref(),
            last,
            expired,
        }
    });
    failures.collect()
}

impl Failure<'_> {
    /// The code for what happened, where a server has given one, and else that time ran out
    /// (RFC 3463 X.4.7).
    fn status(&self) -> EnhancedCode {
        match (self.expired, self.last.is_reply) {
            (true, false) => EnhancedCode::new(4, 4, 7),
            _ => self.last.status,
        }
    }
}

/// A boundary that is in none of the parts (RFC 2046 section 5.1.1). It holds `=_`, which
/// quoted-printable never does.
fn boundary(name: &str, parts: &[Encoded]) -> String {
    let is_inside = |boundary: &str| {
        let delimiter = format!("--{boundary}");
        parts.iter().any(|part| part.contains(delimiter.as_bytes()))
    };
    // 70 characters are allowed.
    let name = name.get(..50).unwrap_or(name);
    let mut boundary = format!("=_{name}");
    let mut number = 0u32;
    // A content has room for no more than its length of them.
    while is_inside(&boundary) {
        number = number.saturating_add(1);
        boundary = format!("=_{name}_{number}");
    }
    boundary
}

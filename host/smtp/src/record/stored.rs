//! A record as it is stored: JSON, with its version.

use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use waypost_model::Address;
use waypost_wire::smtp::{
    Body, EnhancedCode, Mail, MailParameters, Notify, RecipientParameters, Ret,
};

use super::state::{MAX_TEXT, PendingReport};
use super::{Envelope, EnvelopeRecipient, LastWord, Record, State, UnixTime};

/// What this program writes and reads.
const VERSION: u32 = 1;

/// Why octets are no record.
#[derive(Debug, Error)]
pub enum RecordError {
    /// Another version of this program has written it.
    #[error("the record is of version {0}, and version {VERSION} is what can be read")]
    Version(u32),
    /// Not JSON, or not this.
    #[error("the record cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A value that it cannot have.
    #[error("the record says {1:?} for {0}")]
    Value(&'static str, String),
    /// Failures that are in a report that does not exist, or a report about nobody.
    #[error("the record contradicts itself on its reports")]
    Reports,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Stored {
    version: u32,
    id: String,
    arrived: UnixTime,
    expires: UnixTime,
    client: IpAddr,
    listener: String,
    hostname: String,
    size: u64,
    sender: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    declared_size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    smtputf8: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    envelope_id: Option<String>,
    recipients: Vec<StoredRecipient>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reports: Vec<PendingReport>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StoredRecipient {
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notify: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    original_recipient: Option<String>,
    lookup: String,
    state: State,
}

impl Record {
    /// Reads a record that [`Record::to_bytes`] wrote.
    pub fn from_bytes(octets: &[u8]) -> Result<Self, RecordError> {
        let Versioned { version } = serde_json::from_slice(octets)?;
        if version != VERSION {
            return Err(RecordError::Version(version));
        }
        let record = serde_json::from_slice::<Stored>(octets)?.into_record()?;
        let told = |number: usize| record.reports.iter().any(|report| report.number == number);
        let about = |number: usize| {
            matches!(record.states.get(number),
                Some(State::Reporting { report: Some(report), .. }) if *report == number)
        };
        let is_told = |state: &State| match state {
            State::Reporting { report: Some(number), .. } => told(*number),
            _ => true,
        };
        let mut numbers = record.reports.iter().map(|report| report.number);
        if !record.states.iter().all(is_told) || !numbers.all(about) {
            return Err(RecordError::Reports);
        }
        Ok(record)
    }

    /// The record as it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        write(&Stored::new(&self.envelope, self.expires, &self.states, &self.reports))
    }
}

impl Envelope {
    /// The longest that a record of this message can ever be, in octets.
    pub fn record_bytes(&self) -> usize {
        // Quotes are what takes the most room in JSON, of what a text may hold.
        let last = LastWord {
            at: UnixTime(u64::MAX),
            status: EnhancedCode::new(5, 999, 999),
            text: "\"".repeat(MAX_TEXT),
            is_reply: false,
        };
        let waiting = State::Waiting {
            attempts: u32::MAX,
            next: UnixTime(u64::MAX),
            heard_until: Some(UnixTime(u64::MAX)),
            last: last.clone(),
        };
        let reporting = State::Reporting { last, expired: false, report: Some(usize::MAX) };
        let report = PendingReport {
            number: usize::MAX,
            attempts: u32::MAX,
            next: UnixTime(u64::MAX),
            expires: UnixTime(u64::MAX),
        };
        let state = write(&waiting).len().max(write(&reporting).len());
        // With the comma behind each, and the name of the list.
        let each = state.saturating_add(write(&report).len()).saturating_add(16);
        let accepted = vec![State::Accepted; self.recipients.len()];
        let envelope = Self { arrived: UnixTime(u64::MAX), size: u64::MAX, ..self.clone() };
        let without = write(&Stored::new(&envelope, UnixTime(u64::MAX), &accepted, &[])).len();
        without.saturating_add(each.saturating_mul(self.recipients.len()))
    }
}

/// What is written here is made of strings and numbers, which JSON can hold.
fn write(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

impl Stored {
    fn new(
        envelope: &Envelope,
        expires: UnixTime,
        states: &[State],
        reports: &[PendingReport],
    ) -> Self {
        let Mail { sender, parameters } = &envelope.mail;
        let MailParameters { size, body, smtputf8, ret, envelope_id } = parameters;
        let recipients = envelope.recipients.iter().zip(states);
        Self {
            version: VERSION,
            id: envelope.id.clone(),
            arrived: envelope.arrived,
            expires,
            client: envelope.client,
            listener: envelope.listener.clone(),
            hostname: envelope.hostname.clone(),
            size: envelope.size,
            sender: sender.to_string(),
            declared_size: *size,
            body: body.map(|body| body.as_str().to_owned()),
            smtputf8: *smtputf8,
            ret: ret.map(|ret| ret.as_str().to_owned()),
            envelope_id: envelope_id.as_ref().map(ToString::to_string),
            recipients: recipients.map(|(it, state)| StoredRecipient::new(it, state)).collect(),
            reports: reports.to_vec(),
        }
    }

    fn into_record(self) -> Result<Record, RecordError> {
        let bodies = [Body::SevenBit, Body::EightBitMime];
        let rets = [Ret::Full, Ret::Headers];
        let parameters = MailParameters {
            size: self.declared_size,
            body: optional(self.body, |it| one_of(bodies, Body::as_str, "body", it))?,
            smtputf8: self.smtputf8,
            ret: optional(self.ret, |it| one_of(rets, Ret::as_str, "ret", it))?,
            envelope_id: optional(self.envelope_id, |it| parsed("envelope-id", it))?,
        };
        let mut recipients = Vec::with_capacity(self.recipients.len());
        let mut states = Vec::with_capacity(self.recipients.len());
        for recipient in self.recipients {
            let (recipient, state) = recipient.into_recipient()?;
            recipients.push(recipient);
            states.push(state);
        }
        let envelope = Envelope {
            id: self.id,
            arrived: self.arrived,
            client: self.client,
            listener: self.listener,
            hostname: self.hostname,
            mail: Mail { sender: parsed("sender", self.sender)?, parameters },
            size: self.size,
            recipients,
        };
        Ok(Record { envelope, expires: self.expires, states, reports: self.reports })
    }
}

impl StoredRecipient {
    fn new(recipient: &EnvelopeRecipient, state: &State) -> Self {
        let EnvelopeRecipient { path, parameters, lookup } = recipient;
        let RecipientParameters { notify, original_recipient } = parameters;
        Self {
            path: path.to_string(),
            notify: notify.map(|notify| notify.as_str().to_owned()),
            original_recipient: original_recipient.as_ref().map(ToString::to_string),
            lookup: lookup.as_str().to_owned(),
            state: state.clone(),
        }
    }

    fn into_recipient(self) -> Result<(EnvelopeRecipient, State), RecordError> {
        let address = Address::new(&self.lookup, None);
        let recipient = EnvelopeRecipient {
            path: parsed("path", self.path)?,
            parameters: RecipientParameters {
                notify: optional(self.notify, |it| {
                    one_of(notifies(), Notify::as_str, "notify", it)
                })?,
                original_recipient: optional(self.original_recipient, |it| {
                    parsed("original-recipient", it)
                })?,
            },
            lookup: address.map_err(|_| RecordError::Value("lookup", self.lookup))?,
        };
        Ok((recipient, self.state))
    }
}

/// Every NOTIFY that there is.
fn notifies() -> impl Iterator<Item = Notify> {
    (0..8).map(|bits| Notify {
        success: bits & 1 != 0,
        failure: bits & 2 != 0,
        delay: bits & 4 != 0,
    })
}

fn optional<T>(
    text: Option<String>,
    read: impl FnOnce(String) -> Result<T, RecordError>,
) -> Result<Option<T>, RecordError> {
    text.map(read).transpose()
}

fn parsed<T: FromStr>(what: &'static str, text: String) -> Result<T, RecordError> {
    text.parse().map_err(|_| RecordError::Value(what, text))
}

fn one_of<T: Copy>(
    values: impl IntoIterator<Item = T>,
    name: impl Fn(T) -> &'static str,
    what: &'static str,
    text: String,
) -> Result<T, RecordError> {
    let found = values.into_iter().find(|value| name(*value) == text);
    found.ok_or(RecordError::Value(what, text))
}

/// What is stored as it is written elsewhere.
pub(super) mod text {
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    use super::{Display, FromStr};

    pub(in crate::record) fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(in crate::record) fn deserialize<'a, T: FromStr<Err: Display>, D: Deserializer<'a>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

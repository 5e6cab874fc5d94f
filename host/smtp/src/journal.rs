//! What mail leaves in the log: a line for each message, for each refused recipient, and for each
//! session when it ends.

use std::fmt::{self, Write as _};
use std::time::Duration;

use waypost_routing::Decide;
use waypost_session::Users;
use waypost_spool::Id;
use waypost_wire::smtp::{ForwardPath, Mail, Reply, ReversePath};

use crate::legs::Delivery;
use crate::outcome::Outcome;
use crate::session::{Counts, Ended, Session};
use crate::transaction::Accepted;

/// What the log says of a message.
pub(crate) struct MessageLine<'a> {
    pub(crate) id: Id,
    pub(crate) mail: &'a Mail,
    pub(crate) recipients: &'a [Accepted],
    pub(crate) delivery: &'a Delivery,
    pub(crate) size: u64,
    pub(crate) outcome: &'static str,
    /// What the client was told.
    pub(crate) replies: &'a [Reply],
    pub(crate) took: Duration,
}

/// Writes a message's line.
pub(crate) fn message<P: Decide>(session: &Session<P>, line: &MessageLine<'_>) {
    let users = &session.service.process.users;
    let sender = reverse(&line.mail.sender);
    tracing::info!(
        target: "waypost::message",
        id = %line.id,
        session = session.id,
        listener = &*session.entrance.kind.listener,
        client = %session.client,
        // The null sender is nobody.
        sender = (!sender.is_empty()).then(|| tracing::field::display(users.label(&sender))),
        outcome = line.outcome,
        reply = line.replies.first().map(|reply| tracing::field::display(Said { reply, users })),
        recipients = %Recipients { line, users },
        size = line.size,
        milliseconds = milliseconds(line.took),
        "message"
    );
}

/// Writes the line of a recipient that was refused.
pub(crate) fn refused<P: Decide>(
    session: &Session<P>,
    path: &ForwardPath,
    kind: &'static str,
    reply: &Reply,
    detail: Option<&dyn fmt::Display>,
    backend: Option<&str>,
) {
    let users = &session.service.process.users;
    let recipient = spelled(path);
    tracing::info!(
        target: "waypost::smtp",
        session = session.id,
        listener = &*session.entrance.kind.listener,
        client = %session.client,
        recipient = %users.label(&recipient),
        outcome = kind,
        backend,
        reply = %Said { reply, users },
        // Policies like to quote the user's name.
        detail = detail.filter(|_| users.are_clear()).map(tracing::field::display),
        "recipient refused"
    );
}

/// Writes a session's line.
pub(crate) fn session<P: Decide>(session: &Session<P>, counts: &Counts, ended: &Ended) {
    tracing::info!(
        target: "waypost::session",
        session = session.id,
        listener = &*session.entrance.kind.listener,
        protocol = session.entrance.kind.protocol.as_str(),
        client = %session.client,
        reason = ended.kind(),
        detail = %ended,
        transactions = counts.transactions,
        messages = counts.messages,
        refused = counts.refused,
        octets = counts.octets,
        seconds = session.began.elapsed().as_secs(),
        "session ended"
    );
}

/// An address as a client named it, without its brackets.
pub(crate) fn spelled(path: &ForwardPath) -> String {
    path.mailbox().map_or_else(|| "postmaster".to_owned(), ToString::to_string)
}

/// A sender as a client named it, without its brackets; the null sender is empty.
pub(crate) fn reverse(path: &ReversePath) -> String {
    path.mailbox().map(ToString::to_string).unwrap_or_default()
}

/// A reply as the log may show it: back ends like to quote addresses.
pub(crate) struct Said<'a> {
    pub(crate) reply: &'a Reply,
    pub(crate) users: &'a Users,
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.users.are_clear() {
            return self.reply.fmt(f);
        }
        write!(f, "{}", self.reply.code())?;
        self.reply.enhanced().map_or(Ok(()), |code| write!(f, " {code}"))
    }
}

/// A JSON list with an object for each recipient, whatever the log's format is.
struct Recipients<'a> {
    line: &'a MessageLine<'a>,
    users: &'a Users,
}

impl fmt::Display for Recipients<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (number, recipient) in self.line.recipients.iter().enumerate() {
            if number > 0 {
                f.write_char(',')?;
            }
            self.write_one(f, number, recipient)?;
        }
        f.write_char(']')
    }
}

impl Recipients<'_> {
    fn write_one(
        &self,
        f: &mut fmt::Formatter<'_>,
        number: usize,
        recipient: &Accepted,
    ) -> fmt::Result {
        let Accepted { path, way, took, .. } = recipient;
        let outcome = self.line.delivery.outcome(number);
        write!(f, r#"{{"to":{}"#, Quoted(self.users.label(&spelled(path))))?;
        write!(f, r#","policy":{}"#, Quoted(&way.policy))?;
        write!(f, r#","route":{}"#, Quoted(way.source.as_str()))?;
        write!(f, r#","backend":{}"#, Quoted(&way.target))?;
        write!(f, r#","address":{}"#, Quoted(way.address))?;
        if outcome.is_some_and(|outcome| self.is_spared(outcome)) {
            return write!(f, r#","outcome":"not-sent","milliseconds":{}}}"#, milliseconds(*took));
        }
        write!(f, r#","outcome":{}"#, Quoted(outcome.map_or("open", |outcome| outcome.kind())))?;
        if let Some(outcome) = outcome {
            let reply = outcome.reply();
            write!(f, r#","reply":{}"#, Quoted(Said { reply: &reply, users: self.users }))?;
        }
        write!(f, r#","milliseconds":{}}}"#, milliseconds(*took))
    }
}

impl Recipients<'_> {
    /// Whether a back end did not get the message because of something that was no fault of its own:
    /// the content, the client, or the others.
    fn is_spared(&self, outcome: &Outcome) -> bool {
        matches!(outcome, Outcome::Late(_))
            && self.line.outcome != "kept"
            && !self.line.replies.contains(&outcome.reply())
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A JSON string.
struct Quoted<T>(T);

impl<T: fmt::Display> fmt::Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write!(Escaping(f), "{}", self.0)?;
        f.write_char('"')
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            match c {
                '"' | '\\' => write!(self.0, "\\{c}")?,
                c if c.is_control() => write!(self.0, "\\u{:04x}", u32::from(c))?,
                c => self.0.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Quoted;

    #[test]
    fn a_quoted_text_is_json() {
        let text = "a \"b\" \\ c\n\u{7f}\u{85} ä";
        let quoted = Quoted(text).to_string();
        assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
    }
}

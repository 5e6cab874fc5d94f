//! `waypost spool`: the messages that are kept. Looking at them needs nobody; what changes something
//! is the business of the process that serves.

use crate::output::say;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use serde_json::Value;
use waypost_config::Config;
use waypost_control::Request;
use waypost_smtp::record::{End, LastWord, Record, State, UnixTime};
use waypost_spool::{Id, Listed, Reader};

use crate::builtin::SYSTEM;
use crate::cli::{SpoolArgs, SpoolCommand};
use crate::control;

/// The command with which the process is told to try messages again.
pub(crate) const RETRY: &str = "spool retry";
/// The command with which the process is told to forget one.
pub(crate) const DROP: &str = "spool drop";
/// The argument that names messages, and in the answer those with which it is done.
pub(crate) const IDS: &str = "ids";
/// In the answer, why it is not done with the next one.
pub(crate) const FAILED: &str = "failed";

/// Runs one of the commands.
pub(crate) fn run(arguments: &SpoolArgs) -> anyhow::Result<()> {
    match &arguments.command {
        SpoolCommand::List => list(arguments),
        SpoolCommand::Show { id, copy: false } => show(arguments, *id),
        SpoolCommand::Show { id, copy: true } => copy(arguments, *id),
        SpoolCommand::Retry { ids } => change(arguments, RETRY, ids, "is tried again"),
        SpoolCommand::Drop { ids } => change(arguments, DROP, ids, "is forgotten"),
    }
}

fn list(arguments: &SpoolArgs) -> anyhow::Result<()> {
    let reader = reader(arguments)?;
    let mut out = io::stdout().lock();
    let mut messages = 0;
    for id in reader.ids()? {
        match reader.message(id) {
            Ok(Some(message)) => {
                messages += 1;
                write!(out, "{}", line(&message))?;
            }
            // Delivered meanwhile.
            Ok(None) => {}
            Err(error) => writeln!(out, "{id}  {error}")?,
        }
    }
    if messages == 0 {
        writeln!(out, "no message is kept")?;
    }
    Ok(())
}

/// One message, with a further line for each recipient of which something is left to do.
fn line(message: &Listed) -> String {
    let Listed { id, len, record } = message;
    let record = match Record::from_bytes(record) {
        Ok(record) => record,
        Err(error) => return format!("{id}  {error}\n"),
    };
    let envelope = record.envelope();
    let mut text = format!("{id}  {:>9}  {len:>10}  {}\n", ago(envelope.arrived), sender(&record));
    for (number, recipient) in envelope.recipients.iter().enumerate() {
        if let Some(state) = record.state(number).filter(|state| !is_over(state)) {
            let _ = writeln!(text, "    {}: {}", recipient.path, told(state));
        }
    }
    text
}

fn show(arguments: &SpoolArgs, id: Id) -> anyhow::Result<()> {
    let message = reader(arguments)?.message(id)?.with_context(|| missing(id))?;
    let record = Record::from_bytes(&message.record)?;
    let envelope = record.envelope();
    let mut out = io::stdout().lock();
    writeln!(out, "id        {id}")?;
    writeln!(out, "arrived   {} ({} ago)", envelope.arrived.date(), ago(envelope.arrived))?;
    writeln!(out, "from      {}", sender(&record))?;
    writeln!(out, "client    {} at the listener {}", envelope.client, envelope.listener)?;
    writeln!(out, "size      {} octets", message.len)?;
    writeln!(out, "expires   {}", record.expires().date())?;
    for (number, recipient) in envelope.recipients.iter().enumerate() {
        let state = record.state(number).map_or_else(String::new, told);
        writeln!(out, "to        {}: {state}", recipient.path)?;
    }
    Ok(())
}

fn copy(arguments: &SpoolArgs, id: Id) -> anyhow::Result<()> {
    let mut copy = reader(arguments)?.copy(id)?.with_context(|| missing(id))?;
    io::copy(&mut copy, &mut io::stdout().lock())?;
    Ok(())
}

fn change(arguments: &SpoolArgs, command: &str, ids: &[Id], done: &str) -> anyhow::Result<()> {
    let names: Vec<String> = ids.iter().map(Id::to_string).collect();
    let request = Request::new(command).with(IDS, names);
    let answer = control::command(&arguments.control, &request)?;
    let messages = answer.get(IDS).and_then(Value::as_array).map(Vec::as_slice);
    let messages = messages.unwrap_or_default();
    for id in messages.iter().filter_map(Value::as_str) {
        say!("{id} {done}");
    }
    match answer.get(FAILED).and_then(Value::as_str) {
        Some(error) => anyhow::bail!("{error}"),
        None if messages.is_empty() => say!("nothing is kept that could be tried again"),
        None => {}
    }
    Ok(())
}

fn missing(id: Id) -> String {
    format!("no message {id} is kept; `waypost spool list` shows those that are")
}

fn reader(arguments: &SpoolArgs) -> anyhow::Result<Reader> {
    Ok(Reader::open(&folder(arguments)?)?)
}

fn folder(arguments: &SpoolArgs) -> anyhow::Result<PathBuf> {
    if let Some(folder) = &arguments.folder {
        return Ok(folder.clone());
    }
    let config = &arguments.control.config.config;
    let spool = Config::load(config, &SYSTEM)?.spool;
    let spool = spool.with_context(|| format!("{} has no [spool]", config.display()))?;
    Ok(spool.folder)
}

fn sender(record: &Record) -> String {
    record.envelope().mail.sender.to_string()
}

fn is_over(state: &State) -> bool {
    matches!(state, State::Accepted | State::Done(_))
}

/// Where a recipient stands.
fn told(state: &State) -> String {
    match state {
        State::Accepted => "delivered".to_owned(),
        State::Waiting { attempts, next, last, .. } => {
            let tries = if *attempts == 1 { "try" } else { "tries" };
            format!("waits for {}, {attempts} {tries} so far; {}", until(*next), word(last))
        }
        State::Reporting { last, expired, report } => {
            let why = if *expired { "given up" } else { "refused" };
            let how = if report.is_some() { "a report is on its way" } else { "a report is due" };
            format!("{why}, {how}; {}", word(last))
        }
        State::Done(End::Reported) => "not delivered; the sender has been told".to_owned(),
        State::Done(End::NotReported) => {
            "not delivered; the sender does not want to be told".to_owned()
        }
        State::Done(End::ReportRefused) => "not delivered; the report was refused".to_owned(),
        State::Done(End::ReportExpired) => {
            "not delivered; the report could not be delivered either".to_owned()
        }
    }
}

fn word(last: &LastWord) -> String {
    // A server's words at a terminal.
    let text: String = last.text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    format!("{}: {text}", last.at.date())
}

/// How long ago that was: `5m`.
fn ago(at: UnixTime) -> String {
    short(now().0.saturating_sub(at.0))
}

/// How long until then: `5m`, or `now`.
fn until(at: UnixTime) -> String {
    match at.0.saturating_sub(now().0) {
        0 => "now".to_owned(),
        seconds => short(seconds),
    }
}

fn short(seconds: u64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    UnixTime(since.unwrap_or(Duration::ZERO).as_secs())
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn times_are_short() {
        let shown = [0, 59, 60, 3599, 3600, 172_799, 172_800].map(short);
        assert_eq!(shown, ["0s", "59s", "1m", "59m", "1h", "47h", "2d"]);
    }
}

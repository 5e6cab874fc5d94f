//! The promise: what is kept of a message beside its copy, until every recipient has it or the
//! sender has been told.
//!
//! A record is made when some legs of a message have accepted it, or may have, and others have not.
//! From then on it says of each recipient where it stands: the queue asks it what is due, and tells
//! it what came of that. It is small, and it is written before anything is done that it would have
//! to know of after a crash.

mod envelope;
mod schedule;
mod state;
mod stored;
mod time;

pub use envelope::{Envelope, EnvelopeRecipient};
pub use schedule::Schedule;
pub use state::{End, LastWord, State};
pub use stored::RecordError;
pub use time::UnixTime;

use state::PendingReport;

use crate::legs::Promised;
use crate::outcome::Outcome;

/// What is kept of a message beside its copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    envelope: Envelope,
    /// After this, an attempt that fails was the last.
    expires: UnixTime,
    /// Of each recipient of the envelope.
    states: Vec<State>,
    reports: Vec<PendingReport>,
}

/// What is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Recipients to be tried again.
    pub attempt: Vec<usize>,
    /// Whether there is something to report.
    pub report: bool,
}

/// Which report: the same for the same recipients of the same message, however often it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReportId(usize);

impl Record {
    /// The promise to deliver a message or to report on it. `promised` says what became of each
    /// recipient of the envelope; `chance`, in 0 to 1, spreads the attempts to come.
    pub fn promise(
        envelope: Envelope,
        promised: &[Promised],
        now: UnixTime,
        schedule: &Schedule,
        chance: f64,
    ) -> Self {
        let expires = envelope.arrived.after(schedule.expire_after);
        let states = envelope.recipients.iter().enumerate().map(|(recipient, _)| {
            let promised = promised.get(recipient);
            let heard_for = promised.map(|it| it.heard_for).unwrap_or_default();
            // One that nothing is known of would be the caller's mistake. It is not lost for that.
            let outcome = promised.map_or(&State::UNHEARD_OF, |it| &it.outcome);
            let heard_until = (!heard_for.is_zero()).then(|| now.after(heard_for));
            let from = heard_until.unwrap_or(now);
            match outcome {
                Outcome::Accepted(_) => State::Accepted,
                Outcome::Permanent(_) => {
                    envelope.failed(recipient, LastWord::new(outcome, now), false)
                }
                _ => State::Waiting {
                    attempts: 1,
                    next: schedule.next(1, from, expires, chance),
                    heard_until,
                    last: LastWord::new(outcome, now),
                },
            }
        });
        let states = states.collect();
        Self { envelope, expires, states, reports: Vec::new() }
    }

    /// The message's envelope.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// When an attempt that fails is the last.
    pub fn expires(&self) -> UnixTime {
        self.expires
    }

    /// Where a recipient stands.
    pub fn state(&self, recipient: usize) -> Option<&State> {
        self.states.get(recipient)
    }

    /// Takes note of what an attempt has brought for some recipients, or a leg that was late when
    /// the promise was made. Only those that wait are concerned.
    ///
    /// Trouble on the way to a back end counts as a temporary reply, a policy's refusal as a
    /// permanent one.
    pub fn settle(
        &mut self,
        recipients: &[usize],
        outcome: &Outcome,
        now: UnixTime,
        schedule: &Schedule,
        chance: f64,
    ) {
        for &recipient in recipients {
            let Some(state) = self.states.get_mut(recipient) else { continue };
            let State::Waiting { attempts, heard_until, .. } = *state else { continue };
            let last = LastWord::new(outcome, now);
            *state = match outcome {
                Outcome::Accepted(_) => State::Accepted,
                Outcome::Permanent(_) => self.envelope.failed(recipient, last, false),
                _ if now >= self.expires => self.envelope.failed(recipient, last, true),
                _ => {
                    // While the first attempt is still heard, this is its own late word.
                    let is_late_word = heard_until.is_some_and(|until| now <= until);
                    let attempts = if is_late_word { attempts } else { attempts.saturating_add(1) };
                    let next = schedule.next(attempts, now, self.expires, chance);
                    State::Waiting { attempts, next, heard_until: None, last }
                }
            };
        }
    }

    /// What is due at `now`.
    pub fn due(&self, now: UnixTime) -> Due {
        let is_due = |state: &State| matches!(state, State::Waiting { next, .. } if *next <= now);
        let states = self.states.iter().enumerate();
        Due {
            attempt: states.filter(|(_, state)| is_due(state)).map(|(number, _)| number).collect(),
            report: self.states.iter().any(State::is_unreported)
                || self.reports.iter().any(|report| report.next <= now),
        }
    }

    /// When something is due next. None: the record is finished.
    pub fn next(&self) -> Option<UnixTime> {
        let states = self.states.iter().filter_map(|state| match state {
            State::Waiting { next, .. } => Some(*next),
            State::Reporting { report: None, last, .. } => Some(last.at),
            _ => None,
        });
        states.chain(self.reports.iter().map(|report| report.next)).min()
    }

    /// Puts all failures that are in no report yet into one. Whether there were any: then the record
    /// must be written before the report is sent, so that the same failures can never be in two.
    pub fn begin_report(&mut self, now: UnixTime, schedule: &Schedule) -> bool {
        let Some(first) = self.states.iter().position(State::is_unreported) else { return false };
        for state in &mut self.states {
            if let State::Reporting { report: report @ None, .. } = state {
                *report = Some(first);
            }
        }
        let expires = now.after(schedule.expire_after);
        self.reports.push(PendingReport { number: first, attempts: 0, next: now, expires });
        true
    }

    /// The reports that are to be sent at `now`.
    pub fn reports_due(&self, now: UnixTime) -> Vec<ReportId> {
        let due = self.reports.iter().filter(|report| report.next <= now);
        due.map(|report| ReportId(report.number)).collect()
    }

    /// Takes note of what became of a report. One that is refused, or cannot be delivered for as
    /// long as a message, ends there.
    pub fn reported(
        &mut self,
        id: &ReportId,
        outcome: &Outcome,
        now: UnixTime,
        schedule: &Schedule,
        chance: f64,
    ) {
        let Some(place) = self.reports.iter().position(|report| report.number == id.0) else {
            return;
        };
        let end = match outcome {
            Outcome::Accepted(_) => End::Reported,
            Outcome::Permanent(_) => End::ReportRefused,
            _ => {
                let Some(report) = self.reports.get_mut(place) else { return };
                if now < report.expires {
                    report.attempts = report.attempts.saturating_add(1);
                    report.next = schedule.next(report.attempts, now, report.expires, chance);
                    return;
                }
                End::ReportExpired
            }
        };
        self.reports.swap_remove(place);
        for state in &mut self.states {
            if matches!(state, State::Reporting { report: Some(number), .. } if *number == id.0) {
                *state = State::Done(end);
            }
        }
    }

    /// Whether nothing waits and nothing is to be reported: copy and record can go.
    pub fn is_finished(&self) -> bool {
        let is_over = |state: &State| matches!(state, State::Accepted | State::Done(_));
        self.states.iter().all(is_over) && self.reports.is_empty()
    }

    /// The recipients that a report is about, with the last word on each and whether it was given
    /// up for its age.
    pub(crate) fn failures(
        &self,
        id: ReportId,
    ) -> impl Iterator<Item = (&EnvelopeRecipient, &LastWord, bool)> {
        self.envelope.recipients.iter().zip(&self.states).filter_map(move |(recipient, state)| {
            match state {
                State::Reporting { last, expired, report: Some(number) } if *number == id.0 => {
                    Some((recipient, last, *expired))
                }
                _ => None,
            }
        })
    }

    /// What a report is called, in its `Message-ID` and elsewhere: letters, digits and hyphens
    /// where the message's id has no others.
    pub(crate) fn name_of(&self, id: ReportId) -> String {
        format!("{}-{}", self.envelope.id, id.0)
    }
}

#[cfg(test)]
mod tests;

use std::time::Instant;

use crate::outcome::{Loss, Outcome};

/// One mail transaction on one back-end connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Transfer {
    pub(super) state: State,
    pub(super) legs: Vec<Leg>,
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    /// DATA has been sent.
    Opening,
    /// Content goes there.
    Open,
    /// All but the final dot has been sent.
    Sent,
    /// The final dot was sent then.
    Dotted(Instant),
    /// Every leg has its outcome.
    Over,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Leg {
    pub(super) recipients: Vec<usize>,
    pub(super) outcome: Option<Outcome>,
}

impl Transfer {
    pub(super) fn new(legs: Vec<Vec<usize>>) -> Self {
        let legs = legs.into_iter().map(|recipients| Leg { recipients, outcome: None });
        Self { state: State::Opening, legs: legs.collect() }
    }

    pub(super) fn is_live(&self) -> bool {
        self.state != State::Over
    }

    /// When the final dot was sent, while not every leg has its reply.
    pub(super) fn dotted(&self) -> Option<Instant> {
        match self.state {
            State::Dotted(at) => Some(at),
            _ => None,
        }
    }

    /// Ends the transfer; each leg that is undecided gets this outcome. Returns those.
    pub(super) fn end(&mut self, outcome: &Outcome) -> Vec<usize> {
        self.state = State::Over;
        let undecided = self.legs.iter_mut().filter(|leg| leg.outcome.is_none());
        let mut recipients = Vec::new();
        for leg in undecided {
            leg.outcome = Some(outcome.clone());
            recipients.extend_from_slice(&leg.recipients);
        }
        recipients
    }

    /// What has become of the legs that get no reply: it depends on whether the dot was sent.
    pub(super) fn lost(&self, loss: Loss) -> Outcome {
        match self.state {
            State::Dotted(_) | State::Over => Outcome::Unknown(loss),
            State::Opening | State::Open | State::Sent => Outcome::Late(loss),
        }
    }

    /// Gives a leg its reply. Returns its recipients, or nothing where it had one.
    pub(super) fn reply(&mut self, leg: usize, outcome: &Outcome) -> Vec<usize> {
        let Some(leg) = self.legs.get_mut(leg).filter(|leg| leg.outcome.is_none()) else {
            return Vec::new();
        };
        leg.outcome = Some(outcome.clone());
        let recipients = leg.recipients.clone();
        if self.legs.iter().all(|leg| leg.outcome.is_some()) {
            self.state = State::Over;
        }
        recipients
    }
}

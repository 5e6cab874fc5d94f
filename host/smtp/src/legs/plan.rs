use thiserror::Error;

/// Which legs a message has, and whose they are.
///
/// Recipients are counted from 0 in the order in which the client named those that were accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(super) mode: Mode,
    pub(super) recipients: usize,
    pub(super) transfers: Vec<Vec<Vec<usize>>>,
}

/// How the client is answered, and what a message without end would cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// An SMTP client and one leg: no copy, its reply is passed on.
    Single,
    /// An LMTP client: no copy, each recipient gets its leg's reply.
    PerRecipient,
    /// An SMTP client and several legs: there is a copy, and its space is reserved.
    Copied,
}

/// Why a plan is none: a mistake of the caller.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PlanError {
    /// No transfer, a transfer without leg, or a leg without recipient.
    #[error("there is a transfer without leg or a leg without recipient")]
    Empty,
    /// The recipients are not 0, 1, 2 …, each once.
    #[error("the recipients are not counted from 0, each in one leg")]
    Recipients,
}

impl Plan {
    /// The legs of a message from an SMTP client: for each transfer its legs, for each leg its
    /// recipients. An SMTP back end's transfer has one leg, an LMTP back end's has one for each RCPT
    /// that was sent there.
    pub fn smtp(transfers: Vec<Vec<Vec<usize>>>) -> Result<Self, PlanError> {
        let legs: usize = transfers.iter().map(Vec::len).sum();
        let mode = if legs == 1 { Mode::Single } else { Mode::Copied };
        Self::new(mode, transfers)
    }

    /// The legs of a message from an LMTP client, as for [`Plan::smtp`]; also of one whose copy is
    /// delivered again.
    pub fn lmtp(transfers: Vec<Vec<Vec<usize>>>) -> Result<Self, PlanError> {
        Self::new(Mode::PerRecipient, transfers)
    }

    fn new(mode: Mode, transfers: Vec<Vec<Vec<usize>>>) -> Result<Self, PlanError> {
        let mut legs = transfers.iter().flatten();
        if transfers.iter().any(Vec::is_empty) || legs.clone().count() == 0 {
            return Err(PlanError::Empty);
        }
        if legs.any(Vec::is_empty) {
            return Err(PlanError::Empty);
        }
        let mut recipients: Vec<usize> = transfers.iter().flatten().flatten().copied().collect();
        recipients.sort_unstable();
        if recipients.iter().enumerate().any(|(number, recipient)| number != *recipient) {
            return Err(PlanError::Recipients);
        }
        Ok(Self { mode, recipients: recipients.len(), transfers })
    }

    /// Whether there is a copy, and how the client is answered.
    pub const fn mode(&self) -> Mode {
        self.mode
    }
}

#[cfg(test)]
mod tests {
    use super::{Mode, Plan, PlanError};

    #[test]
    fn only_several_legs_behind_smtp_need_a_copy() {
        assert_eq!(Plan::smtp(vec![vec![vec![0, 1]]]).unwrap().mode(), Mode::Single);
        assert_eq!(Plan::smtp(vec![vec![vec![0], vec![1]]]).unwrap().mode(), Mode::Copied);
        assert_eq!(Plan::smtp(vec![vec![vec![1]], vec![vec![0]]]).unwrap().mode(), Mode::Copied);
        assert_eq!(Plan::lmtp(vec![vec![vec![0]]]).unwrap().mode(), Mode::PerRecipient);
    }

    #[test]
    fn each_recipient_has_one_leg() {
        assert_eq!(Plan::smtp(vec![]), Err(PlanError::Empty));
        assert_eq!(Plan::smtp(vec![vec![vec![0]], vec![]]), Err(PlanError::Empty));
        assert_eq!(Plan::smtp(vec![vec![vec![0], vec![]]]), Err(PlanError::Empty));
        assert_eq!(Plan::smtp(vec![vec![vec![1]]]), Err(PlanError::Recipients));
        assert_eq!(Plan::smtp(vec![vec![vec![0], vec![0]]]), Err(PlanError::Recipients));
        assert_eq!(Plan::smtp(vec![vec![vec![0], vec![2]]]), Err(PlanError::Recipients));
    }
}

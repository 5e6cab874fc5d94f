use waypost_wire::smtp::Reply;

use crate::outcome::Outcome;

/// What several legs come to together, for a client that gets one reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// All accepted: nothing is left to do.
    Delivered,
    /// No back end has it or may have it: the client hears this and keeps the message.
    Nothing(Reply),
    /// Some have it or may have it, others not: the rest is ours.
    Mixed,
}

impl Ending {
    /// Reads the outcomes of the recipients, in their order.
    pub(super) fn of<'a>(outcomes: impl Iterator<Item = &'a Outcome> + Clone) -> Self {
        if outcomes.clone().all(|outcome| matches!(outcome, Outcome::Accepted(_))) {
            return Self::Delivered;
        }
        let held = |outcome| matches!(outcome, &Outcome::Accepted(_) | &Outcome::Unknown(_));
        if outcomes.clone().any(held) {
            return Self::Mixed;
        }
        // A back end's own words are worth more than ours about its silence.
        let said = outcomes.clone().find(|outcome| matches!(outcome, Outcome::Temporary(_)));
        let late = || outcomes.clone().find(|outcome| matches!(outcome, Outcome::Late(_)));
        let first = said.or_else(late).or_else(|| outcomes.clone().next());
        first.map_or(Self::Delivered, |outcome| Self::Nothing(outcome.reply()))
    }
}

#[cfg(test)]
mod tests {
    use waypost_wire::smtp::Reply;

    use super::Ending;
    use crate::outcome::{Loss, Outcome};

    fn accepted() -> Outcome {
        Outcome::Accepted(Reply::plain(250, "yes"))
    }
    fn temporary(text: &'static str) -> Outcome {
        Outcome::Temporary(Reply::plain(450, text))
    }
    fn permanent(text: &'static str) -> Outcome {
        Outcome::Permanent(Reply::plain(550, text))
    }
    fn late() -> Outcome {
        Outcome::Late(Loss::Closed)
    }
    fn unknown() -> Outcome {
        Outcome::Unknown(Loss::Closed)
    }

    #[track_caller]
    fn ends(outcomes: &[Outcome], expected: &Ending) {
        assert_eq!(&Ending::of(outcomes.iter()), expected, "{outcomes:?}");
    }

    #[test]
    fn all_accepted() {
        ends(&[accepted(), accepted()], &Ending::Delivered);
    }

    #[test]
    fn all_permanent_is_the_first() {
        let first = Ending::Nothing(Reply::plain(550, "a"));
        ends(&[permanent("a"), permanent("b")], &first);
    }

    #[test]
    fn any_temporary_is_that_one() {
        let that = Ending::Nothing(Reply::plain(450, "b"));
        ends(&[permanent("a"), temporary("b"), temporary("c")], &that);
        ends(&[late(), temporary("b")], &that);
    }

    #[test]
    fn late_is_temporary() {
        let ours = Ending::Nothing(Loss::Closed.reply());
        ends(&[permanent("a"), late()], &ours);
        ends(&[late(), late()], &ours);
        assert_eq!(Loss::Closed.reply().code(), 451);
    }

    #[test]
    fn accepted_or_unknown_beside_others_is_mixed() {
        for other in [temporary("a"), permanent("a"), late(), unknown()] {
            ends(&[other.clone(), accepted()], &Ending::Mixed);
            ends(&[other, unknown()], &Ending::Mixed);
        }
    }
}

use waypost_model::{Context, ContextField, ContextReads, ContextValue};

/// What a decision saw of the client: the getters that it read and what each answered. Another
/// client gets the same decision only if it would have shown the same, as with HTTP's `Vary`
/// (RFC 9111 section 4.1).
///
/// The time is left out: no two askers would ever share it. A decision that read the time is
/// reused only for as long as the policy itself says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    reads: ContextReads,
    values: Box<[ContextValue]>,
}

impl Seen {
    /// What a decision saw that read `reads` of `context`. Allocates only if it read something.
    pub(crate) fn of(context: &Context, reads: ContextReads) -> Self {
        let reads = without_time(reads);
        Self { reads, values: reads.iter().map(|field| context.value(field)).collect() }
    }

    /// Whether another client shows the same.
    pub(crate) fn matches(&self, context: &Context) -> bool {
        self.reads.iter().zip(&self.values).all(|(field, value)| context.value(field) == *value)
    }

    /// The getters, without the time.
    pub(crate) fn reads(&self) -> ContextReads {
        self.reads
    }
}

/// Every getter but the time.
pub(crate) fn everything() -> ContextReads {
    without_time(ContextField::ALL.into_iter().collect())
}

fn without_time(reads: ContextReads) -> ContextReads {
    if !reads.contains(ContextField::Now) {
        return reads;
    }
    reads.iter().filter(|field| *field != ContextField::Now).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use waypost_model::{ContextField, ContextReads};

    use super::{Seen, everything};
    use crate::testing;

    #[test]
    fn a_decision_that_read_nothing_is_for_everybody() {
        let seen = Seen::of(&testing::context(), ContextReads::NONE);
        assert!(seen.matches(&testing::other_context()));
    }

    #[test]
    fn two_contexts_that_differ_in_a_read_field_never_match() {
        let (one, other) = (testing::context(), testing::other_context());
        for field in everything().iter() {
            let seen = Seen::of(&one, ContextReads::from_iter([field]));
            assert!(seen.matches(&one), "{field:?}");
            assert!(!seen.matches(&other), "{field:?}");
        }
    }

    #[test]
    fn the_time_is_no_part_of_it() {
        let one = testing::context();
        let mut later = one.clone();
        later.now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let seen = Seen::of(&one, ContextReads::from_iter([ContextField::Now]));
        assert!(seen.matches(&later));
        assert!(seen.reads().is_empty());
    }
}

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use waypost_model::{Address, Consultation, Context, Lookup};

/// What answers lookups: a policy, or a script in a test.
pub trait Decide: Send + Sync + 'static {
    /// The operator's grant of targets, handed through to whoever connects: a name that the policy
    /// was allowed to give may resolve to an address that it was not.
    type Targets: fmt::Debug + Send + Sync + 'static;

    /// The policy's name in the configuration.
    fn name(&self) -> &Arc<str>;

    /// Stays the same as long as the same question would get the same answer from the same
    /// directory: the cache keeps what a policy decided across a reload exactly as long as this
    /// does not change.
    fn identity(&self) -> PolicyIdentity;

    /// The targets that the policy may name.
    fn targets(&self) -> &Arc<Self::Targets>;

    /// Whether the policy may leave it to the back end to check the password.
    fn may_leave_verification(&self) -> bool {
        true
    }

    /// An address as the operator wants it in the log.
    fn address_for_log(&self, address: &Address) -> String {
        address.to_string()
    }

    /// Answers one question, within the policy's own limits of time. `explain` asks for the
    /// searches in the answer.
    fn decide(
        &self,
        lookup: Arc<Lookup>,
        context: Arc<Context>,
        explain: bool,
    ) -> impl Future<Output = Consultation> + Send;
}

/// Stands for everything that a policy's answers depend on but the question and the directory's
/// content: the plugin's code, its settings and its grants.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PolicyIdentity(u128);

impl PolicyIdentity {
    /// Of all these parts, in this order. Their lengths count, so that two lists of parts never
    /// look alike because one part ends where the next begins.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self::from_digest(&hash.finalize().into())
    }

    /// From a cryptographic digest over all of it. Half of a SHA-256 is enough here: who can choose
    /// the content is the operator.
    pub const fn from_digest(digest: &[u8; 32]) -> Self {
        let (half, _) = digest.split_at(16);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(half);
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Debug for PolicyIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PolicyIdentity({:032x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::PolicyIdentity;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let identity =
            |parts: &[&str]| PolicyIdentity::of(parts.iter().map(|part| part.as_bytes()));
        assert_eq!(identity(&["ab", "c"]), identity(&["ab", "c"]));
        assert_ne!(identity(&["ab", "c"]), identity(&["a", "bc"]));
        assert_ne!(identity(&["ab", "c"]), identity(&["c", "ab"]));
        assert_ne!(identity(&["ab"]), identity(&["ab", ""]));
    }
}

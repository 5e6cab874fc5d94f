use std::fmt;
use std::sync::Arc;

use waypost_model::{Address, Consultation, Context, Lookup};
use waypost_policy::{Observation, Policy, TargetPatterns};

use crate::decide::{Decide, PolicyIdentity};

/// Who wants to see everything that a policy does.
pub trait Watch: Send + Sync {
    /// A decision has been made. Called on the way of whoever asked: must not wait.
    fn saw(&self, lookup: &Arc<Lookup>, context: &Arc<Context>, seen: Observation);
}

/// A policy of the policy host, as the router asks it.
pub struct LoadedPolicy {
    policy: Policy,
    targets: Arc<TargetPatterns>,
    identity: PolicyIdentity,
    watch: Option<Arc<dyn Watch>>,
}

impl LoadedPolicy {
    /// Takes a policy over. Who has loaded it knows what it was made of: two policies with the same
    /// `identity` share what is in the cache.
    pub fn new(policy: Policy, identity: PolicyIdentity) -> Self {
        let targets = Arc::new(policy.targets().clone());
        Self { policy, targets, identity, watch: None }
    }

    /// The same, with somebody who sees each decision that it makes.
    #[must_use]
    pub fn watched(self, watch: Arc<dyn Watch>) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// The policy itself.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
}

impl Decide for LoadedPolicy {
    type Targets = TargetPatterns;

    fn name(&self) -> &Arc<str> {
        self.policy.name()
    }

    fn identity(&self) -> PolicyIdentity {
        self.identity
    }

    fn targets(&self) -> &Arc<TargetPatterns> {
        &self.targets
    }

    fn may_leave_verification(&self) -> bool {
        self.policy.verification().backend
    }

    fn address_for_log(&self, address: &Address) -> String {
        self.policy.address_for_log(address)
    }

    async fn decide(
        &self,
        lookup: Arc<Lookup>,
        context: Arc<Context>,
        explain: bool,
    ) -> Consultation {
        let Some(watch) = &self.watch else {
            return self.policy.decide(&lookup, &context, explain).await;
        };
        let seen = self.policy.observe(&lookup, &context).await;
        let mut consultation = seen.consultation.clone();
        watch.saw(&lookup, &context, seen);
        if !explain {
            consultation.searches.clear();
        }
        consultation
    }
}

impl fmt::Debug for LoadedPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedPolicy")
            .field("policy", &self.policy)
            .field("identity", &self.identity)
            .field("is_watched", &self.watch.is_some())
            .finish_non_exhaustive()
    }
}

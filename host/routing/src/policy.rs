use std::sync::Arc;

use waypost_model::{Address, Consultation, Context, Lookup};
use waypost_policy::{Policy, TargetPatterns};

use crate::decide::{Decide, PolicyIdentity};

/// A policy of the policy host, as the router asks it.
#[derive(Debug)]
pub struct LoadedPolicy {
    policy: Policy,
    targets: Arc<TargetPatterns>,
    identity: PolicyIdentity,
}

impl LoadedPolicy {
    /// Takes a policy over. Who has loaded it knows what it was made of: two policies with the same
    /// `identity` share what is in the cache.
    pub fn new(policy: Policy, identity: PolicyIdentity) -> Self {
        let targets = Arc::new(policy.targets().clone());
        Self { policy, targets, identity }
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

    fn address_for_log(&self, address: &Address) -> String {
        self.policy.address_for_log(address)
    }

    async fn decide(
        &self,
        lookup: Arc<Lookup>,
        context: Arc<Context>,
        explain: bool,
    ) -> Consultation {
        self.policy.decide(&lookup, &context, explain).await
    }
}

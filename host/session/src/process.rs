use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use waypost_directory::Directory;
use waypost_model::{Host, Lookup, Route, Verification};
use waypost_net::backend::BackendTable;
use waypost_net::connect::Connector;
use waypost_net::session::SessionTable;
use waypost_policy::TargetPatterns;
use waypost_routing::{Decide, DomainTable, Router};
use waypost_verify::{Failures, Verifier};

use crate::{Seldom, SessionIds, Users};

/// What a reload replaces, as far as sessions are concerned.
pub struct Generation<P> {
    /// Which policies serve which domain.
    pub domains: DomainTable<P>,
    /// How to speak with the back ends.
    pub backends: BackendTable,
    /// Where passwords are checked that the front checks, by name.
    pub directories: HashMap<Arc<str>, Directory>,
}

impl<P> Generation<P> {
    /// Where the password for a route is checked; `None` where the back end checks it, or where
    /// there is no such directory.
    pub fn verifying(&self, route: &Route) -> Option<&Directory> {
        match &route.verification {
            Verification::ByBackend => None,
            Verification::ByBind(principal) | Verification::ByPassword(principal) => {
                self.directories.get(&principal.directory)
            }
        }
    }
}

impl<P: Decide> Generation<P> {
    /// Whether a policy that is asked may leave it to the back end to check the password. Where none
    /// may, nobody gets to a back end unchecked, whether they exist or not.
    pub fn may_leave_verification(&self, lookup: &Lookup) -> bool {
        let served = self.domains.find(lookup);
        served.is_none_or(|served| served.policies.iter().any(|it| it.may_leave_verification()))
    }
}

/// What all sessions share for the life of the process.
pub struct Process<P: Decide> {
    /// Policies and back ends as configured now. A session takes them when it has something to ask
    /// and lets go of them as soon as it has its answer, so that none outlives a reload for long.
    pub generation: ArcSwap<Generation<P>>,
    /// From lookups to decisions.
    pub router: Router,
    /// From targets to connections.
    pub connector: Connector,
    /// Checks the passwords that the front checks.
    pub verifier: Verifier,
    /// What failed logins cost.
    pub failures: Failures,
    /// Every session there is.
    pub sessions: SessionTable,
    /// How sessions are named in the log.
    pub session_ids: SessionIds,
    /// What the log has warned of a moment ago.
    pub warned: Seldom,
    /// How users are named in the log.
    pub users: Users,
}

/// The targets that the operator allows a policy to name, as far as a connection is concerned.
pub trait Grant {
    /// Whether a connection to `address` may be opened for a target that names `host`.
    fn allows_resolved(&self, host: &Host, address: &IpAddr) -> bool;
}

impl Grant for TargetPatterns {
    fn allows_resolved(&self, host: &Host, address: &IpAddr) -> bool {
        Self::allows_resolved(self, host, address)
    }
}

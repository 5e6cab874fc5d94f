use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use waypost_model::{Encryption, Host};
use waypost_net::backend::BackendTable;
use waypost_net::connect::Connector;
use waypost_net::session::{SessionKind, SessionRecord, SessionTable};
use waypost_net::tls::Acceptor;
use waypost_policy::TargetPatterns;
use waypost_routing::{Decide, DomainTable, LoginNameRules, Router};
use waypost_wire::Front;
use waypost_wire::login::FrontSettings;

use crate::journal::Users;
use crate::{Metrics, Settings};

/// What a reload replaces, as far as logins are concerned.
#[derive(Debug)]
pub struct Generation<P> {
    /// Which policies serve which domain.
    pub domains: DomainTable<P>,
    /// How to speak with the back ends.
    pub backends: BackendTable,
}

/// What all sessions share for the life of the process.
pub struct Process<P: Decide> {
    /// How logins are treated.
    pub settings: Settings,
    /// Policies and back ends as configured now. A session takes them when somebody logs in and
    /// lets go of them before the relay begins.
    pub generation: ArcSwap<Generation<P>>,
    /// From lookups to decisions.
    pub router: Router,
    /// From targets to connections.
    pub connector: Connector,
    /// Every session that has been handed over.
    pub sessions: SessionTable,
    /// How sessions are named in the log.
    pub session_ids: SessionIds,
    /// How users are named in the log.
    pub users: Users,
    /// What this crate counts.
    pub metrics: Metrics,
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

/// What the sessions of one listener share beyond its socket.
#[derive(Debug)]
pub struct Entrance {
    /// What its sessions have in common.
    pub kind: Arc<SessionKind>,
    /// Makes TLS handshakes; `None` where the listener offers no TLS.
    pub acceptor: Option<Acceptor>,
    /// How its fronts behave.
    pub front: Arc<FrontSettings>,
    /// How login names are read.
    pub names: LoginNameRules,
}

impl Entrance {
    /// A dialogue with a client that has just connected; `None` where nobody logs in over the
    /// listener's protocol.
    pub(crate) fn new_front(&self) -> Option<Front> {
        Front::new(self.kind.protocol, self.front.clone())
    }

    /// Whether TLS starts with the first octet.
    pub(crate) fn is_implicit_tls(&self) -> bool {
        self.front.encryption == Encryption::Implicit
    }
}

/// Names sessions so that those of two processes are told apart, as far as chance goes.
#[derive(Debug)]
pub struct SessionIds(u64);

impl SessionIds {
    /// Starts somewhere.
    pub fn new() -> Self {
        Self(rand::random::<u64>())
    }

    pub(crate) fn of(&self, record: &SessionRecord) -> SessionId {
        SessionId(self.0.wrapping_add(record.id()))
    }
}

impl Default for SessionIds {
    fn default() -> Self {
        Self::new()
    }
}

/// A session's name in the log, and towards back ends that hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionId(u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

use std::sync::Arc;

use waypost_model::Encryption;
use waypost_net::session::SessionKind;
use waypost_net::tls::Acceptor;
use waypost_routing::{Decide, LoginNameRules};
use waypost_session::Process;
use waypost_verify::Decoys;
use waypost_wire::Front;
use waypost_wire::login::FrontSettings;

use crate::{Metrics, Settings};

/// What all logins share for the life of the process.
pub struct Driver<P: Decide> {
    /// What they share with every other session.
    pub process: Arc<Process<P>>,
    /// How logins are treated.
    pub settings: Settings,
    /// What SCRAM asks users whom nobody knows.
    pub decoys: Decoys,
    /// What this crate counts.
    pub metrics: Metrics,
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

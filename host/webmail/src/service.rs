use std::sync::Arc;

use tokio::sync::watch;
use waypost_net::session::SessionKind;
use waypost_net::tls::Acceptor;
use waypost_routing::{Decide, LoginNameRules};
use waypost_session::Process;
use waypost_verify::Repeated;

use crate::back::Pools;
use crate::requests::Requests;
use crate::seal::KeyRing;
use crate::{Metrics, Settings};

/// What all of webmail shares for the life of the process.
pub struct Service<P: Decide> {
    /// What it shares with every other session.
    pub process: Arc<Process<P>>,
    /// How webmail is served.
    pub settings: Arc<Settings>,
    /// What this crate counts.
    pub metrics: Metrics,
    /// What seals the route cookie.
    pub keys: Arc<KeyRing>,
    pub(crate) pools: Pools,
    pub(crate) requests: Requests,
    /// Credentials that come with each request.
    pub(crate) repeated: Repeated,
    draining: watch::Sender<bool>,
}

/// What the sessions of one listener share beyond its socket.
#[derive(Debug)]
pub struct Entrance {
    /// What its sessions have in common.
    pub kind: Arc<SessionKind>,
    /// Makes TLS handshakes; `None` where the listener offers no TLS.
    pub acceptor: Option<Acceptor>,
    /// How login names are read.
    pub names: LoginNameRules,
    /// `allow-plaintext-login`: whether passwords may come without TLS.
    pub allow_plaintext: bool,
}

impl<P: Decide> Service<P> {
    /// A service without any connection yet.
    pub fn new(
        process: Arc<Process<P>>,
        settings: Arc<Settings>,
        keys: Arc<KeyRing>,
        metrics: Metrics,
    ) -> Self {
        Self {
            repeated: Repeated::new(process.verifier.verified_for()),
            process,
            metrics,
            keys,
            pools: Pools::default(),
            requests: Requests::new(settings.max_requests, settings.max_requests_per_user),
            draining: watch::Sender::new(false),
            settings,
        }
    }

    /// Lets every connection end as soon as it has answered what it has begun: the one place that
    /// tells sessions of it, since a browser keeps its connection open for a request to come.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Told when it is time to end; see [`drain`](Self::drain).
    pub(crate) fn draining(&self) -> watch::Receiver<bool> {
        self.draining.subscribe()
    }
}

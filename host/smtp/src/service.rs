use std::sync::Arc;

use waypost_model::{Encryption, Protocol};
use waypost_net::session::SessionKind;
use waypost_net::tls::Acceptor;
use waypost_routing::Decide;
use waypost_session::Process;
use waypost_wire::smtp::{Front, FrontSettings};

use crate::delivering::Setting;
use crate::{EntranceSettings, FailPoints, Metrics, Queue, Settings};

/// What all inbound mail shares for the life of the process.
pub struct Service<P: Decide> {
    /// What it shares with every other session.
    pub process: Arc<Process<P>>,
    /// How mail is treated.
    pub settings: Arc<Settings>,
    /// The messages that are kept. Without them every message has one leg.
    pub queue: Option<Arc<Queue>>,
    /// What this crate counts.
    pub metrics: Metrics,
    /// What tests put in the way; `FailPoints::default()` is nothing.
    pub fail_points: FailPoints,
}

/// What the sessions of one listener share beyond its socket.
#[derive(Debug)]
pub struct Entrance {
    /// What its sessions have in common.
    pub kind: Arc<SessionKind>,
    /// Makes TLS handshakes; `None` where the listener offers no TLS.
    pub acceptor: Option<Acceptor>,
    pub(crate) settings: EntranceSettings,
    front: Arc<FrontSettings>,
}

impl Entrance {
    /// The entrance of a listener that speaks SMTP or LMTP, as `kind` says.
    pub fn new(
        kind: Arc<SessionKind>,
        acceptor: Option<Acceptor>,
        settings: EntranceSettings,
        mail: &Settings,
    ) -> Self {
        let front = FrontSettings {
            hostname: mail.hostname.clone(),
            encryption: settings.encryption,
            lmtp: kind.protocol == Protocol::Lmtp,
            max_size: mail.max_message_size,
            smtputf8: settings.smtputf8,
            dsn: settings.dsn,
            max_errors: mail.max_errors,
        };
        Self { kind, acceptor, settings, front: Arc::new(front) }
    }

    /// A dialogue with a client that has just connected.
    pub(crate) fn new_front(&self) -> Front {
        Front::new(self.front.clone())
    }

    pub(crate) fn is_lmtp(&self) -> bool {
        self.kind.protocol == Protocol::Lmtp
    }

    /// Whether TLS starts with the first octet.
    pub(crate) fn is_implicit_tls(&self) -> bool {
        self.settings.encryption == Encryption::Implicit
    }
}

impl<P: Decide> Service<P> {
    pub(crate) fn setting(&self) -> Setting {
        Setting {
            settings: self.settings.clone(),
            metrics: self.metrics.clone(),
            fail_points: self.fail_points.clone(),
            clear: self.process.users.are_clear(),
        }
    }
}

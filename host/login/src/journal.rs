//! What a session leaves in the log: a line when its user is in, which may be days before the one when
//! it ends.

use std::net::SocketAddr;
use std::sync::Arc;

use waypost_net::relay::RelayEnd;
use waypost_routing::Decide;
use waypost_session::SessionId;

use crate::Metrics;
use crate::session::Session;
use crate::verdict::{Arrival, Ended, Way};

/// What is remembered of a session until its relay ends.
pub(crate) struct Journal {
    id: SessionId,
    client: SocketAddr,
    user: String,
    way: Way,
    address: SocketAddr,
    metrics: Metrics,
}

impl Journal {
    pub(crate) fn new<P: Decide>(
        session: &Session<P>,
        way: Way,
        arrival: &Arrival,
        user: &Arc<str>,
        address: SocketAddr,
        tls: Option<&'static str>,
    ) -> Self {
        let journal = Self {
            id: session.id,
            client: session.client,
            user: session.process().users.label(user).to_string(),
            way,
            address,
            metrics: session.driver.metrics.clone(),
        };
        let (way, kind) = (&journal.way, &session.entrance.kind);
        let passed_on = arrival.name.as_deref().filter(|name| *name != &**user);
        let label = |name| tracing::field::display(session.process().users.label(name));
        tracing::info!(
            target: "waypost::session",
            session = %journal.id,
            listener = &*kind.listener,
            protocol = kind.protocol.as_str(),
            client = %journal.client,
            user = journal.user,
            passed_on_as = passed_on.map(label),
            // Without one it was the protocol's own command.
            mechanism = arrival.mechanism.map(|mechanism| mechanism.as_str()),
            tls = tls.unwrap_or("none"),
            policy = &*way.policy,
            route = way.source.as_str(),
            backend = way.target,
            address = %journal.address,
            enter = arrival.entry,
            "logged in"
        );
        journal
    }

    /// Writes the session's line.
    pub(crate) fn close(&self, end: &RelayEnd) {
        let info = end.record.info();
        self.metrics.session_ended(info.kind.protocol, end.cause.as_str());
        tracing::info!(
            target: "waypost::session",
            session = %self.id,
            listener = &*info.kind.listener,
            protocol = info.kind.protocol.as_str(),
            client = %self.client,
            user = self.user,
            policy = &*self.way.policy,
            route = self.way.source.as_str(),
            backend = self.way.target,
            address = %self.address,
            reason = end.cause.as_str(),
            detail = end.error.as_ref().map(tracing::field::display),
            from_client = info.from_client,
            from_backend = info.from_backend,
            seconds = info.age.as_secs(),
            "session ended"
        );
    }
}

/// Writes the line of a session that nobody was let in by.
pub(crate) fn before_login<P: Decide>(session: &Session<P>, ended: &Ended) {
    let kind = &session.entrance.kind;
    session.driver.metrics.session_ended(kind.protocol, ended.kind());
    tracing::info!(
        target: "waypost::session",
        session = %session.id,
        listener = &*kind.listener,
        protocol = kind.protocol.as_str(),
        client = %session.client,
        reason = ended.kind(),
        detail = %ended,
        seconds = session.began.elapsed().as_secs(),
        "session ended without login"
    );
}

//! What requests and sessions leave in the log.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{Method, StatusCode};
use tokio::time::Instant;
use waypost_routing::{Decide, Routed};
use waypost_session::{SessionId, Users};

use crate::Entrance;
use crate::answer::Reason;
use crate::requests::Place;
use crate::session::{Session, UnderWay};

/// One request, until its answer has gone out. Its line is written when this is dropped, and its
/// place given back.
pub(crate) struct Line {
    id: SessionId,
    entrance: Arc<Entrance>,
    client: SocketAddr,
    number: u64,
    method: Method,
    /// Left out where users are not to be named: DAV paths name them.
    path: Option<Box<str>>,
    began: Instant,
    pub(crate) user: Option<Box<str>>,
    pub(crate) policy: Option<Arc<str>>,
    pub(crate) route: &'static str,
    pub(crate) backend: Option<Box<str>>,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) status: StatusCode,
    /// Why Waypost answers by itself, or what became of the answer.
    pub(crate) reason: &'static str,
    pub(crate) detail: Option<Box<str>>,
    /// Of the answer's body.
    pub(crate) octets: u64,
    /// The client has all of it.
    pub(crate) complete: bool,
    pub(crate) place: Option<Place>,
    _under_way: UnderWay,
}

impl Line {
    pub(crate) fn new<P: Decide>(
        session: &Session<P>,
        client: SocketAddr,
        method: &Method,
        path: &str,
    ) -> Box<Self> {
        let shows_path = session.service.process.users.are_clear();
        Box::new(Self {
            id: session.id,
            entrance: session.entrance.clone(),
            client,
            number: session.next_request(),
            method: method.clone(),
            path: shows_path.then(|| path.into()),
            began: Instant::now(),
            user: None,
            policy: None,
            route: "",
            backend: None,
            address: None,
            status: StatusCode::OK,
            reason: "",
            detail: None,
            octets: 0,
            complete: false,
            place: None,
            _under_way: session.activity.begin(),
        })
    }

    /// Whose request it is.
    pub(crate) fn of(&mut self, users: &Users, user: &str) {
        self.user = Some(users.label(user).to_string().into());
    }

    /// Why Waypost answers by itself.
    pub(crate) fn refused(&mut self, users: &Users, reason: &Reason) {
        self.reason = reason.kind();
        // Policies and directories like to quote the user's name.
        let shows = users.are_clear() || reason.names_nobody();
        self.detail = shows.then(|| reason.to_string().into());
    }

    /// How its target was found.
    pub(crate) fn by<T>(&mut self, routed: &Routed<T>) {
        self.policy = Some(routed.policy.clone());
        self.route = routed.source.as_str();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let reason = match (self.reason, self.complete) {
            ("", true) => "answered",
            ("", false) => "client-left",
            (reason, _) => reason,
        };
        // What goes well is the session's to count; what does not is the operator's to see.
        macro_rules! write_line {
            ($write:ident) => {
                tracing::$write!(
                    target: "waypost::request",
                    session = %self.id,
                    request = self.number,
                    listener = &*self.entrance.kind.listener,
                    client = %self.client,
                    user = self.user.as_deref(),
                    method = %self.method,
                    path = self.path.as_deref(),
                    policy = self.policy.as_deref(),
                    route = self.route,
                    backend = self.backend.as_deref(),
                    address = self.address.map(tracing::field::display),
                    status = self.status.as_u16(),
                    reason,
                    detail = self.detail.as_deref(),
                    octets = self.octets,
                    milliseconds = self.began.elapsed().as_millis() as u64,
                    "request"
                )
            };
        }
        match reason {
            "answered" | "client-left" | "no-credentials" | "switched" => write_line!(debug),
            _ => write_line!(info),
        }
    }
}

/// Writes the session's line.
pub(crate) fn close<P: Decide>(session: &Session<P>, reason: &str, detail: Option<&str>) {
    let info = session.record.info();
    let user = info
        .route
        .as_ref()
        .map(|route| session.service.process.users.label(&route.user).to_string());
    tracing::info!(
        target: "waypost::session",
        session = %session.id,
        listener = &*info.kind.listener,
        protocol = info.kind.protocol.as_str(),
        client = %session.client,
        user,
        backend = info.route.as_ref().map(|route| &*route.target),
        requests = session.requests.load(Ordering::Relaxed),
        reason,
        detail,
        from_client = info.from_client,
        to_client = info.from_backend,
        seconds = session.began.elapsed().as_secs(),
        "session ended"
    );
}

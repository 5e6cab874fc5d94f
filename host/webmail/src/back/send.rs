//! A request on its way to the back end of its user.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};
use waypost_model::{Host, Protocol, Target};
use waypost_net::backend::Entry;
use waypost_net::connect::{self, ConnectError};
use waypost_routing::{Decide, Routed};
use waypost_session::{Generation, Grant};
use waypost_wire::proxy::Header;

use super::connection::{connect_and_greet, is_of_one_client};
use super::failure::TargetFailure;
use super::pool::{Connection, Key, Lease};
use crate::answer::Reason;
use crate::body::{ClientBody, Gate, Progress};
use crate::browser::Browser;
use crate::entry::{Login, NoEntry};
use crate::headers;
use crate::session::Session;

/// For all addresses of one target together; each has the back-end table's own timeout.
const CONNECTING: Duration = Duration::from_secs(30);

/// The head of a request as back ends get it, and how it is to be treated.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: Method,
    /// In origin form, or `*`.
    pub(crate) target: Uri,
    pub(crate) headers: HeaderMap,
    /// It may be sent again where nobody knows whether it has arrived (RFC 9110 section 9.2.2).
    pub(crate) is_repeatable: bool,
    /// How long the answer may take.
    pub(crate) patience: Duration,
    /// Opened when the back end wants the body.
    pub(crate) gate: Option<Arc<Gate>>,
}

/// What goes to a back end beside the body.
pub(crate) struct Load<'a> {
    pub(crate) head: &'a Head,
    /// The cookies, of which each target is shown its own.
    pub(crate) browser: &'a Browser,
    /// Who logs in, where somebody does: each target may be entered in another way.
    pub(crate) login: Option<&'a Login<'a>>,
    pub(crate) progress: &'a Arc<Progress>,
}

/// Where a request may go.
pub(crate) enum Way<'a, T> {
    /// Where a policy says.
    Routed(&'a Routed<T>),
    /// To the login page of a decoy, which the operator has chosen.
    Decoy(&'a Target),
}

impl<T: Grant> Way<'_, T> {
    fn targets(&self) -> &[Target] {
        match self {
            Self::Routed(routed) => &routed.route.targets,
            Self::Decoy(target) => std::slice::from_ref(target),
        }
    }

    fn allows(&self, host: &Host, address: &IpAddr) -> bool {
        match self {
            Self::Routed(routed) => routed.targets.allows_resolved(host, address),
            Self::Decoy(_) => true,
        }
    }
}

/// A back end's answer, and the connection that it comes over.
pub(crate) struct Answered {
    pub(crate) response: Response<Incoming>,
    pub(crate) lease: Lease,
    pub(crate) target: Box<str>,
}

/// A target came to nothing. With the body where nothing of the request has gone out.
struct Failed {
    failure: TargetFailure,
    unsent: Option<ClientBody>,
}

impl<P: Decide> Session<P>
where
    P::Targets: Grant,
{
    /// Sends a request to the first target of a route that can be reached. Where all are known to
    /// be down, one request at a time may try them all the same.
    pub(crate) async fn send_along(
        &self,
        generation: &Generation<P>,
        way: &Way<'_, P::Targets>,
        load: &Load<'_>,
        body: ClientBody,
    ) -> Result<Answered, Reason> {
        let mut body = body;
        for last_resort in [false, true] {
            let mut last = None;
            for target in way.targets() {
                let aim = Aim { generation, way, target, last_resort };
                let Failed { failure, unsent } = match self.send_to(&aim, load, body).await {
                    Ok(answered) => return Ok(answered),
                    Err(failed) => failed,
                };
                if let Some(fault) = load.progress.fault() {
                    return Err(Reason::Body(fault));
                }
                self.note_failure(target, &failure);
                let reason = Reason::Target(target.to_string(), failure);
                // Whoever has seen a part of it has seen the credential.
                let Some(unsent) = unsent else { return Err(reason) };
                body = unsent;
                last = Some(reason);
            }
            match last {
                Some(Reason::Target(_, TargetFailure::Connect(ConnectError::AllDown)))
                    if !last_resort =>
                {
                    tracing::debug!(
                        target: "waypost::webmail",
                        session = %self.id,
                        "every target is down: they are tried all the same"
                    );
                }
                Some(reason) => return Err(reason),
                None => break,
            }
        }
        Err(Reason::NoTarget)
    }

    /// Sends a request to one target: over a connection that is at hand, or over a new one.
    async fn send_to(
        &self,
        aim: &Aim<'_, P>,
        load: &Load<'_>,
        body: ClientBody,
    ) -> Result<Answered, Failed> {
        let Aim { generation, way, target, .. } = aim;
        let endpoint = match generation.backends.endpoint(target, Protocol::Webmail) {
            Ok(endpoint) => endpoint,
            Err(error) => {
                let failure = TargetFailure::Connect(error.into());
                return Err(Failed { failure, unsent: Some(body) });
            }
        };
        let name: Box<str> = target.to_string().into();
        let (own, body) = match own_of(&name, &endpoint.settings.entry, load, body) {
            Ok(own) => own,
            Err((error, body)) => {
                return Err(Failed { failure: error.into(), unsent: Some(body) });
            }
        };
        let client = is_of_one_client(&endpoint).then_some(self.client);
        let key = Key::new(&target.host, &endpoint, client);
        let allowed = |at: SocketAddr| way.allows(&target.host, &at.ip());
        let mut body = body;
        while let Some(kept) = self.pool.take(&key, &endpoint.settings, allowed) {
            let lease = Lease { pool: self.pool.clone(), key: key.clone(), connection: kept };
            match send_over(lease, load, &own, body, &name).await {
                Ok(answered) => {
                    self.service.metrics.connection("kept");
                    return Ok(answered);
                }
                // It had been closed while it lay there.
                Err(Failed { unsent: Some(unsent), .. }) => body = unsent,
                Err(Failed { failure: TargetFailure::Broken(error), .. })
                    if load.head.is_repeatable && is_end(&error) =>
                {
                    body = ClientBody::Empty;
                    break;
                }
                Err(failed) => return Err(failed),
            }
        }
        // What most requests do not come to is not in the memory of each.
        let connection = match Box::pin(self.connect(aim)).await {
            Ok(connection) => connection,
            Err(failure) => return Err(Failed { failure, unsent: Some(body) }),
        };
        self.service.metrics.connection("new");
        let lease = Lease { pool: self.pool.clone(), key, connection };
        send_over(lease, load, &own, body, &name).await
    }

    async fn connect(&self, aim: &Aim<'_, P>) -> Result<Connection, TargetFailure> {
        let header = Header {
            source: Some(self.client),
            destination: Some(self.local),
            ..Header::default()
        };
        let request = connect::Request {
            target: aim.target,
            protocol: Protocol::Webmail,
            table: &aim.generation.backends,
            client: &header,
            allowed: &|host, address| aim.way.allows(host, &address),
            deadline: Instant::now() + CONNECTING,
            last_resort: aim.last_resort,
        };
        let stall = self.service.settings.stall_timeout;
        connect_and_greet(&self.service.process.connector, &request, stall).await
    }

    fn note_failure(&self, target: &Target, failure: &TargetFailure) {
        self.service.metrics.target_failed(failure.kind());
        macro_rules! write_line {
            ($write:ident) => {
                tracing::$write!(
                    target: "waypost::webmail",
                    session = %self.id, %target, reason = failure.kind(),
                    // No words of the back end's are in it, which might name users.
                    detail = %failure,
                    "a target failed"
                )
            };
        }
        // Target health has its own line where an address goes down, and one where it is up again.
        let is_news = !matches!(failure, TargetFailure::Connect(error) if error.is_watched());
        if is_news && self.service.process.warned.is_due((target, failure.kind())) {
            write_line!(warn);
        } else {
            write_line!(debug);
        }
    }
}

/// One target, and how it came to be tried.
struct Aim<'a, P: Decide> {
    generation: &'a Generation<P>,
    way: &'a Way<'a, P::Targets>,
    target: &'a Target,
    /// Every target is known to be down: try it all the same.
    last_resort: bool,
}

/// What of a request is one target's alone: the fields of its head that stand in the place of others,
/// and the body.
fn own_of(
    target: &str,
    entry: &Entry,
    load: &Load<'_>,
    body: ClientBody,
) -> Result<(HeaderMap, ClientBody), (NoEntry, ClientBody)> {
    let key = match load.login.map(|login| login.key(entry)).transpose() {
        Ok(key) => key.unwrap_or_default(),
        Err(error) => return Err((error, body)),
    };
    let mut own = HeaderMap::new();
    // Which of its cookies a browser got there is known by target.
    own.extend(load.browser.shows(target).map(|cookies| (COOKIE, cookies)));
    own.extend(key.authorization.map(|credentials| (AUTHORIZATION, credentials)));
    let Some(form) = key.form else { return Ok((own, body)) };
    own.insert(CONTENT_LENGTH, HeaderValue::from(form.len()));
    Ok((own, ClientBody::Whole(Some(form))))
}

/// Sends a request over one connection, and waits for the head of the answer.
async fn send_over(
    mut lease: Lease,
    load: &Load<'_>,
    own: &HeaderMap,
    body: ClientBody,
    target: &str,
) -> Result<Answered, Failed> {
    let failed = |failure, unsent| Failed { failure, unsent };
    let Load { head, progress, .. } = load;
    let began = Instant::now();
    let mut request = request(head, body);
    for (name, value) in own {
        request.headers_mut().insert(name, value.clone());
    }
    let sending = lease.connection.sender.try_send_request(request);
    let mut sending = std::pin::pin!(sending);
    let answer = loop {
        // While the body is under way there is nothing to be answered.
        let deadline = began.max(progress.last()) + head.patience;
        match timeout_at(deadline, &mut sending).await {
            Ok(answer) => break answer,
            Err(_) if began.max(progress.last()) + head.patience > Instant::now() => {}
            Err(_) => return Err(failed(TargetFailure::Timeout, None)),
        }
    };
    match answer {
        // RFC 9112 section 7.4: a server sends no coding but those in TE. hyper undoes `chunked`, and
        // would give us what is in another as it is.
        Ok(response) if !headers::is_at_most_chunked(response.headers()) => {
            Err(failed(TargetFailure::Coding, None))
        }
        Ok(response) => Ok(Answered { response, lease, target: target.into() }),
        Err(mut error) => {
            let message = error.take_message();
            let unsent = message.map(Request::into_body);
            let error = error.into_error();
            Err(match unsent {
                Some(body) => failed(TargetFailure::Unsent(error), Some(body)),
                None => failed(TargetFailure::Broken(error), None),
            })
        }
    }
}

fn request(head: &Head, body: ClientBody) -> Request<ClientBody> {
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.target.clone();
    *request.headers_mut() = head.headers.clone();
    if let Some(gate) = &head.gate {
        let gate = gate.clone();
        // Others, such as 103, end here: the front has no way to pass on more than one head.
        hyper::ext::on_informational(&mut request, move |answer| {
            if answer.status() == StatusCode::CONTINUE {
                gate.open();
            }
        });
    }
    request
}

/// Whether the connection ended without a single octet of an answer.
fn is_end(error: &hyper::Error) -> bool {
    error.is_incomplete_message()
        || error.is_canceled()
        || error.is_closed()
        || std::error::Error::source(error)
            .and_then(|source| source.downcast_ref::<std::io::Error>())
            .is_some_and(|error| {
                use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
                matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
            })
}

//! One request, from its head to the end of its answer.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, EXPECT, HeaderValue, MAX_FORWARDS, UPGRADE};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep_until};
use waypost_model::{Address, Route, Target};
use waypost_net::jittered;
use waypost_routing::{Decide, Renewal, Resolution, Routed};
use waypost_session::{Generation, Grant};
use waypost_verify::TooMany;

use crate::answer::Reason;
use crate::attempt::{Attempt, Login};
use crate::back::{Answered, Head, Load, Way};
use crate::body::{AnswerBody, BodyFault, ClientBody, Gate, Progress};
use crate::decoy;
use crate::entry;
use crate::headers;
use crate::journal::Line;
use crate::origin::Origin;
use crate::proof::Proof;
use crate::reception::{Asker, Reply, Visit};
use crate::requests::Place;
use crate::scrutiny::{Addressed, Misfit, scrutinise};
use crate::session::Session;
use crate::tunnel;

/// Where clients ask to be told when something happens (MS-ASCMD sections 2.2.1.13, 2.2.1.21).
const PUSH: &str = "/microsoft-server-activesync";

/// Answers one request. Never fails: what goes wrong is an answer.
pub(crate) async fn exchange<P: Decide>(
    session: Arc<Session<P>>,
    request: Request<Incoming>,
) -> Response<AnswerBody>
where
    P::Targets: Grant,
{
    let began = Instant::now();
    let (parts, incoming) = request.into_parts();
    let settings = &session.service.settings;
    let origin = Origin::of(
        &parts.headers,
        session.client.ip(),
        session.encrypted,
        &settings.trusted_proxies,
    );
    let client = SocketAddr::new(origin.client, session.client.port());
    let mut line = Line::new(&session, client, &parts.method, parts.uri.path());
    let exchange = Exchange { session: &session, origin, began };
    match exchange.run(parts, incoming, &mut line).await {
        Ok(answered) => exchange.pass_on(answered, line),
        Err(reason) => {
            if reason.is_rejection() {
                sleep_until(began + jittered(settings.auth_failure_delay)).await;
            }
            session.service.metrics.request(reason.kind());
            if line.reason.is_empty() {
                line.refused(&session.service.process.users, &reason);
            }
            line.status = reason.status();
            reason.into_response(&settings.realm).map(|body| body.noted(line))
        }
    }
}

/// What does not change while a request is answered.
pub(crate) struct Exchange<'a, P: Decide> {
    pub(crate) session: &'a Arc<Session<P>>,
    pub(crate) origin: Origin,
    pub(crate) began: Instant,
}

/// A request that has been looked through, without its body.
struct Taken {
    parts: Parts,
    addressed: Addressed,
    place: Place,
    progress: Arc<Progress>,
    gate: Option<Arc<Gate>>,
}

/// A back end's answer, with the client's end of an upgrade where one was asked for.
struct Outcome {
    answered: Answered,
    upgrade: Option<hyper::upgrade::OnUpgrade>,
    asker: Asker,
    /// As whom the front has found the password right.
    proof: Option<Proof>,
}

/// A request on its way to a back end, with all that its steps need; its body goes beside it, since
/// it is used up.
pub(crate) struct Errand<'a, P> {
    pub(crate) generation: Arc<Generation<P>>,
    pub(crate) asker: &'a Asker,
    pub(crate) head: Head,
    pub(crate) attempt: Attempt<'a>,
    /// As whom the front has found the password right, for the route that is tried now.
    pub(crate) proof: Option<Proof>,
    progress: Arc<Progress>,
    line: &'a mut Line,
}

impl<P: Decide> Exchange<'_, P>
where
    P::Targets: Grant,
{
    async fn run(
        &self,
        mut parts: Parts,
        incoming: Incoming,
        line: &mut Line,
    ) -> Result<Outcome, Reason> {
        let service = &self.session.service;
        let settings = &service.settings;
        let addressed = scrutinise(&parts.method, &parts.uri, parts.version, &parts.headers)?;
        if headers::runs_in_circle(&parts.headers, &settings.hostname) {
            return Err(Reason::Circle);
        }
        if parts.method == Method::OPTIONS
            && let Some(left) = headers::max_forwards(&parts.headers)
        {
            let less = left.checked_sub(1).ok_or_else(last_hop)?;
            parts.headers.insert(MAX_FORWARDS, HeaderValue::from(less));
        }
        if length(&parts).is_some_and(|length| length > settings.max_body_size) {
            return Err(BodyFault::TooLarge.into());
        }
        let place = service.requests.take().ok_or(Reason::Busy)?;
        let progress = Progress::new();
        let gate = wants_continue(&parts).then(Arc::<Gate>::default);
        let mut body = ClientBody::new(
            incoming,
            settings.max_body_size,
            settings.stall_timeout,
            &progress,
            gate.as_ref(),
        );
        let waits = parts.version == Version::HTTP_11;
        let taken = Taken { parts, addressed, place, progress, gate };
        let outcome = self.carry_out(taken, &mut body, line).await;
        if outcome.is_err() {
            body.linger(waits).await;
        }
        outcome
    }

    /// Makes out whose request it is, and takes it where it belongs.
    async fn carry_out(
        &self,
        taken: Taken,
        body: &mut ClientBody,
        line: &mut Line,
    ) -> Result<Outcome, Reason> {
        let Taken { mut parts, addressed, mut place, progress, gate } = taken;
        let Addressed { authority, target } = addressed;
        let service = &self.session.service;
        let asker = self.receive(&mut parts, body, &authority).await?;
        let user = Arc::from(asker.name.lookup.address.as_str());
        line.of(&service.process.users, &user);
        let upgrade =
            headers::upgrade(&parts.headers).filter(|_| parts.version == Version::HTTP_11);
        let on_upgrade = upgrade.as_ref().and_then(|_| parts.extensions.remove());
        let mut head = self.onward(parts, target, &authority, upgrade)?;
        head.is_repeatable = body.is_empty() && head.method.is_idempotent();
        head.gate = gate;
        let attempt = match self.begin(&asker).await {
            Ok(attempt) => attempt,
            Err(too_many) => {
                let reason = too_many.into();
                line.refused(&service.process.users, &reason);
                return Err(self.tell(&head.headers, &authority, &asker, reason).await);
            }
        };
        // Not before: logins that are held back take no places from who they try to be.
        if !place.of_user(&user) {
            return Err(Reason::UserBusy);
        }
        line.place = Some(place);
        let mut errand = Errand {
            generation: service.process.generation.load_full(),
            asker: &asker,
            head,
            attempt,
            proof: None,
            progress,
            line,
        };
        let answered = match self.answer(&mut errand, body).await {
            Ok(answered) => answered,
            Err(reason) => {
                if reason.is_rejection() {
                    errand.attempt.failed();
                }
                errand.line.refused(&service.process.users, &reason);
                return Err(self.tell(&errand.head.headers, &authority, &asker, reason).await);
            }
        };
        service.metrics.answered(self.began.elapsed());
        let proof = errand.proof;
        Ok(Outcome { answered, upgrade: on_upgrade, asker, proof })
    }

    /// The head of a request as back ends get it. `upgrade`: what it asks for, if that goes on.
    fn onward(
        &self,
        parts: Parts,
        target: Uri,
        authority: &Authority,
        upgrade: Option<HeaderValue>,
    ) -> Result<Head, Reason> {
        let Parts { method, version, mut headers, .. } = parts;
        let settings = &self.session.service.settings;
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Misfit::Host)?;
        let ends = self.session.ends(authority).map_err(|_| Misfit::Host)?;
        let is_believed = settings.trusted_proxies.contains(self.session.client.ip());
        headers::onward(&mut headers, host, version, &settings.hostname);
        headers::tell_ends(&mut headers, &ends, is_believed);
        if let Some(protocols) = upgrade {
            headers.insert(UPGRADE, protocols);
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        }
        let is_push =
            target.path().get(..PUSH.len()).is_some_and(|start| start.eq_ignore_ascii_case(PUSH));
        let patience = if is_push { settings.push_timeout } else { settings.answer_timeout };
        Ok(Head { method, target, headers, is_repeatable: false, patience, gate: None })
    }

    /// Begins the login that a request makes, if it makes one.
    async fn begin<'a>(&'a self, asker: &'a Asker) -> Result<Attempt<'a>, TooMany> {
        if let Visit::Cookie { .. } = asker.visit {
            return Ok(Attempt::none());
        }
        let service = &self.session.service;
        Attempt::begin(Login {
            repeated: &service.repeated,
            failures: &service.process.failures,
            user: asker.name.lookup.address.as_str(),
            client: self.origin.client,
            password: asker.visit.password(),
            is_counted: self.is_counted(),
        })
        .await
    }

    /// Takes the request to the user's back end.
    async fn answer(
        &self,
        errand: &mut Errand<'_, P>,
        body: &mut ClientBody,
    ) -> Result<Answered, Reason> {
        let router = &self.session.service.process.router;
        let (lookup, context) = (&errand.asker.name.lookup, &errand.asker.context);
        let resolving = router.resolve(&errand.generation.domains, lookup, context);
        match resolving.await {
            Resolution::Route(routed) => self.answer_by(errand, routed, body).await,
            Resolution::Refused { refusal, .. } => {
                self.answer_nobody(errand, Reason::Refused(refusal), body).await
            }
            Resolution::Unknown { .. } => {
                self.answer_nobody(errand, Reason::UnknownUser, body).await
            }
            Resolution::NotServed => self.answer_nobody(errand, Reason::NotServed, body).await,
            Resolution::Temporary { trouble, .. } => Err(Reason::Trouble(trouble)),
        }
    }

    /// On a page nobody learns who exists: who does not gets somebody's login page, and no further
    /// than who does.
    async fn answer_nobody(
        &self,
        errand: &mut Errand<'_, P>,
        rejection: Reason,
        body: &mut ClientBody,
    ) -> Result<Answered, Reason> {
        let lookup = &errand.asker.name.lookup;
        let is_checked = !errand.generation.may_leave_verification(lookup);
        match errand.asker.visit {
            Visit::Basic(_) => return Err(rejection),
            Visit::Form(_) if is_checked => return Err(rejection),
            Visit::Form(_) => {}
            Visit::Cookie { .. } if is_checked => self.let_see(&errand.head, body)?,
            Visit::Cookie { .. } => {}
        }
        let decoy = self.decoy(&lookup.address).ok_or(rejection)?;
        errand.line.route = "decoy";
        let answered = self.send(errand, &Way::Decoy(decoy), body).await?;
        if has_failed(&errand.asker.visit, &answered) {
            errand.attempt.failed();
        }
        Ok(answered)
    }

    /// A back end that does not let the user in is a reason to ask whether they have moved.
    async fn answer_by(
        &self,
        errand: &mut Errand<'_, P>,
        routed: Routed<P::Targets>,
        body: &mut ClientBody,
    ) -> Result<Answered, Reason> {
        let had_body = !body.is_empty();
        let mut routed = self.verify(errand, routed, body).await?;
        errand.line.by(&routed);
        let mut answered = self.send(errand, &Way::Routed(&routed), body).await?;
        if !is_unauthorized(&errand.asker.visit, &answered) {
            judge(errand, &routed.route, &answered);
            return Ok(answered);
        }
        let router = &self.session.service.process.router;
        let (lookup, context) = (&errand.asker.name.lookup, &errand.asker.context);
        let renewing = router.renew(&errand.generation.domains, lookup, context, &routed);
        match Box::pin(renewing).await {
            Renewal::Unchanged | Renewal::Withdrawn => {}
            // The body has gone where it was not wanted: the client still has it.
            Renewal::Changed(_) if had_body => return Err(Reason::Moved),
            Renewal::Changed(changed) => {
                self.verify_once(errand, &changed.route, body).await?;
                errand.line.by(&changed);
                let way = Way::Routed(&changed);
                answered = self.send(errand, &way, body).await?;
                routed = changed;
            }
            Renewal::Temporary { trouble, .. } => return Err(Reason::Trouble(trouble)),
        }
        judge(errand, &routed.route, &answered);
        if is_unauthorized(&errand.asker.visit, &answered) {
            let delay = self.session.service.settings.auth_failure_delay;
            sleep_until(self.began + jittered(delay)).await;
        }
        Ok(answered)
    }

    async fn send(
        &self,
        errand: &mut Errand<'_, P>,
        way: &Way<'_, P::Targets>,
        body: &mut ClientBody,
    ) -> Result<Answered, Reason> {
        let Errand { generation, asker, head, attempt, proof, progress, line } = errand;
        let login = match way {
            Way::Routed(routed) => Some(entry::Login {
                visit: &asker.visit,
                identity: self.identity(routed, asker),
                is_verified: proof.is_some(),
            }),
            Way::Decoy(_) => None,
        };
        let load = Load { head, browser: &asker.browser, login: login.as_ref(), progress };
        let sending = self.session.send_along(generation, way, &load, body.take());
        let answered = attempt.while_undecided(sending).await?;
        line.backend = Some(answered.target.clone());
        line.address = Some(answered.lease.connection.address);
        self.session.record.set_route(asker.name.lookup.address.as_str(), &answered.target);
        Ok(answered)
    }

    /// The name to log in with, where the policy gives another than the client's.
    fn identity<'r>(&self, routed: &'r Routed<P::Targets>, asker: &Asker) -> Option<Cow<'r, str>> {
        let identity = routed.route.identity.as_deref()?;
        let names = &self.session.entrance.names;
        Some(match (&asker.name.authentication_id, names.master_separator) {
            (Some(master), Some(separator)) => Cow::Owned(format!("{identity}{separator}{master}")),
            _ => Cow::Borrowed(identity),
        })
    }

    /// The back end's answer as the client gets it.
    fn pass_on(&self, outcome: Outcome, mut line: Box<Line>) -> Response<AnswerBody> {
        let Outcome { answered, upgrade, asker, proof } = outcome;
        let Answered { mut response, lease, target } = answered;
        let service = &self.session.service;
        let settings = &service.settings;
        line.status = response.status();
        service.metrics.request("answered");
        let protocols = headers::upgrade(response.headers());
        let version = response.version();
        headers::homeward(response.headers_mut(), version, &settings.hostname);
        asker.browser.mark(response.headers_mut(), &target);
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return tunnel::switch(self.session, response, upgrade, protocols, line);
        }
        let stall = settings.stall_timeout;
        let status = response.status();
        if let Visit::Cookie { leaves: true } = asker.visit
            && (status.is_success() || status.is_redirection())
        {
            let response = response.map(|body| AnswerBody::relayed(body, stall, Some(lease), line));
            return self.farewell(&asker.browser, &target, response);
        }
        let always = !matches!(asker.visit, Visit::Basic(_));
        asker.browser.remember(response.headers_mut(), &target, proof, always);
        response.map(|body| AnswerBody::relayed(body, stall, Some(lease), line))
    }

    /// Whose login page somebody gets who does not exist.
    fn decoy(&self, address: &Address) -> Option<&Target> {
        let service = &self.session.service;
        decoy::choose(&service.keys.keys(), address, &service.settings.identification.decoys)
    }
}

/// Tells the attempt what a back end's answer says of the credentials, where the back end is the one
/// to check them.
fn judge<P>(errand: &mut Errand<'_, P>, route: &Route, answered: &Answered) {
    if errand.proof.is_some() {
        return;
    }
    let status = answered.response.status();
    if has_failed(&errand.asker.visit, answered) {
        errand.attempt.failed();
    } else if matches!(errand.asker.visit, Visit::Basic(_))
        && (status.is_success() || status.is_redirection())
    {
        errand.attempt.taken(route);
    }
}

/// Whether an answer says that the credentials are wrong: a 401 to Basic credentials, and to a form
/// what its rule says.
fn has_failed(visit: &Visit, answered: &Answered) -> bool {
    let (status, headers) = (answered.response.status(), answered.response.headers());
    match visit {
        Visit::Basic(_) => is_unauthorized(visit, answered),
        Visit::Form(form) => form.rule.failed.is(status, headers),
        Visit::Cookie { .. } => false,
    }
}

fn is_unauthorized(visit: &Visit, answered: &Answered) -> bool {
    matches!(visit, Visit::Basic(_)) && answered.response.status() == StatusCode::UNAUTHORIZED
}

/// Whoever asks what can be done here, and no further, hears what we let through.
fn last_hop() -> Reason {
    let mut response = Response::new(Bytes::new());
    let allowed = "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, PROPFIND, PROPPATCH, MKCOL, \
                   MKCALENDAR, COPY, MOVE, LOCK, UNLOCK, REPORT";
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    Reason::Reply(Box::new(Reply { kind: "options", response }))
}

/// The length of the body, where the head says.
fn length(parts: &Parts) -> Option<u64> {
    parts.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// RFC 9110 section 10.1.1. Over HTTP/2 nothing but the answer can be sent ahead of it.
fn wants_continue(parts: &Parts) -> bool {
    let expects = parts.headers.get(EXPECT);
    expects.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

//! One request, from its head to the end of its answer.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, EXPECT, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep_until};
use waypost_model::{Address, Target, Verification};
use waypost_net::jittered;
use waypost_routing::{Decide, Renewal, Resolution, Routed};
use waypost_session::{Generation, Grant};

use crate::answer::Reason;
use crate::back::{Answered, Head, Way};
use crate::basic::Basic;
use crate::body::{AnswerBody, BodyFault, ClientBody, Gate, Progress};
use crate::decoy;
use crate::headers::{self, Ends, Origin};
use crate::journal::Line;
use crate::reception::{Asker, Visit};
use crate::scrutiny::{Addressed, scrutinise};
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
            line.reason = reason.kind();
            line.status = reason.status();
            line.detail =
                session.service.process.users.are_clear().then(|| reason.to_string().into());
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

/// A back end's answer, with the client's end of an upgrade where one was asked for.
struct Outcome {
    answered: Answered,
    upgrade: Option<hyper::upgrade::OnUpgrade>,
    asker: Asker,
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
        let Addressed { authority, target } =
            scrutinise(&parts.method, &parts.uri, parts.version, &parts.headers)?;
        if headers::runs_in_circle(&parts.headers, &settings.hostname) {
            return Err(Reason::Circle);
        }
        if length(&parts).is_some_and(|length| length > settings.max_body_size) {
            return Err(BodyFault::TooLarge.into());
        }
        let mut place = service.requests.take().ok_or(Reason::Busy)?;
        let progress = Progress::new();
        let gate = wants_continue(&parts).then(Arc::<Gate>::default);
        let mut body = ClientBody::new(
            incoming,
            settings.max_body_size,
            settings.stall_timeout,
            &progress,
            gate.as_ref(),
        );
        let asker = self.receive(&mut parts, &mut body, &authority).await?;
        let user = Arc::from(asker.name.lookup.address.as_str());
        line.of(&service.process.users, &user);
        if !place.of_user(&user) {
            return Err(Reason::UserBusy);
        }
        line.place = Some(place);

        let upgrade =
            headers::upgrade(&parts.headers).filter(|_| parts.version == Version::HTTP_11);
        let on_upgrade = upgrade.as_ref().and_then(|_| parts.extensions.remove());
        let host =
            HeaderValue::from_str(authority.as_str()).map_err(|_| crate::scrutiny::Misfit::Host)?;
        let ends = Ends {
            peer: self.session.client.ip(),
            local: self.session.local,
            encrypted: self.session.encrypted,
            authority: authority.as_str(),
        };
        headers::onward(&mut parts.headers, host, parts.version, &settings.hostname);
        headers::tell_ends(&mut parts.headers, ends, &settings.trusted_proxies);
        if let Some(protocols) = upgrade {
            parts.headers.insert(UPGRADE, protocols);
            parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        }
        let is_push =
            target.path().get(..PUSH.len()).is_some_and(|start| start.eq_ignore_ascii_case(PUSH));
        let mut head = Head {
            is_repeatable: body.is_empty() && parts.method.is_idempotent(),
            patience: if is_push { settings.push_timeout } else { settings.answer_timeout },
            method: parts.method,
            target,
            headers: parts.headers,
            gate,
        };
        let answered = match self.answer(&asker, &mut head, body, &progress, line).await {
            // Who is known by a page is told by a page.
            Err(reason) if reason.is_rejection() && !matches!(asker.visit, Visit::Basic(_)) => {
                return Err(self.unknown(&head.headers, &authority, &user).await);
            }
            answered => answered?,
        };
        service.metrics.answered(self.began.elapsed());
        Ok(Outcome { answered, upgrade: on_upgrade, asker })
    }

    /// Takes the request to the user's back end. One that does not let the user in is a reason to
    /// ask whether they have moved.
    async fn answer(
        &self,
        asker: &Asker,
        head: &mut Head,
        body: ClientBody,
        progress: &Arc<Progress>,
        line: &mut Line,
    ) -> Result<Answered, Reason> {
        let process = &self.session.service.process;
        let generation = process.generation.load_full();
        let (lookup, context) = (&asker.name.lookup, &asker.context);
        let resolving = process.router.resolve(&generation.domains, lookup, context);
        let rejection = match resolving.await {
            Resolution::Route(routed) => {
                check_verification(&routed)?;
                return self
                    .answer_by(&generation, routed, asker, head, body, progress, line)
                    .await;
            }
            Resolution::Refused { refusal, .. } => Reason::Refused(refusal),
            Resolution::Unknown { .. } => Reason::UnknownUser,
            Resolution::NotServed => Reason::NotServed,
            Resolution::Temporary { trouble, .. } => return Err(Reason::Trouble(trouble)),
        };
        // On a page nobody learns who exists: who does not gets somebody's login page.
        let decoy = match asker.visit {
            Visit::Basic(_) => None,
            Visit::Form | Visit::Cookie { .. } => self.decoy(&lookup.address),
        };
        let decoy = decoy.ok_or(rejection)?;
        line.route = "decoy";
        self.send(&generation, &Way::Decoy(decoy), asker, head, body, progress, line).await
    }

    #[expect(clippy::too_many_arguments, reason = "the steps of one exchange")]
    async fn answer_by(
        &self,
        generation: &Generation<P>,
        routed: Routed<P::Targets>,
        asker: &Asker,
        head: &mut Head,
        body: ClientBody,
        progress: &Arc<Progress>,
        line: &mut Line,
    ) -> Result<Answered, Reason> {
        let process = &self.session.service.process;
        let (lookup, context) = (&asker.name.lookup, &asker.context);
        let had_body = !body.is_empty();
        line.by(&routed);
        let way = Way::Routed(&routed);
        let answered = self.send(generation, &way, asker, head, body, progress, line).await?;
        let is_rejected = answered.response.status() == StatusCode::UNAUTHORIZED;
        if !is_rejected || !matches!(asker.visit, Visit::Basic(_)) {
            return Ok(answered);
        }
        let renewal = process.router.renew(&generation.domains, lookup, context, &routed).await;
        let answered = match renewal {
            Renewal::Unchanged | Renewal::Withdrawn => answered,
            // The body has gone where it was not wanted: the client still has it.
            Renewal::Changed(_) if had_body => return Err(Reason::Moved),
            Renewal::Changed(routed) => {
                check_verification(&routed)?;
                let body = ClientBody::Empty;
                line.by(&routed);
                let way = Way::Routed(&routed);
                self.send(generation, &way, asker, head, body, progress, line).await?
            }
            Renewal::Temporary { trouble, .. } => return Err(Reason::Trouble(trouble)),
        };
        if answered.response.status() == StatusCode::UNAUTHORIZED {
            let delay = self.session.service.settings.auth_failure_delay;
            sleep_until(self.began + jittered(delay)).await;
        }
        Ok(answered)
    }

    #[expect(clippy::too_many_arguments, reason = "the steps of one exchange")]
    async fn send(
        &self,
        generation: &Generation<P>,
        way: &Way<'_, P::Targets>,
        asker: &Asker,
        head: &mut Head,
        body: ClientBody,
        progress: &Arc<Progress>,
        line: &mut Line,
    ) -> Result<Answered, Reason> {
        if let (Way::Routed(routed), Visit::Basic(basic)) = (way, &asker.visit)
            && let Some(field) = self.identity(routed, asker, basic)
        {
            head.headers.insert(AUTHORIZATION, field);
        }
        let browser = &asker.browser;
        let sending = self.session.send_along(generation, way, head, browser, body, progress);
        let answered = sending.await?;
        line.backend = Some(answered.target.clone());
        line.address = Some(answered.lease.connection.address);
        self.session.record.set_route(asker.name.lookup.address.as_str(), &answered.target);
        Ok(answered)
    }

    /// The credentials for the back end, where the policy gives another name than the client's.
    fn identity(
        &self,
        routed: &Routed<P::Targets>,
        asker: &Asker,
        basic: &Basic,
    ) -> Option<HeaderValue> {
        let identity = routed.route.identity.as_deref()?;
        let names = &self.session.entrance.names;
        match (&asker.name.authentication_id, names.master_separator) {
            (Some(master), Some(separator)) => {
                basic.field_for(&format!("{identity}{separator}{master}"))
            }
            _ => basic.field_for(identity),
        }
    }

    /// The back end's answer as the client gets it.
    fn pass_on(&self, outcome: Outcome, mut line: Box<Line>) -> Response<AnswerBody> {
        let Outcome { answered, upgrade, asker } = outcome;
        let Answered { mut response, lease, target } = answered;
        let service = &self.session.service;
        let settings = &service.settings;
        line.status = response.status();
        service.metrics.request("answered");
        let protocols = headers::upgrade(response.headers());
        let version = response.version();
        headers::homeward(response.headers_mut(), version, &settings.hostname);
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return tunnel::switch(self.session, response, upgrade, protocols, line);
        }
        let stall = settings.stall_timeout;
        if let Visit::Cookie { leaves: true } = asker.visit {
            let response = response.map(|body| AnswerBody::relayed(body, stall, Some(lease), line));
            return self.farewell(response);
        }
        asker.browser.remember(
            response.headers_mut(),
            &target,
            &service.keys.keys(),
            settings.identification.cookie_lifetime,
            !matches!(asker.visit, Visit::Basic(_)),
        );
        response.map(|body| AnswerBody::relayed(body, stall, Some(lease), line))
    }

    /// Whose login page somebody gets who does not exist.
    fn decoy(&self, address: &Address) -> Option<&Target> {
        let service = &self.session.service;
        decoy::choose(&service.keys.keys(), address, &service.settings.identification.decoys)
    }
}

/// A password must not reach a back end that the front has not found right, where the policy says
/// so, and a web login is not checked here. That holds for who is only identified, too: what the back
/// end's own page asks them for is a password.
fn check_verification<T>(routed: &Routed<T>) -> Result<(), Reason> {
    match routed.route.verification {
        Verification::ByBackend => Ok(()),
        Verification::ByBind(_) | Verification::ByPassword(_) => Err(Reason::Unverified),
    }
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

//! From a credential to a verdict: whom to ask, where to go, and what to try again.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use tokio::time::{Instant, sleep, sleep_until};
use waypost_model::{Context, Lookup, Secret, Target, Verification};
use waypost_net::connect::ConnectError;
use waypost_net::jittered;
use waypost_routing::{Decide, LoginName, LoginNameError, Renewal, Resolution, Routed};
use waypost_session::{Conversation, Generation, Grant};
use waypost_verify::{Attempt as Charged, TooMany, Unverified};
use waypost_wire::Front;
use waypost_wire::login::{Answer, Credential};
use waypost_wire::sasl::scram;

use crate::session::Session;
use crate::target::{Aim, Tried};
use crate::verdict::{Arrival, Entered, Reason, TargetFailure, Verdict, Way};

/// The first pause before a temporary outcome is tried again; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// One login: what does not change while it is tried, and what has happened so far.
pub(crate) struct Attempt<'a, T> {
    client: &'a mut Conversation<Front>,
    pub(crate) credential: &'a Credential,
    lookup: Arc<Lookup>,
    pub(crate) context: Arc<Context>,
    /// Behind the separator of a master login, the separator included.
    master: Option<String>,
    /// The target that has seen the credential.
    exposed: Option<Target>,
    /// A no, and the route that led to it, of which nobody could say yet whether it is the user's
    /// route still. The credential is not sent again until somebody can.
    rejected: Option<(Routed<T>, Reason)>,
    /// As what the front has found the password right, or as whom TLS the certificate.
    pub(crate) verified: Option<Verification>,
    /// The client's password, where it has shown no more than a digest and the directory has it.
    pub(crate) clear: Option<Secret>,
    /// As what it has found the password wrong.
    pub(crate) unverified: Option<(Verification, Unverified)>,
    /// The client has seen a challenge: the exchange cannot be begun again behind its back.
    committed: bool,
    tally: Tally,
}

/// What the line that closes a login says of the way there.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How often a target was tried.
    pub(crate) tries: u32,
    /// The name that the last of them was to let in.
    pub(crate) name: Option<String>,
}

impl<P: Decide> Session<P>
where
    P::Targets: Grant,
{
    /// Lets a client in, or says why not. A rejection that tells no more than that is held back
    /// until the delay is over, so that its time tells no more either.
    pub(crate) async fn log_in(
        &self,
        client: &mut Conversation<Front>,
        credential: &Credential,
    ) -> (Verdict, Tally) {
        let began = Instant::now();
        if client.dialogue.ttl().next().is_none() {
            return (self.refuse_circle(began).await, Tally::default());
        }
        let name = self.read_name(credential);
        let charged = match self.charge(name.as_ref().ok()).await {
            Ok(charged) => charged,
            Err(TooMany) => return (Verdict::No(Reason::TooMany), Tally::default()),
        };
        let (verdict, tally) = match name {
            Ok((name, master)) => {
                let context = Arc::new(self.context(client, credential, &name));
                let mut attempt = Attempt {
                    client,
                    credential,
                    lookup: name.lookup,
                    context,
                    master,
                    exposed: None,
                    rejected: None,
                    verified: None,
                    clear: None,
                    unverified: None,
                    committed: false,
                    tally: Tally::default(),
                };
                let verdict = self.try_until_settled(&mut attempt, began).await;
                let verdict = self.pretend(&mut attempt, verdict).await;
                settle(charged, &verdict, credential, attempt.verified.is_some());
                (verdict, attempt.tally)
            }
            Err(error) => {
                charged.failed(None);
                (Verdict::No(Reason::Name(error)), Tally::default())
            }
        };
        if let Verdict::No(reason) = &verdict
            && reason.answer() == Answer::Rejected
        {
            sleep_until(began + jittered(self.driver.settings.auth_failure_delay)).await;
        }
        (verdict, tally)
    }

    /// The session has come through as many proxies as it may: they send it in a circle. Held back like
    /// a rejected login, so that nobody who only says so fills the log.
    async fn refuse_circle(&self, began: Instant) -> Verdict {
        tracing::warn!(
            target: "waypost::login",
            session = %self.id,
            listener = &*self.entrance.kind.listener,
            client = %self.client,
            reason = Reason::Loop.kind(),
            "a session runs in a circle of proxies: look at where the policies send its user"
        );
        sleep_until(began + jittered(self.driver.settings.auth_failure_delay)).await;
        Verdict::No(Reason::Loop)
    }

    /// Goes on with SCRAM for a user who gets no further, as a server would that knows them: a
    /// refusal at the first message would tell who does not exist.
    async fn pretend(&self, attempt: &mut Attempt<'_, P::Targets>, verdict: Verdict) -> Verdict {
        let Verdict::No(reason) = &verdict else { return verdict };
        let Credential::Token { mechanism, initial_response, .. } = attempt.credential else {
            return verdict;
        };
        if !mechanism.is_scram() || attempt.committed || reason.answer() != Answer::Rejected {
            return verdict;
        }
        let salt = STANDARD.encode(self.driver.decoys.salt(attempt.lookup.address.as_str()));
        let nonce = STANDARD_NO_PAD.encode(rand::random::<[u8; 18]>());
        let Some(challenge) = scram::decoy(initial_response, &nonce, &salt) else {
            return verdict;
        };
        attempt.client.dialogue.challenge(&challenge, &mut attempt.client.out);
        match attempt.client.next().await {
            Ok(_) => verdict,
            Err(broken) => Verdict::ClientLeft(broken),
        }
    }

    /// Charges the attempt to its user and to the client's network, and holds it back for as long as
    /// the failures before it say.
    async fn charge(&self, name: Option<&(LoginName, Option<String>)>) -> Result<Charged, TooMany> {
        if !self.counted {
            return Ok(Charged::exempt());
        }
        let user = name.map(|(name, _)| name.lookup.address.as_str());
        let charged = self.process().failures.begin(user, self.client.ip())?;
        if !charged.delay().is_zero() {
            tracing::debug!(
                target: "waypost::login",
                session = %self.id, seconds = charged.delay().as_secs(),
                "a login is held back because of failures before it"
            );
            sleep(jittered(charged.delay())).await;
        }
        Ok(charged)
    }

    /// The lookup, and what follows the user's name in a master login.
    pub(crate) fn read_name(
        &self,
        credential: &Credential,
    ) -> Result<(LoginName, Option<String>), LoginNameError> {
        let names = &self.entrance.names;
        match credential {
            Credential::Password { authentication_id, authorisation_id, .. } => {
                let name = names.read(authentication_id, authorisation_id.as_deref())?;
                let master = match (&name.authentication_id, names.master_separator) {
                    (Some(master), Some(separator)) if authorisation_id.is_none() => {
                        Some(format!("{separator}{master}"))
                    }
                    _ => None,
                };
                Ok((name, master))
            }
            Credential::Token { user: name, .. }
            | Credential::Digest { user: name, .. }
            | Credential::Certificate { name } => Ok((names.read(name, None)?, None)),
        }
    }

    fn context(
        &self,
        client: &Conversation<Front>,
        credential: &Credential,
        name: &LoginName,
    ) -> Context {
        Context {
            protocol: self.entrance.kind.protocol,
            listener: self.entrance.kind.listener.clone(),
            client_address: self.client.ip(),
            encrypted: client.stream.is_encrypted(),
            mechanism: credential.mechanism().map(|mechanism| Arc::from(mechanism.as_str())),
            login_name: Some(Arc::from(credential.name())),
            authentication_id: name.authentication_id.clone(),
            certificate_name: client.dialogue.certificate_name().cloned(),
            sender: None,
            now: SystemTime::now(),
        }
    }

    /// Mail clients answer a `NO` by asking for a new password, so what may pass in a moment is
    /// tried again before they hear of it.
    async fn try_until_settled(
        &self,
        attempt: &mut Attempt<'_, P::Targets>,
        began: Instant,
    ) -> Verdict {
        let give_up = began + self.driver.settings.retry_for;
        let mut pause = FIRST_PAUSE;
        loop {
            let verdict = self.try_once(attempt).await;
            let Verdict::No(reason) = &verdict else { return verdict };
            let next = Instant::now() + jittered(pause);
            if !reason.is_temporary() || attempt.committed || next > give_up {
                return verdict;
            }
            tracing::debug!(
                target: "waypost::login",
                session = %self.id, reason = reason.kind(),
                "trying the login again"
            );
            self.driver.metrics.retried();
            sleep_until(next).await;
            pause = pause.saturating_mul(2);
        }
    }

    async fn try_once(&self, attempt: &mut Attempt<'_, P::Targets>) -> Verdict {
        let generation = self.process().generation.load_full();
        if let Some((routed, no)) = attempt.rejected.take() {
            return self.renew(&generation, routed, no, attempt).await;
        }
        let router = &self.process().router;
        let resolving = router.resolve(&generation.domains, &attempt.lookup, &attempt.context);
        let routed = match resolving.await {
            Resolution::Route(routed) => routed,
            Resolution::Refused { refusal, .. } => return Verdict::No(Reason::Refused(refusal)),
            Resolution::Unknown { .. } => return Verdict::No(Reason::UnknownUser),
            Resolution::NotServed => return Verdict::No(Reason::NotServed),
            Resolution::Temporary { trouble, .. } => return Verdict::No(Reason::Trouble(trouble)),
        };
        match self.try_route(&generation, &routed, attempt).await {
            Verdict::No(no) if no.is_rejection() && !attempt.committed => {
                self.renew(&generation, routed, no, attempt).await
            }
            verdict => verdict,
        }
    }

    /// The user may have moved since the route was learnt: asks again, and tries what has changed
    /// once. While nobody can say, nothing is tried.
    async fn renew(
        &self,
        generation: &Generation<P>,
        routed: Routed<P::Targets>,
        no: Reason,
        attempt: &mut Attempt<'_, P::Targets>,
    ) -> Verdict {
        let router = &self.process().router;
        let (lookup, context) = (&attempt.lookup, &attempt.context);
        match router.renew(&generation.domains, lookup, context, &routed).await {
            Renewal::Unchanged | Renewal::Withdrawn => Verdict::No(no),
            Renewal::Changed(routed) => {
                attempt.exposed = None;
                self.try_route(generation, &routed, attempt).await
            }
            Renewal::Temporary { trouble, .. } => {
                attempt.rejected = Some((routed, no));
                Verdict::No(Reason::Trouble(trouble))
            }
        }
    }

    /// Tries the targets of a route in order, up to the first that sees the credential, once the
    /// front has verified it where the route says so. Where all are known to be down, one login at a
    /// time may try them all the same.
    async fn try_route(
        &self,
        generation: &Generation<P>,
        routed: &Routed<P::Targets>,
        attempt: &mut Attempt<'_, P::Targets>,
    ) -> Verdict {
        if let Err(reason) = self.verify(generation, routed, attempt).await {
            return Verdict::No(reason);
        }
        let verdict = self.try_targets(generation, routed, attempt, false).await;
        match verdict {
            Verdict::No(Reason::Target(_, TargetFailure::Connect(ConnectError::AllDown))) => {
                tracing::debug!(
                    target: "waypost::login",
                    session = %self.id,
                    "every target is down: they are tried all the same"
                );
                self.try_targets(generation, routed, attempt, true).await
            }
            verdict => verdict,
        }
    }

    /// Once a target has seen the credential only that one counts, as long as the route names it.
    async fn try_targets(
        &self,
        generation: &Generation<P>,
        routed: &Routed<P::Targets>,
        attempt: &mut Attempt<'_, P::Targets>,
        last_resort: bool,
    ) -> Verdict {
        let targets = &routed.route.targets;
        let only = attempt.exposed.clone().filter(|exposed| targets.contains(exposed));
        let identity = attempt.identity(routed);
        let (verified, clear) = (attempt.verified.is_some(), attempt.clear.clone());
        let name = identity.as_deref().unwrap_or_else(|| attempt.credential.name());
        attempt.tally.name = Some(name.to_owned());
        let mut last = None;
        for target in targets.iter().filter(|target| only.as_ref().is_none_or(|o| o == *target)) {
            let identity = identity.as_deref();
            let clear = clear.as_ref();
            let settings = generation.backends.lookup(&target.host);
            let entry = &settings.settings(self.entrance.kind.protocol).entry;
            let aim =
                Aim { generation, routed, target, entry, identity, verified, clear, last_resort };
            let tried = self.try_target(&aim, attempt.client, attempt.credential).await;
            if !tried.was_skipped() {
                attempt.tally.tries = attempt.tally.tries.saturating_add(1);
            }
            match tried {
                Tried::Accepted(accepted) => {
                    let (back, accepted, address) = *accepted;
                    let way = Way::new(routed, target);
                    let arrival = Arrival {
                        mechanism: attempt.credential.mechanism(),
                        name: attempt.tally.name.take(),
                        entry: entry.name(),
                    };
                    let user = Arc::from(attempt.lookup.address.as_str());
                    let entered = Entered { back, accepted, way, arrival, user, address };
                    return Verdict::Accepted(Box::new(entered));
                }
                Tried::Rejected { rejection, challenged } => {
                    attempt.committed |= challenged;
                    attempt.exposed = Some(target.clone());
                    return Verdict::No(Reason::Rejected(rejection));
                }
                Tried::Failed { failure, exposed, challenged } => {
                    self.note_failure(target, &failure);
                    attempt.committed |= challenged;
                    let reason = Reason::Target(target.to_string(), failure);
                    if exposed {
                        attempt.exposed = Some(target.clone());
                        return Verdict::No(reason);
                    }
                    last = Some(reason);
                }
                // Only a client that has seen a challenge can take anything back.
                Tried::Cancelled => {
                    attempt.committed = true;
                    return Verdict::No(Reason::Cancelled);
                }
                Tried::ClientLeft(broken) => return Verdict::ClientLeft(broken),
            }
        }
        Verdict::No(last.unwrap_or(Reason::NoTarget))
    }

    fn note_failure(&self, target: &Target, failure: &TargetFailure) {
        self.driver.metrics.target_failed(self.entrance.kind.protocol, failure.kind());
        // Back ends like to quote the user's name.
        let clear = self.process().users.are_clear();
        let detail = if clear { failure.to_string() } else { failure.without_words() };
        macro_rules! write_line {
            ($write:ident) => {
                tracing::$write!(
                    target: "waypost::login",
                    session = %self.id, %target, reason = failure.kind(), detail,
                    "a target failed"
                )
            };
        }
        // Target health has its own line where an address goes down, and one where it is up again.
        let is_news = !failure.is_watched();
        if is_news && self.process().warned.is_due((target, failure.kind())) {
            write_line!(warn);
        } else {
            write_line!(debug);
        }
    }
}

impl<T> Attempt<'_, T> {
    /// The name to log in with, where it is not the client's own.
    fn identity(&self, routed: &Routed<T>) -> Option<String> {
        let identity = routed.route.identity.as_deref()?;
        Some(match &self.master {
            Some(master) => format!("{identity}{master}"),
            None => identity.to_owned(),
        })
    }
}

/// Says what came of an attempt. What nobody could judge costs nothing, nor does a password that
/// the front has found right.
fn settle(charged: Charged, verdict: &Verdict, credential: &Credential, verified: bool) {
    match verdict {
        Verdict::Accepted(_) => charged.succeeded(),
        Verdict::No(reason) if reason.is_failure() && !verified => {
            charged.failed(credential.password());
        }
        Verdict::No(_) | Verdict::ClientLeft(_) => drop(charged),
    }
}

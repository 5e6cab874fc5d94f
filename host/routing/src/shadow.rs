//! Policies in the shadow of those that answer: asked the same, afterwards, and compared.
//!
//! No session waits for a shadow. It is asked when the answer has been given, on a thread of its
//! own, a few at a time; what cannot be taken in is left out and counted. It does not touch the
//! route cache, nor what is known of directories that are down.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use std::{io, thread};

use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use waypost_model::{Consultation, Decision, Purpose, Refusal, Route, Trouble};
use waypost_policy::Rate;

use crate::decide::Decide;
use crate::domains::{DomainPattern, Served};
use crate::metrics::Metrics;
use crate::resolution::Resolution;
use crate::router::{DECISION_DEADLINE, Question};

/// Shadows that are asked at the same time, over all domains.
const AT_ONCE: usize = 8;
/// How many more wait for that.
const WAITING: usize = 64;
/// Log lines about differences in a second; the metrics count them all.
const LINE_RATE: u32 = 10;
/// Log lines about differences that may come at once.
const LINE_BURST: u32 = 50;

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The thread that asks shadows. It starts with the first that is to be asked.
pub(crate) struct Shadows {
    common: Arc<Common>,
    door: OnceLock<Option<mpsc::Sender<Job>>>,
}

/// What all comparisons share.
struct Common {
    metrics: Metrics,
    lines: Rate,
}

impl Shadows {
    pub(crate) fn new(metrics: Metrics) -> Self {
        let lines = Rate::new(LINE_RATE, LINE_BURST);
        Self { common: Arc::new(Common { metrics, lines }), door: OnceLock::new() }
    }

    /// Has the shadow of a domain, where it has one, asked what the domain's policies have just
    /// answered.
    pub(crate) fn follow<P: Decide>(
        &self,
        served: &Served<P>,
        question: Question<'_>,
        answered: &Resolution<P::Targets>,
    ) {
        let Some(shadow) = &served.shadow else { return };
        // With what is only so for the moment there is nothing to compare.
        let Some(word) = Word::of(answered) else { return };
        let (lookup, context) = (question.lookup.clone(), question.context.clone());
        let (policy, common) = (shadow.clone(), self.common.clone());
        let domain = served.pattern.clone();
        let job = async move {
            let decision = policy.decide(lookup.clone(), context, false);
            let said = timeout(DECISION_DEADLINE, decision).await.ok();
            let purpose = lookup.purpose;
            let user = || policy.address_for_log(&lookup.address);
            common.compare(&domain, policy.name(), purpose, user, &word, said);
        };
        let is_taken = self.door().is_some_and(|door| door.try_send(Box::pin(job)).is_ok());
        if !is_taken {
            self.common.metrics.shadow(&served.pattern, shadow.name(), "left-out");
        }
    }

    fn door(&self) -> Option<&mpsc::Sender<Job>> {
        let start = || {
            start().inspect_err(|error| {
                tracing::error!(target: "waypost::routing", %error, "no shadow can be asked");
            })
        };
        self.door.get_or_init(|| start().ok()).as_ref()
    }
}

/// Starts the thread. It ends when nothing can come any more.
fn start() -> io::Result<mpsc::Sender<Job>> {
    let (door, jobs) = mpsc::channel(WAITING);
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let work = move || runtime.block_on(work(jobs));
    thread::Builder::new().name("shadows".into()).spawn(work)?;
    Ok(door)
}

async fn work(mut jobs: mpsc::Receiver<Job>) {
    let mut asked = JoinSet::new();
    loop {
        tokio::select! {
            job = jobs.recv(), if asked.len() < AT_ONCE => match job {
                Some(job) => drop(asked.spawn(job)),
                None => return,
            },
            Some(_) = asked.join_next(), if !asked.is_empty() => {}
        }
    }
}

impl Common {
    fn compare(
        &self,
        domain: &DomainPattern,
        shadow: &Arc<str>,
        purpose: Purpose,
        user: impl FnOnce() -> String,
        word: &Word,
        said: Option<Consultation>,
    ) {
        let other = match said.map(|said| said.result) {
            Some(Ok(answer)) => Word::from(answer.decision),
            // The policy host has its own words on faults.
            Some(Err(_)) | None => return self.metrics.shadow(domain, shadow, "trouble"),
        };
        if other == *word {
            return self.metrics.shadow(domain, shadow, "same");
        }
        self.metrics.shadow(domain, shadow, "different");
        let Some(not_shown) = self.lines.pass(Instant::now()) else { return };
        tracing::info!(
            target: "waypost::routing",
            %domain,
            policy = &**shadow,
            user = user(),
            purpose = purpose.as_str(),
            answered = %word,
            shadow = %other.beside(word),
            not_shown,
            "a shadow decides otherwise"
        );
    }
}

/// What a client would notice of a decision.
#[derive(Clone, Debug)]
enum Word {
    Route(Arc<Route>),
    Refused(Refusal),
    Deferred,
}

impl Word {
    /// `None` for what is only so for the moment.
    fn of<T>(resolution: &Resolution<T>) -> Option<Self> {
        match resolution {
            Resolution::Route(routed) => Some(Self::Route(routed.route.clone())),
            Resolution::Refused { refusal, .. } => Some(Self::Refused(refusal.clone())),
            Resolution::Unknown { .. } => Some(Self::Refused(Refusal::UnknownUser)),
            Resolution::Temporary { trouble: Trouble::Deferred(_), .. } => Some(Self::Deferred),
            Resolution::NotServed | Resolution::Temporary { .. } => None,
        }
    }

    /// Says in what it differs from another, if not by what both display.
    fn beside<'a>(&'a self, other: &'a Self) -> Beside<'a> {
        Beside(self, other)
    }
}

/// As if it were the domain's only policy.
impl From<Decision> for Word {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Route(route) => Self::Route(route),
            Decision::Refuse(refusal) => Self::Refused(refusal),
            Decision::Defer(_) => Self::Deferred,
            // When all pass, there is no such user.
            Decision::Pass => Self::Refused(Refusal::UnknownUser),
        }
    }
}

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Route(one), Self::Route(other)) => one == other,
            // The words are for the log; no client hears them.
            (Self::Refused(one), Self::Refused(other)) => one.kind() == other.kind(),
            (Self::Deferred, Self::Deferred) => true,
            _ => false,
        }
    }
}

/// Targets and kinds alone: an identity names a user.
impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route(route) => {
                f.write_str("route")?;
                for (place, target) in route.targets.iter().enumerate() {
                    write!(f, "{}{target}", if place == 0 { " " } else { ", " })?;
                    if let Some(encryption) = target.encryption {
                        write!(f, " tls {}", encryption.as_str())?;
                    }
                    if let Some(name) = &target.tls_name {
                        write!(f, " tls-name {name}")?;
                    }
                }
                Ok(())
            }
            Self::Refused(refusal) => write!(f, "refuse {}", refusal.kind()),
            Self::Deferred => f.write_str("defer"),
        }
    }
}

struct Beside<'a>(&'a Word, &'a Word);

impl fmt::Display for Beside<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)?;
        if let (Word::Route(one), Word::Route(other)) = (self.0, self.1) {
            if one.identity != other.identity {
                f.write_str(" under another identity")?;
            }
            if one.verification != other.verification {
                f.write_str(" with another verification")?;
            }
        }
        Ok(())
    }
}

//! Scripted policies and the questions to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;
use waypost_model::{
    Address, Answer, Consultation, Context, ContextField, ContextReads, Decision, Failure, Fault,
    Lookup, Protocol, Purpose, Refusal, Route, Target, Trouble, Verification,
};
use waypost_routing::{
    Decide, DomainTable, Metrics, OnFault, PolicyIdentity, Renewal, Resolution, Router, Served,
    Settings,
};

type Script = dyn Fn(&Lookup, &Context) -> Consultation + Send + Sync;

/// A policy that says what the test tells it to.
pub(crate) struct Scripted {
    name: Arc<str>,
    identity: PolicyIdentity,
    targets: Arc<String>,
    script: Mutex<Arc<Script>>,
    /// Each decision takes a permit; a test that wants to hold decisions back starts with none.
    gate: Semaphore,
    asked: AtomicUsize,
}

impl Decide for Scripted {
    type Targets = String;

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn identity(&self) -> PolicyIdentity {
        self.identity
    }

    fn targets(&self) -> &Arc<Self::Targets> {
        &self.targets
    }

    async fn decide(
        &self,
        lookup: Arc<Lookup>,
        context: Arc<Context>,
        _explain: bool,
    ) -> Consultation {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let script = self.script.lock().clone();
        self.gate.acquire().await.unwrap().forget();
        script(&lookup, &context)
    }
}

impl Scripted {
    pub(crate) fn new(
        name: &str,
        script: impl Fn(&Lookup, &Context) -> Consultation + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::with_identity(name, name, script)
    }

    pub(crate) fn with_identity(
        name: &str,
        identity: &str,
        script: impl Fn(&Lookup, &Context) -> Consultation + Send + Sync + 'static,
    ) -> Arc<Self> {
        let mut digest = [0; 32];
        digest[..identity.len().min(16)].copy_from_slice(identity.as_bytes());
        Arc::new(Self {
            name: Arc::from(name),
            identity: PolicyIdentity::from_digest(&digest),
            targets: Arc::new("10.0.0.0/8".to_owned()),
            script: Mutex::new(Arc::new(script)),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            asked: AtomicUsize::new(0),
        })
    }

    /// A policy whose answers are always the same.
    pub(crate) fn always(name: &str, consultation: Consultation) -> Arc<Self> {
        Self::new(name, move |_, _| consultation.clone())
    }

    /// From now on it says something else.
    pub(crate) fn says(&self, consultation: Consultation) {
        *self.script.lock() = Arc::new(move |_, _| consultation.clone());
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Holds back all decisions from now on.
    pub(crate) fn hold(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Lets so many decisions go.
    pub(crate) fn release(&self, decisions: usize) {
        self.gate.add_permits(decisions);
    }
}

/// A router, the policies of `example.test`, and a registry to read the metrics from.
pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) table: Arc<DomainTable<Scripted>>,
    pub(crate) registry: Registry,
}

impl World {
    pub(crate) fn new(policies: &[&Arc<Scripted>]) -> Self {
        Self::with(policies, OnFault::Defer, Settings::default())
    }

    pub(crate) fn with(policies: &[&Arc<Scripted>], on_fault: OnFault, settings: Settings) -> Self {
        let mut registry = Registry::default();
        let router = Router::new(settings, Metrics::register(&mut registry));
        Self { router, table: table(policies, on_fault), registry }
    }

    pub(crate) async fn resolve(&self, name: &str) -> String {
        self.resolve_for(name, &Arc::new(context())).await
    }

    pub(crate) async fn resolve_for(&self, name: &str, context: &Arc<Context>) -> String {
        told(&self.resolution(&login(name), context).await)
    }

    pub(crate) async fn resolution(
        &self,
        lookup: &Arc<Lookup>,
        context: &Arc<Context>,
    ) -> Resolution<String> {
        self.router.resolve(&self.table, lookup, context).await
    }

    /// Resolves, and lets a back end reject what came of it.
    pub(crate) async fn renew(&self, name: &str) -> String {
        let (lookup, context) = (login(name), Arc::new(context()));
        let Resolution::Route(routed) = self.resolution(&lookup, &context).await else {
            panic!("there is no route to renew")
        };
        match self.router.renew(&self.table, &lookup, &context, &routed).await {
            Renewal::Changed(routed) => format!("changed: {}", told(&Resolution::Route(routed))),
            Renewal::Temporary { policy, trouble } => {
                format!("temporary: {policy}: {}", trouble.kind())
            }
            renewal => renewal.kind().to_owned(),
        }
    }

    /// The value of a line of the metrics, by what the line begins with.
    #[track_caller]
    pub(crate) fn metric(&self, begins_with: &str) -> u64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(begins_with));
        line.map_or(0, |value| value.trim().parse().unwrap())
    }
}

pub(crate) fn table(policies: &[&Arc<Scripted>], on_fault: OnFault) -> Arc<DomainTable<Scripted>> {
    let policies = policies.iter().map(|policy| Arc::clone(policy)).collect();
    let pattern = "example.test".parse().unwrap();
    Arc::new(DomainTable::new([Served { pattern, policies, on_fault, shadow: None }]).unwrap())
}

/// A resolution in a line: what, by whom, from where.
pub(crate) fn told<T>(resolution: &Resolution<T>) -> String {
    match resolution {
        Resolution::Route(routed) => {
            let targets: Vec<_> = routed.route.targets.iter().map(ToString::to_string).collect();
            let (policy, source) = (&routed.policy, routed.source.as_str());
            let degraded = if routed.degraded { " degraded" } else { "" };
            format!("{} by {policy} {source}{degraded}", targets.join(","))
        }
        Resolution::Refused { refusal, policy, source } => {
            format!("{} by {policy} {}", refusal.kind(), source.as_str())
        }
        Resolution::Unknown { source } => format!("unknown {}", source.as_str()),
        Resolution::NotServed => "not served".to_owned(),
        Resolution::Temporary { policy, trouble } => {
            format!("temporary by {policy}: {}", trouble.kind())
        }
    }
}

pub(crate) fn login(name: &str) -> Arc<Lookup> {
    lookup(Purpose::Login, name)
}

pub(crate) fn lookup(purpose: Purpose, name: &str) -> Arc<Lookup> {
    let domain = "example.test";
    let name = if name.contains('@') { name.to_owned() } else { format!("{name}@{domain}") };
    Arc::new(Lookup { purpose, address: Address::new(&name, None).unwrap() })
}

pub(crate) fn context() -> Context {
    Context {
        protocol: Protocol::Imap,
        listener: Arc::from("imaps"),
        client_address: [192, 0, 2, 1].into(),
        encrypted: true,
        mechanism: None,
        login_name: Some(Arc::from("user1")),
        authentication_id: None,
        certificate_name: None,
        sender: None,
        now: SystemTime::UNIX_EPOCH,
    }
}

/// A client that comes from `192.0.2.last`.
pub(crate) fn from(last: u8) -> Arc<Context> {
    Arc::new(Context { client_address: [192, 0, 2, last].into(), ..context() })
}

pub(crate) fn route(host: &str) -> Consultation {
    let target =
        Target { host: host.parse().unwrap(), port: None, encryption: None, tls_name: None };
    decision(Decision::Route(Arc::new(Route {
        targets: vec![target],
        identity: None,
        verification: Verification::ByBackend,
    })))
}

pub(crate) fn refuse(refusal: Refusal) -> Consultation {
    decision(Decision::Refuse(refusal))
}

pub(crate) fn defer(why: &str) -> Consultation {
    decision(Decision::Defer(why.to_owned()))
}

pub(crate) fn pass() -> Consultation {
    decision(Decision::Pass)
}

pub(crate) fn decision(decision: Decision) -> Consultation {
    consultation(Ok(Answer { decision, cache_for: None }))
}

pub(crate) fn failure(failure: Failure) -> Consultation {
    consultation(Err(Trouble::Failure(failure)))
}

pub(crate) fn fault(fault: Fault) -> Consultation {
    consultation(Err(Trouble::Fault(fault)))
}

pub(crate) fn unavailable() -> Consultation {
    Consultation { degraded: true, ..failure(Failure::DirectoryUnavailable) }
}

pub(crate) fn consultation(result: Result<Answer, Trouble>) -> Consultation {
    Consultation { result, reads: ContextReads::NONE, degraded: false, searches: Vec::new() }
}

pub(crate) trait Amend {
    fn cached_for(self, seconds: u64) -> Self;
    fn having_read(self, fields: &[ContextField]) -> Self;
    fn degraded(self) -> Self;
}

impl Amend for Consultation {
    fn cached_for(mut self, seconds: u64) -> Self {
        self.result.as_mut().unwrap().cache_for = Some(Duration::from_secs(seconds));
        self
    }

    fn having_read(self, fields: &[ContextField]) -> Self {
        Self { reads: fields.iter().copied().collect(), ..self }
    }

    fn degraded(self) -> Self {
        Self { degraded: true, ..self }
    }
}

pub(crate) async fn pass_time(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

/// Lets every task go as far as it can.
pub(crate) async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

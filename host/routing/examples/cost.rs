//! What a lookup costs whose answer is in the cache, and what routing adds to one whose answer is
//! not. Run with `--release`; the goal for a hit is about a microsecond.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use waypost_model::{
    Address, Answer, Consultation, Context, ContextField, ContextReads, Decision, Lookup, Protocol,
    Purpose, Route, Target, Verification,
};
use waypost_routing::{
    Decide, DomainTable, Metrics, OnFault, PolicyIdentity, Router, Served, Settings,
};

const USERS: usize = 50_000;
const ROUNDS: usize = 20;

/// Answers at once, after it has read `reads` of the context.
struct Instantly {
    name: Arc<str>,
    targets: Arc<()>,
    reads: ContextReads,
    route: Arc<Route>,
}

impl Decide for Instantly {
    type Targets = ();

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn identity(&self) -> PolicyIdentity {
        PolicyIdentity::from_digest(&[0; 32])
    }

    fn targets(&self) -> &Arc<()> {
        &self.targets
    }

    async fn decide(&self, _: Arc<Lookup>, _: Arc<Context>, _: bool) -> Consultation {
        let decision = Decision::Route(self.route.clone());
        let answer = Answer { decision, cache_for: Some(Duration::from_secs(3600)) };
        Consultation { result: Ok(answer), reads: self.reads, degraded: false, searches: vec![] }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for reads in [vec![], vec![ContextField::Protocol, ContextField::ClientAddress]] {
        let names: Vec<_> = reads.iter().map(|field| field.as_str()).collect();
        println!("a policy that reads [{}]", names.join(", "));
        runtime.block_on(measure(reads.into_iter().collect()))?;
    }
    Ok(())
}

async fn measure(reads: ContextReads) -> Result<(), Box<dyn Error>> {
    let router = Router::new(Settings::default(), Metrics::default());
    let table = table(reads)?;
    let context = Arc::new(context());

    let questions = questions()?;
    let start = Instant::now();
    for question in &questions {
        black_box(router.resolve(&table, question, &context).await);
    }
    report("not in the cache", start.elapsed(), USERS);

    // Each login brings an address of its own.
    let questions = self::questions()?;
    let start = Instant::now();
    for _ in 0..ROUNDS {
        for question in &questions {
            black_box(router.resolve(&table, question, &context).await);
        }
    }
    report("in the cache", start.elapsed(), USERS * ROUNDS);
    Ok(())
}

fn report(what: &str, took: Duration, lookups: usize) {
    println!("  {what}: {} ns", took.as_nanos() / lookups as u128);
}

fn table(reads: ContextReads) -> Result<DomainTable<Instantly>, Box<dyn Error>> {
    let target =
        Target { host: "north.test".parse()?, port: None, encryption: None, tls_name: None };
    let route =
        Route { targets: vec![target], identity: None, verification: Verification::ByBackend };
    let policy =
        Instantly { name: "policy".into(), targets: Arc::new(()), reads, route: Arc::new(route) };
    let pattern = "example.test".parse()?;
    let policies = vec![Arc::new(policy)];
    Ok(DomainTable::new([Served { pattern, policies, on_fault: OnFault::Defer, shadow: None }])?)
}

fn questions() -> Result<Vec<Arc<Lookup>>, Box<dyn Error>> {
    let question = |number| {
        let address = Address::new(&format!("user{number}@example.test"), None)?;
        Ok(Arc::new(Lookup { purpose: Purpose::Login, address }))
    };
    (0..USERS).map(question).collect()
}

fn context() -> Context {
    Context {
        protocol: Protocol::Imap,
        listener: "imaps".into(),
        client_address: [192, 0, 2, 1].into(),
        encrypted: true,
        mechanism: None,
        login_name: None,
        authentication_id: None,
        certificate_name: None,
        sender: None,
        now: SystemTime::now(),
    }
}

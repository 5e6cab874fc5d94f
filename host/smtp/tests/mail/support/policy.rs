use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use waypost_model::{
    Consultation, Context, ContextReads, Decision, Failure, Fault, Host, Lookup, Refusal, Route,
    Target, Trouble, Verification,
};
use waypost_routing::{Decide, PolicyIdentity};
use waypost_session::Grant;

/// What the policy answers for an address.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    To(Vec<SocketAddr>, Option<String>),
    Refuse(Refusal),
    Pass,
    DirectoryDown,
    Fault,
    TargetDenied,
}

/// These back ends, in this order.
pub(crate) fn to(addresses: &[SocketAddr]) -> Answer {
    Answer::To(addresses.to_vec(), None)
}

/// This back end, for another recipient.
pub(crate) fn identity(address: SocketAddr, identity: &str) -> Answer {
    Answer::To(vec![address], Some(identity.to_owned()))
}

/// A policy that a test tells what to answer.
pub(crate) struct Scripted {
    name: Arc<str>,
    grant: Arc<Loopback>,
    answers: Mutex<HashMap<String, Answer>>,
    pub(crate) asked: AtomicUsize,
    /// The senders that it was told of.
    pub(crate) senders: Mutex<Vec<Option<String>>>,
}

/// Grants 127.0.0.0/8.
#[derive(Debug)]
pub(crate) struct Loopback;

impl Grant for Loopback {
    fn allows_resolved(&self, _host: &Host, address: &IpAddr) -> bool {
        address.is_loopback()
    }
}

impl Scripted {
    pub(crate) fn new() -> Self {
        Self {
            name: Arc::from("scripted"),
            grant: Arc::new(Loopback),
            answers: Mutex::default(),
            asked: AtomicUsize::new(0),
            senders: Mutex::default(),
        }
    }

    /// From now on it answers this for `address`; for others it passes.
    pub(crate) fn answer(&self, address: &str, answer: Answer) {
        self.answers.lock().insert(address.to_owned(), answer);
    }
}

impl Decide for Scripted {
    type Targets = Loopback;

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn identity(&self) -> PolicyIdentity {
        PolicyIdentity::from_digest(&[1; 32])
    }

    fn targets(&self) -> &Arc<Loopback> {
        &self.grant
    }

    async fn decide(&self, lookup: Arc<Lookup>, context: Arc<Context>, _: bool) -> Consultation {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.senders.lock().push(context.sender.as_deref().map(str::to_owned));
        let answer = self.answers.lock().get(lookup.address.as_str()).cloned();
        let result = match answer.unwrap_or(Answer::Pass) {
            Answer::To(addresses, identity) => Ok(Decision::Route(Arc::new(Route {
                targets: addresses.iter().map(target).collect(),
                identity: identity.map(Arc::from),
                verification: Verification::ByBackend,
            }))),
            Answer::Refuse(refusal) => Ok(Decision::Refuse(refusal)),
            Answer::Pass => Ok(Decision::Pass),
            Answer::DirectoryDown => Err(Trouble::Failure(Failure::DirectoryUnavailable)),
            Answer::Fault => Err(Trouble::Fault(Fault::Cpu)),
            Answer::TargetDenied => Err(Trouble::TargetDenied("10.0.0.1".to_owned())),
        };
        Consultation {
            result: result.map(|decision| waypost_model::Answer { decision, cache_for: None }),
            reads: ContextReads::NONE,
            degraded: false,
            searches: Vec::new(),
        }
    }
}

fn target(address: &SocketAddr) -> Target {
    Target {
        host: Host::Address(address.ip()),
        port: address.port().try_into().ok(),
        encryption: None,
        tls_name: None,
    }
}

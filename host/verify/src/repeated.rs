//! Credentials that come with each request, as HTTP's do (RFC 7617).
//!
//! A program sends its password a hundred times a minute, several times at once. That is one login
//! and not a hundred: one that was right a short while ago is recognised, and neither charged nor
//! checked again; requests that bring the same one while nobody knows yet whether it is right make
//! one attempt together.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use waypost_model::{Route, Secret};

use crate::keyed::{Keyed, Print};
use crate::{Attempt, Failures, TooMany};

/// The most credentials that are recognised; a few MiB.
const MOST: usize = 50_000;

/// What is known of credentials that come again and again. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Repeated(Arc<Shared>);

struct Shared {
    keep: Duration,
    keyed: Keyed,
    right: Mutex<HashMap<Print, Right>>,
    undecided: Mutex<HashMap<Print, Weak<Joint>>>,
}

/// Stands for a user's name with a password, under a key of this process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CredentialPrint(Print);

/// A credential that has let its user in a short while ago.
#[derive(Clone, Copy, Debug)]
pub struct Right {
    /// Of the route that it was right for.
    route: u64,
    /// Half of its time is over then.
    old_at: Instant,
    until: Instant,
}

impl Right {
    /// Whether it was found right for this very route: for the same entry, checked the same way.
    pub fn is_for(&self, route: &Route) -> bool {
        self.route == hash(route)
    }

    /// Whether not even half of its time is over: it need not be noted anew yet.
    pub fn is_young(&self) -> bool {
        self.old_at > Instant::now()
    }
}

/// An attempt that all requests with the same credential from the same client make together,
/// charged once. What one of them learns decides it for all; dropped by all without a word it counts
/// as one about which nobody could say anything.
#[derive(Clone)]
#[must_use = "an attempt must be told what came of it"]
pub struct JointAttempt(Arc<Joint>);

struct Joint {
    charged: Mutex<Option<Attempt>>,
    ready_at: Instant,
    /// Where it is found as long as it is undecided.
    at: (Print, Weak<Shared>),
}

impl Repeated {
    /// Credentials are recognised for `keep` after they were right; with zero never.
    pub fn new(keep: Duration) -> Self {
        let (right, undecided) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Shared { keep, keyed: Keyed::new(), right, undecided }))
    }

    /// What a user's credential is known by.
    pub fn print(&self, user: &str, password: &Secret) -> CredentialPrint {
        CredentialPrint(self.0.keyed.print([user.as_bytes(), password.expose()]))
    }

    /// Whether it was right a short while ago.
    pub fn recall(&self, credential: CredentialPrint) -> Option<Right> {
        if self.0.keep.is_zero() {
            return None;
        }
        let right = self.0.right.lock().get(&credential.0).copied()?;
        (right.until > Instant::now()).then_some(right)
    }

    /// Notes that it is right.
    pub fn remember(&self, credential: CredentialPrint, route: &Route) {
        if self.0.keep.is_zero() {
            return;
        }
        let now = Instant::now();
        let mut right = self.0.right.lock();
        if right.len() >= MOST {
            right.retain(|_, right| right.until > now);
        }
        if right.len() >= MOST {
            // Under such a load a check more does no harm; memory without bound would.
            right.clear();
        }
        let (old_at, until) = (now + self.0.keep / 2, now + self.0.keep);
        right.insert(credential.0, Right { route: hash(route), old_at, until });
    }

    /// Notes that it is not right any more.
    pub fn forget(&self, credential: CredentialPrint) {
        self.0.right.lock().remove(&credential.0);
    }

    /// An attempt with a credential that is not recognised, charged unless another request from
    /// `client` makes the same one now. It may go on at [`JointAttempt::ready_at`].
    ///
    /// # Errors
    /// As for [`Failures::begin`].
    pub fn begin(
        &self,
        failures: &Failures,
        user: &str,
        client: IpAddr,
        credential: CredentialPrint,
    ) -> Result<JointAttempt, TooMany> {
        let text = client.to_string();
        let place = self.0.keyed.print([&credential.0.octets()[..], text.as_bytes()]);
        let mut undecided = self.0.undecided.lock();
        if let Some(joint) = undecided.get(&place).and_then(Weak::upgrade) {
            return Ok(JointAttempt(joint));
        }
        let charged = failures.begin(Some(user), client)?;
        let ready_at = Instant::now() + charged.delay();
        let at = (place, Arc::downgrade(&self.0));
        let joint = Arc::new(Joint { charged: Mutex::new(Some(charged)), ready_at, at });
        undecided.insert(place, Arc::downgrade(&joint));
        Ok(JointAttempt(joint))
    }
}

impl JointAttempt {
    /// When it may go on.
    pub fn ready_at(&self) -> Instant {
        self.0.ready_at
    }

    /// Takes what was charged, for whoever knows what is to become of it: `None` where that is
    /// decided.
    pub fn take(&self) -> Option<Attempt> {
        self.0.charged.lock().take()
    }
}

impl Drop for Joint {
    fn drop(&mut self) {
        let (place, shared) = &self.at;
        let Some(shared) = shared.upgrade() else { return };
        let mut undecided = shared.undecided.lock();
        // Another may have begun at the same place since nobody could join this one any more.
        if undecided.get(place).is_some_and(|joint| joint.strong_count() == 0) {
            undecided.remove(place);
        }
    }
}

fn hash(route: &Route) -> u64 {
    let mut hash = DefaultHasher::new();
    route.hash(&mut hash);
    hash.finish()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;
    use std::time::Duration;

    use waypost_model::{Host, Principal, Route, Secret, Target, Verification};

    use super::Repeated;
    use crate::{FailureSettings, Failures, Metrics};

    const KEEP: Duration = Duration::from_secs(30);

    fn route(dn: &str) -> Route {
        let host = Host::Address([127, 0, 0, 2].into());
        let principal = Principal { directory: "main".into(), dn: dn.into() };
        Route {
            targets: vec![Target { host, port: None, encryption: None, tls_name: None }],
            identity: None,
            verification: Verification::ByBind(principal),
        }
    }

    fn client() -> IpAddr {
        [192, 0, 2, 1].into()
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_right_is_recognised_for_a_while() {
        let repeated = Repeated::new(KEEP);
        let print = |user: &str, password: &str| repeated.print(user, &Secret::from(password));
        let ann = print("ann@a.test", "right");
        assert!(repeated.recall(ann).is_none());
        repeated.remember(ann, &route("cn=ann"));
        let right = repeated.recall(ann).unwrap();
        assert!(right.is_for(&route("cn=ann")));
        assert!(!right.is_for(&route("cn=other")), "the policy has changed its mind");
        assert!(repeated.recall(print("ann@a.test", "wrong")).is_none());
        assert!(repeated.recall(print("bob@a.test", "right")).is_none());
        assert!(Repeated::new(KEEP).recall(ann).is_none(), "another process");
        assert!(right.is_young());
        tokio::time::advance(KEEP / 2).await;
        assert!(!right.is_young());
        tokio::time::advance(KEEP / 2).await;
        assert!(repeated.recall(ann).is_none());
        repeated.remember(ann, &route("cn=ann"));
        repeated.forget(ann);
        assert!(repeated.recall(ann).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn with_zero_nothing_is_recognised() {
        let repeated = Repeated::new(Duration::ZERO);
        let ann = repeated.print("ann@a.test", &Secret::from("right"));
        repeated.remember(ann, &route("cn=ann"));
        assert!(repeated.recall(ann).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn requests_with_one_credential_are_charged_once() {
        let settings = FailureSettings { without_delay: 2, max_in_flight: 2, ..Default::default() };
        let failures = Failures::new(settings, Metrics::default());
        let repeated = Repeated::new(KEEP);
        let begin = |password: &str, client: IpAddr| {
            let print = repeated.print("ann@a.test", &Secret::from(password));
            repeated.begin(&failures, "ann@a.test", client, print)
        };
        let attempts: Vec<_> = (0..20).map(|_| begin("one", client()).unwrap()).collect();
        let other = begin("two", client()).unwrap();
        assert!(begin("three", client()).is_err(), "two are in flight");
        assert!(begin("one", [198, 51, 100, 1].into()).is_err(), "from elsewhere it is another");
        let charged = attempts[7].take().unwrap();
        charged.failed(Some(&Secret::from("one")));
        assert!(attempts[0].take().is_none(), "decided for all");
        drop((attempts, other));
        assert!(repeated.0.undecided.lock().is_empty());
        let again = begin("one", client()).unwrap();
        assert!(again.take().is_some(), "and charged anew");
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_join_wait_for_the_same_moment() {
        let settings = FailureSettings {
            without_delay: 1,
            delay: Duration::from_secs(4),
            ..Default::default()
        };
        let failures = Failures::new(settings, Metrics::default());
        failures.begin(Some("ann@a.test"), client()).unwrap().failed(None);
        let repeated = Repeated::new(KEEP);
        let print = repeated.print("ann@a.test", &Secret::from("one"));
        let begin = || repeated.begin(&failures, "ann@a.test", client(), print).unwrap();
        let first = begin();
        tokio::time::advance(Duration::from_secs(3)).await;
        let second = begin();
        assert_eq!(first.ready_at(), second.ready_at());
        assert!(Arc::ptr_eq(&first.0, &second.0));
    }
}

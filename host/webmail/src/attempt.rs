//! What a login by a request costs: charged when it starts, decided by whoever knows.
//!
//! The front knows of a password that it has checked itself. Of one that a back end checks it
//! believes a no and never a yes: a page that is open to everybody lets in who brings a wrong
//! password, too, and whoever guesses must not be able to buy forgetting with it. So a back end's
//! yes gives back what was charged, and no more.

use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use waypost_model::{Route, Secret};
use waypost_net::jittered;
use waypost_verify::{
    Attempt as Charged, CredentialPrint, Failures, JointAttempt, Repeated, Right, TooMany,
};

/// For how long a login may be undecided while a back end has the request. One that answers later
/// than this has begun something longer, as ActiveSync's Ping, which waits for up to an hour; the
/// places of undecided logins are not for that.
const UNDECIDED: Duration = Duration::from_secs(10);

/// One login by a request. Dropped without a word it counts as one about which nobody could say
/// anything.
pub(crate) struct Attempt<'a> {
    login: Option<Login<'a>>,
    /// What the credential is known by, where there is a password.
    print: Option<CredentialPrint>,
    /// The same credential was right a short while ago: then nothing is charged.
    right: Option<Right>,
    charged: Option<Charge>,
}

/// Who logs in, and with what.
#[derive(Clone, Copy)]
pub(crate) struct Login<'a> {
    pub(crate) repeated: &'a Repeated,
    pub(crate) failures: &'a Failures,
    /// The normalised address.
    pub(crate) user: &'a str,
    pub(crate) client: IpAddr,
    /// What the client says, where we can know.
    pub(crate) password: Option<&'a Secret>,
    /// Whether the client is charged at all: whether it is in none of `exempt-networks`.
    pub(crate) is_counted: bool,
}

enum Charge {
    /// Requests with the same credential make one attempt.
    Joint(JointAttempt),
    /// Nobody knows whether another makes the same.
    Alone(Charged),
}

impl<'a> Attempt<'a> {
    /// A request that is no login.
    pub(crate) const fn none() -> Self {
        Self { login: None, print: None, right: None, charged: None }
    }

    /// Begins a login: waits for as long as the failures before it say, unless it was right a short
    /// while ago.
    ///
    /// # Errors
    /// As many are undecided as may be.
    pub(crate) async fn begin(login: Login<'a>) -> Result<Self, TooMany> {
        let Login { repeated, failures, user, client, password, is_counted } = login;
        let print = password.map(|password| repeated.print(user, password));
        let right = print.and_then(|print| repeated.recall(print));
        if right.is_some() || !is_counted {
            return Ok(Self { login: Some(login), print, right, charged: None });
        }
        let (charged, delay) = match print {
            Some(print) => {
                let joint = repeated.begin(failures, user, client, print)?;
                let delay = joint.ready_at().saturating_duration_since(Instant::now());
                (Charge::Joint(joint), delay)
            }
            None => {
                let charged = failures.begin(Some(user), client)?;
                let delay = charged.delay();
                (Charge::Alone(charged), delay)
            }
        };
        if !delay.is_zero() {
            tracing::debug!(
                target: "waypost::webmail",
                seconds = delay.as_secs(),
                "a login is held back because of failures before it"
            );
            sleep(jittered(delay)).await;
        }
        Ok(Self { login: Some(login), print, right, charged: Some(charged) })
    }

    /// Whether the password was right for this very route a short while ago.
    pub(crate) fn was_right_for(&self, route: &Route) -> bool {
        self.right.is_some_and(|right| right.is_for(route))
    }

    /// The front has found the password right.
    pub(crate) fn found_right(&mut self, route: &Route) {
        if let Some(charged) = self.take() {
            charged.succeeded();
        }
        self.remember(route);
    }

    /// The back end has taken credentials that come with each request. Nobody knows whether it has
    /// looked at the password; as long as it does not say no, asking it again costs nothing.
    pub(crate) fn taken(&mut self, route: &Route) {
        drop(self.take());
        if !self.right.is_some_and(|right| right.is_for(route) && right.is_young()) {
            self.remember(route);
        }
    }

    /// Somebody who knows has said no.
    pub(crate) fn failed(&mut self) {
        let Some(login) = self.login else { return };
        if let Some(print) = self.print {
            login.repeated.forget(print);
        }
        let charged = match self.take() {
            Some(charged) => Some(charged),
            // It was right, or undecided for so long that its charge was given back.
            None if login.is_counted => login.failures.begin(Some(login.user), login.client).ok(),
            None => None,
        };
        if let Some(charged) = charged {
            charged.failed(login.password);
        }
        self.login = None;
    }

    /// Waits for a back end, and holds a place among the undecided for no longer than
    /// [`UNDECIDED`].
    pub(crate) async fn while_undecided<T>(&mut self, answering: impl Future<Output = T>) -> T {
        if self.charged.is_none() {
            return answering.await;
        }
        let mut answering = pin!(answering);
        match timeout(UNDECIDED, &mut answering).await {
            Ok(answered) => answered,
            Err(_) => {
                drop(self.take());
                answering.await
            }
        }
    }

    fn take(&mut self) -> Option<Charged> {
        match self.charged.take()? {
            Charge::Joint(joint) => joint.take(),
            Charge::Alone(charged) => Some(charged),
        }
    }

    fn remember(&self, route: &Route) {
        if let (Some(login), Some(print)) = (self.login, self.print) {
            login.repeated.remember(print, route);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use tokio::time::{Instant, sleep};
    use waypost_model::{Route, Secret, Verification};
    use waypost_verify::{FailureSettings, Failures, Metrics, Repeated};

    use super::{Attempt, Login, UNDECIDED};

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn failures(max_in_flight: u32) -> Failures {
        let settings = FailureSettings {
            without_delay: 1,
            delay: Duration::from_secs(4),
            max_in_flight,
            ..FailureSettings::default()
        };
        Failures::new(settings, Metrics::default())
    }

    fn login<'a>(
        repeated: &'a Repeated,
        failures: &'a Failures,
        password: &'a Secret,
    ) -> Login<'a> {
        let (user, password) = ("ann@a.test", Some(password));
        Login { repeated, failures, user, client: CLIENT, password, is_counted: true }
    }

    /// ActiveSync's Ping is answered after up to an hour: a house full of telephones must not fill
    /// the places of undecided logins.
    #[tokio::test(start_paused = true)]
    async fn a_request_that_waits_holds_no_place() {
        let (repeated, failures) = (Repeated::new(Duration::ZERO), failures(1));
        let (one, two) = (Secret::from("one"), Secret::from("two"));
        let mut waiting = Attempt::begin(login(&repeated, &failures, &one)).await.unwrap();
        let answered = waiting.while_undecided(sleep(Duration::from_secs(3600)));
        let others = async {
            let begin = || Attempt::begin(login(&repeated, &failures, &two));
            assert!(begin().await.is_err(), "one is undecided");
            sleep(UNDECIDED + Duration::from_secs(1)).await;
            begin().await.map(drop).unwrap();
        };
        tokio::join!(answered, others);
        // A no that comes late is a no all the same.
        waiting.failed();
        let began = Instant::now();
        drop(Attempt::begin(login(&repeated, &failures, &two)).await.unwrap());
        assert!(began.elapsed() >= Duration::from_secs(4));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_right_any_more_is_charged() {
        let (repeated, failures) = (Repeated::new(Duration::from_secs(30)), failures(0));
        let (old, new) = (Secret::from("old"), Secret::from("new"));
        repeated.remember(repeated.print("ann@a.test", &old), &route());
        let mut attempt = Attempt::begin(login(&repeated, &failures, &old)).await.unwrap();
        assert!(attempt.was_right_for(&route()));
        attempt.failed();
        let began = Instant::now();
        let attempt = Attempt::begin(login(&repeated, &failures, &new)).await.unwrap();
        assert!(began.elapsed() >= Duration::from_secs(4));
        assert!(!attempt.was_right_for(&route()));
        drop(attempt);
        let again = Attempt::begin(login(&repeated, &failures, &old)).await.unwrap();
        assert!(!again.was_right_for(&route()), "it is forgotten");
    }

    fn route() -> Route {
        Route { targets: Vec::new(), identity: None, verification: Verification::ByBackend }
    }
}

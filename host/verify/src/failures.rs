//! Failed logins, charged when they start.
//!
//! An attempt is charged to its user and to its client's network before anybody is asked, and what
//! it was charged is given back when it succeeds, or when nobody could say. So where something has
//! failed before, a hundred attempts at once are not a hundred free guesses: each sees those before
//! it, decided or not. Where nothing has failed they hold up nobody: a mail client opens several
//! connections at once, and behind one address there may be a whole house after an outage.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use thiserror::Error;
use tokio::time::Instant;
use waypost_model::Secret;

use crate::{FailureSettings, Metrics};

/// How many users and networks are remembered at most.
const MOST: usize = 200_000;
/// How many wrong passwords of one user are recognised: a client may have an old one for IMAP,
/// another for submission.
const WRONG_PASSWORDS: usize = 8;
/// The longest wait is not doubled any further.
const MOST_DOUBLINGS: u32 = 20;

/// The failed logins of users and networks. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Failures(Arc<Shared>);

struct Shared {
    settings: FailureSettings,
    metrics: Metrics,
    /// Under which a wrong password is recognised; it ends with the process.
    key: RandomState,
    sheets: Mutex<HashMap<Who, Sheet>>,
}

/// Whom an attempt is charged to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    /// By their normalised address, in lower case: whether case matters only the directory knows.
    User(Arc<str>),
    /// An IPv4 address, or the first address of an IPv6 /64.
    Network(IpAddr),
}

/// What is known of one of them.
#[derive(Debug)]
struct Sheet {
    failed: u32,
    /// Attempts that are undecided.
    in_flight: u32,
    last: Instant,
    /// The wrong passwords of a user, as keyed hashes, the latest last.
    wrong: Vec<u64>,
}

/// As many attempts as may be are undecided.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("too many logins of this user or from this network are undecided")]
pub struct TooMany;

/// An attempt under way. Dropped without a word it counts as one about which nobody could say
/// anything.
#[derive(Debug)]
#[must_use = "an attempt must be told what came of it"]
pub struct Attempt {
    failures: Option<Failures>,
    who: Vec<Who>,
    delay: Duration,
}

impl Default for Failures {
    fn default() -> Self {
        Self::new(FailureSettings::default(), Metrics::default())
    }
}

impl Failures {
    /// Nobody has failed yet.
    pub fn new(settings: FailureSettings, metrics: Metrics) -> Self {
        let shared =
            Shared { settings, metrics, key: RandomState::new(), sheets: Mutex::default() };
        Self(Arc::new(shared))
    }

    /// An attempt that starts now: `user` by their normalised address, `None` where the name cannot
    /// be one. It may go on once [`Attempt::delay`] is over.
    ///
    /// # Errors
    /// As many are undecided as may be, of the user or from the network. Nothing is charged then.
    pub fn begin(&self, user: Option<&str>, client: IpAddr) -> Result<Attempt, TooMany> {
        let Shared { settings, metrics, sheets, .. } = &*self.0;
        let now = Instant::now();
        let user = user.map(|user| Who::User(user.to_lowercase().into()));
        let who: Vec<Who> = user.into_iter().chain([Who::Network(network(client))]).collect();
        let mut sheets = sheets.lock();
        let full = |who: &Who| {
            let in_flight = sheets.get(who).map_or(0, |sheet| sheet.in_flight);
            settings.max_in_flight > 0 && in_flight >= settings.max_in_flight
        };
        if who.iter().any(full) {
            metrics.turned_away();
            return Err(TooMany);
        }
        make_room(&mut sheets, now, settings.forgotten_after);
        let mut most = 0;
        for who in &who {
            let sheet = sheets.entry(who.clone()).or_insert_with(|| Sheet::new(now));
            if sheet.is_forgotten(now, settings.forgotten_after) {
                *sheet = Sheet::new(now);
            }
            most = most.max(sheet.charged());
            sheet.in_flight = sheet.in_flight.saturating_add(1);
            sheet.last = now;
        }
        metrics.remembered(sheets.len());
        drop(sheets);
        let delay = settings.delay_after(most);
        if !delay.is_zero() {
            metrics.delayed();
        }
        Ok(Attempt { failures: Some(self.clone()), who, delay })
    }

    fn decide(&self, who: &[Who], outcome: Outcome<'_>) {
        let Shared { sheets, key, metrics, .. } = &*self.0;
        let mut sheets = sheets.lock();
        let counts = match outcome {
            Outcome::NotJudged => false,
            Outcome::Succeeded => false,
            Outcome::Failed(None) => true,
            // The same wrong password once more teaches its sender nothing: a mail client that was
            // not told of a new one tries the old one for days.
            Outcome::Failed(Some(password)) => {
                let wrong = key.hash_one(password.expose());
                let user = who.iter().find(|who| matches!(who, Who::User(_)));
                match user.and_then(|user| sheets.get_mut(user)) {
                    Some(sheet) => sheet.is_news(wrong),
                    None => true,
                }
            }
        };
        for who in who {
            let Entry::Occupied(mut sheet) = sheets.entry(who.clone()) else { continue };
            let it = sheet.get_mut();
            it.in_flight = it.in_flight.saturating_sub(1);
            it.failed = it.failed.saturating_add(u32::from(counts));
            // Who logs in has shown that the failures before were their own.
            if matches!((&outcome, who), (Outcome::Succeeded, Who::User(_))) {
                it.failed = 0;
            }
            if it.failed == 0 && it.in_flight == 0 && it.wrong.is_empty() {
                sheet.remove();
            }
        }
        metrics.remembered(sheets.len());
    }
}

/// What came of an attempt.
enum Outcome<'a> {
    Succeeded,
    NotJudged,
    Failed(Option<&'a Secret>),
}

impl Attempt {
    /// An attempt that is neither charged nor held back: from `exempt-networks`.
    pub fn exempt() -> Self {
        Self { failures: None, who: Vec::new(), delay: Duration::ZERO }
    }

    /// How long it has to wait before anybody is asked.
    pub fn delay(&self) -> Duration {
        self.delay
    }

    /// The client is in: what was charged is given back, and the user's failures are forgotten.
    pub fn succeeded(mut self) {
        self.decide(Outcome::Succeeded);
    }

    /// The client was refused. `password` is what it said, where it said one: the same wrong one
    /// again is not counted.
    pub fn failed(mut self, password: Option<&Secret>) {
        self.decide(Outcome::Failed(password));
    }

    fn decide(&mut self, outcome: Outcome<'_>) {
        if let Some(failures) = self.failures.take() {
            failures.decide(&self.who, outcome);
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.decide(Outcome::NotJudged);
    }
}

impl FailureSettings {
    /// How long an attempt waits behind so many others.
    fn delay_after(&self, charged: u32) -> Duration {
        let Some(beyond) = charged.checked_sub(self.without_delay) else { return Duration::ZERO };
        let factor = 1_u32 << beyond.min(MOST_DOUBLINGS);
        self.delay.saturating_mul(factor).min(self.max_delay)
    }
}

impl Sheet {
    fn new(now: Instant) -> Self {
        Self { failed: 0, in_flight: 0, last: now, wrong: Vec::new() }
    }

    /// What an attempt that starts now finds: nothing where nothing has failed.
    fn charged(&self) -> u32 {
        if self.failed == 0 { 0 } else { self.failed.saturating_add(self.in_flight) }
    }

    fn is_forgotten(&self, now: Instant, after: Duration) -> bool {
        self.in_flight == 0 && now.saturating_duration_since(self.last) >= after
    }

    /// Notes a wrong password, and answers whether it is another than those before.
    fn is_news(&mut self, wrong: u64) -> bool {
        let known = self.wrong.iter().position(|known| *known == wrong);
        if let Some(place) = known {
            self.wrong.remove(place);
        } else if self.wrong.len() >= WRONG_PASSWORDS {
            self.wrong.remove(0);
        }
        self.wrong.push(wrong);
        known.is_none()
    }
}

fn make_room(sheets: &mut HashMap<Who, Sheet>, now: Instant, forgotten_after: Duration) {
    if sheets.len() < MOST {
        return;
    }
    sheets.retain(|_, sheet| !sheet.is_forgotten(now, forgotten_after));
    let mut after = forgotten_after;
    // An attack with made-up names must not fill the memory; what it pushes out is the oldest.
    while sheets.len() >= MOST && !after.is_zero() {
        after /= 2;
        sheets.retain(|_, sheet| !sheet.is_forgotten(now, after));
    }
}

/// What shares a fate: an IPv6 client has a whole /64 to choose its address from.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        address @ IpAddr::V4(_) => address,
    }
}

impl std::fmt::Debug for Failures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Failures").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use waypost_model::Secret;

    use super::{Attempt, Failures, TooMany};
    use crate::{FailureSettings, Metrics};

    const ANN: Option<&str> = Some("ann@a.test");

    fn failures(max_in_flight: u32) -> Failures {
        let settings = FailureSettings {
            without_delay: 2,
            delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(5),
            forgotten_after: Duration::from_secs(600),
            max_in_flight,
        };
        Failures::new(settings, Metrics::default())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The seconds that an attempt waits; it fails then, with a password of its own.
    fn fail(failures: &Failures, user: &str, client: &str, password: &str) -> u64 {
        let attempt = failures.begin(Some(user), address(client)).unwrap();
        let delay = attempt.delay().as_secs();
        attempt.failed(Some(&Secret::from(password)));
        delay
    }

    #[tokio::test(start_paused = true)]
    async fn the_delay_grows_and_is_forgotten() {
        let failures = failures(0);
        let guess = |number: u32| {
            let client = format!("192.0.2.{number}");
            fail(&failures, "ann@a.test", &client, &format!("guess {number}"))
        };
        let delays: Vec<u64> = (1..=8).map(guess).collect();
        assert_eq!(delays, [0, 0, 1, 2, 4, 5, 5, 5], "of one user, from wherever");
        assert_eq!(fail(&failures, "bob@a.test", "192.0.2.99", "x"), 0, "nobody else is concerned");
        tokio::time::advance(Duration::from_secs(601)).await;
        assert_eq!(fail(&failures, "ann@a.test", "192.0.2.1", "x"), 0);
    }

    #[test]
    fn networks_are_charged_too() {
        let failures = failures(0);
        let delays: Vec<u64> = (0..4)
            .map(|n| fail(&failures, &format!("u{n}@a.test"), &format!("2001:db8::{n}:1"), "x"))
            .collect();
        assert_eq!(delays, [0, 0, 1, 2], "one /64");
        assert_eq!(fail(&failures, "v@a.test", "2001:db8:0:1::1", "x"), 0, "another");
        assert_eq!(fail(&failures, "w@a.test", "192.0.2.1", "x"), 0);
    }

    #[test]
    fn attempts_at_once_see_each_other_once_something_has_failed() {
        let failures = failures(0);
        fail(&failures, "ann@a.test", "192.0.2.1", "x");
        let attempts: Vec<Attempt> =
            (0..5).map(|_| failures.begin(ANN, address("192.0.2.1")).unwrap()).collect();
        let delays: Vec<u64> = attempts.iter().map(|it| it.delay().as_secs()).collect();
        assert_eq!(delays, [0, 1, 2, 4, 5]);
        // What nobody could judge is given back.
        drop(attempts);
        assert_eq!(failures.begin(ANN, address("192.0.2.1")).unwrap().delay(), Duration::ZERO);
    }

    #[test]
    fn connections_at_once_hold_up_nobody_where_nothing_has_failed() {
        let failures = failures(0);
        let start = || failures.begin(ANN, address("192.0.2.1")).unwrap();
        let attempts: Vec<Attempt> = (0..50).map(|_| start()).collect();
        assert!(attempts.iter().all(|attempt| attempt.delay().is_zero()));
        attempts.into_iter().for_each(Attempt::succeeded);
        assert!(failures.0.sheets.lock().is_empty());
    }

    #[test]
    fn success_is_free() {
        let failures = failures(0);
        for number in 0..3 {
            fail(&failures, "ann@a.test", "192.0.2.1", &number.to_string());
        }
        let attempt = failures.begin(ANN, address("192.0.2.2")).unwrap();
        assert_eq!(attempt.delay(), Duration::from_secs(2));
        attempt.succeeded();
        let attempt = failures.begin(ANN, address("192.0.2.2")).unwrap();
        assert_eq!(attempt.delay(), Duration::ZERO, "the user's failures are forgotten");
        drop(attempt);
        let attempt = failures.begin(Some("bob@a.test"), address("192.0.2.1")).unwrap();
        assert_eq!(attempt.delay(), Duration::from_secs(2), "and the network's are not");
    }

    #[test]
    fn the_same_wrong_password_is_not_counted_again() {
        let failures = failures(0);
        for _ in 0..20 {
            assert_eq!(fail(&failures, "ann@a.test", "192.0.2.1", "old"), 0);
        }
        assert_eq!(fail(&failures, "ann@a.test", "192.0.2.1", "other"), 0);
        assert_eq!(fail(&failures, "ann@a.test", "192.0.2.1", "old"), 1, "two were counted");
        // For another user it is news.
        assert_eq!(fail(&failures, "bob@a.test", "192.0.2.1", "old"), 1);
        assert_eq!(fail(&failures, "cid@a.test", "192.0.2.1", "old"), 2);
    }

    #[test]
    fn undecided_attempts_are_bounded() {
        let failures = failures(3);
        let from = |last: u32| address(&format!("192.0.2.{last}"));
        let held: Vec<Attempt> = (0..3).map(|n| failures.begin(ANN, from(n)).unwrap()).collect();
        assert_eq!(failures.begin(ANN, from(9)).unwrap_err(), TooMany);
        assert!(failures.begin(Some("bob@a.test"), from(9)).is_ok());
        drop(held);
        assert!(failures.begin(ANN, from(9)).is_ok());
    }

    #[test]
    fn nothing_is_left_of_who_did_not_fail() {
        let failures = failures(0);
        for number in 0..100 {
            let user = format!("user{number}@a.test");
            failures.begin(Some(&user), address("192.0.2.1")).unwrap().succeeded();
        }
        assert!(failures.0.sheets.lock().is_empty());
        Attempt::exempt().failed(None);
    }
}

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::time::Instant;
use waypost_model::{
    Address, Answer, Context, ContextField, ContextReads, Decision, Lookup, Protocol, Purpose,
    Refusal,
};

use super::space::MAX_VARIANTS;
use super::{Cache, Key};
use crate::decide::PolicyIdentity;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::testing::{context, other_context, route};

const POLICY: PolicyIdentity = PolicyIdentity::from_digest(&[7; 32]);

fn cache(routes: usize) -> Cache {
    let routes = NonZeroUsize::new(routes).unwrap();
    Cache::new(Settings { routes, ..Settings::default() }, &Metrics::default())
}

fn user(number: usize) -> Arc<Lookup> {
    let address = Address::new(&format!("user{number}@example.test"), None).unwrap();
    Arc::new(Lookup { purpose: Purpose::Login, address })
}

fn key(lookup: &Arc<Lookup>) -> Key<'_> {
    Key { policy: POLICY, lookup }
}

fn to(host: usize, seconds: u64) -> Answer {
    Answer {
        decision: Decision::Route(route(&format!("host{host}.test"))),
        cache_for: Some(Duration::from_secs(seconds)),
    }
}

fn store(cache: &Cache, user: &Arc<Lookup>, host: usize, now: Instant) {
    cache.store(key(user), &context(), ContextReads::NONE, &to(host, 60), now);
}

fn finds(cache: &Cache, user: &Arc<Lookup>, now: Instant) -> bool {
    cache.find(key(user), &context(), now).entry.is_some()
}

#[test]
fn an_equal_question_finds_it_though_it_is_another_copy() {
    let (cache, now) = (cache(10), Instant::now());
    store(&cache, &user(1), 1, now);
    assert!(finds(&cache, &user(1), now));
    assert!(!finds(&cache, &user(2), now));
}

#[test]
fn the_size_is_kept_and_what_is_in_use_stays() {
    let (cache, now) = (cache(100), Instant::now());
    let regular = user(0);
    store(&cache, &regular, 0, now);
    for number in 1..10_000 {
        store(&cache, &user(number), number, now);
        assert!(finds(&cache, &regular, now), "after {number}");
        assert!(cache.routes.len() <= 100);
    }
    assert_eq!(cache.routes.len(), 100);
}

#[test]
fn what_is_past_its_use_goes_first() {
    let (cache, now) = (cache(3), Instant::now());
    let (old, young) = (user(1), user(2));
    store(&cache, &old, 1, now);
    let later = now + Duration::from_secs(60 + 3599);
    assert!(finds(&cache, &old, later), "it is stale");
    store(&cache, &young, 2, later);
    store(&cache, &user(3), 3, later);
    let too_late = later + Duration::from_secs(1);
    store(&cache, &user(4), 4, too_late);
    assert!(!finds(&cache, &old, too_late));
    assert!(finds(&cache, &young, too_late));
}

#[test]
fn a_cache_in_full_use_still_takes_in_what_is_new() {
    let (cache, now) = (cache(1000), Instant::now());
    let users: Vec<_> = (0..1000).map(user).collect();
    users.iter().for_each(|user| store(&cache, user, 0, now));
    assert!(users.iter().all(|user| finds(&cache, user, now)));
    let new = user(1000);
    store(&cache, &new, 0, now);
    assert!(finds(&cache, &new, now));
    assert_eq!(cache.routes.len(), 1000);
}

#[test]
fn a_large_cache_with_many_locks_keeps_its_size_too() {
    let (cache, now) = (cache(10_000), Instant::now());
    for number in 0..30_000 {
        store(&cache, &user(number), number, now);
    }
    let len = cache.routes.len();
    assert!((9_000..=10_000).contains(&len), "{len}");
}

#[test]
fn one_address_has_a_bounded_number_of_variants() {
    let (cache, now) = (cache(1000), Instant::now());
    let (user, reads) = (user(1), ContextReads::from_iter([ContextField::ClientAddress]));
    let client = |number: u8| Context { client_address: [192, 0, 2, number].into(), ..context() };
    for number in 0..200 {
        let now = now + Duration::from_secs(number.into());
        cache.store(key(&user), &client(number), reads, &to(1, 3600), now);
    }
    assert_eq!(cache.routes.len(), MAX_VARIANTS);
    let later = now + Duration::from_secs(200);
    let found = |number| cache.find(key(&user), &client(number), later).entry.is_some();
    assert!(found(199) && !found(0), "the youngest are kept");
}

#[test]
fn what_decisions_read_is_known_to_whoever_asks_next() {
    let (cache, now) = (cache(10), Instant::now());
    let reads = ContextReads::from_iter([ContextField::Protocol, ContextField::Now]);
    cache.store(key(&user(1)), &context(), reads, &to(1, 60), now);
    let known = cache.find(key(&user(1)), &other_context(), now);
    assert!(known.entry.is_none());
    assert_eq!(known.reads, ContextReads::from_iter([ContextField::Protocol]));
}

/// What a naive cache knows: everything that was stored, looked through from the start.
struct Model(Vec<Stored>);

struct Stored {
    user: usize,
    context: Context,
    reads: ContextReads,
    answer: Answer,
    until: Instant,
}

impl Stored {
    fn is_for(&self, user: usize, context: &Context) -> bool {
        let same =
            |field| field == ContextField::Now || self.context.value(field) == context.value(field);
        self.user == user && self.reads.iter().all(same)
    }
}

impl Model {
    fn store(&mut self, stored: Stored) {
        self.0.retain(|former| !former.is_for(stored.user, &stored.context));
        self.0.push(stored);
    }

    fn find(&self, user: usize, context: &Context, now: Instant) -> Option<&Decision> {
        let of_use = |stored: &&Stored| stored.is_for(user, context) && now < stored.until;
        self.0.iter().rfind(of_use).map(|stored| &stored.answer.decision)
    }
}

prop_compose! {
    /// Few values for each field, so that equal ones are common.
    fn contexts()(
        protocol in 0..2_usize,
        listener in 0..2_u8,
        client in 1..3_u8,
        encrypted: bool,
        mechanism: Option<bool>,
        login_name: Option<bool>,
        sender: Option<bool>,
    ) -> Context {
        let text = |value: Option<bool>| value.map(|value| Arc::from(value.to_string()));
        Context {
            protocol: Protocol::ALL[protocol],
            listener: listener.to_string().into(),
            client_address: [192, 0, 2, client].into(),
            encrypted,
            mechanism: text(mechanism),
            login_name: text(login_name),
            sender: text(sender),
            ..context()
        }
    }
}

fn reads() -> impl Strategy<Value = ContextReads> {
    vec(prop::sample::select(ContextField::ALL.as_slice()), 0..4)
        .prop_map(|fields| fields.into_iter().collect())
}

proptest! {
    /// Two contexts that differ in a read field never share an entry; two that do not, do.
    #[test]
    fn it_finds_what_a_naive_cache_finds(
        steps in vec((0..3_usize, contexts(), reads(), prop::option::of(0..30_u64)), 1..60),
        askers in vec((0..3_usize, contexts()), 1..20),
    ) {
        // Only routes and nothing stale, for the model knows neither.
        let settings = Settings { stale_for: Duration::ZERO, ..Settings::default() };
        let cache = Cache::new(settings, &Metrics::default());
        let mut model = Model(Vec::new());
        let mut now = Instant::now();
        for (host, (number, context, reads, seconds)) in steps.into_iter().enumerate() {
            let answer = to(host, seconds.unwrap_or(60));
            cache.store(key(&user(number)), &context, reads, &answer, now);
            let until = now + Duration::from_secs(seconds.unwrap_or(60));
            model.store(Stored { user: number, context, reads, answer, until });
            now += Duration::from_secs(1);
        }
        for (number, context) in askers {
            let known = cache.find(key(&user(number)), &context, now).entry;
            let decision = known.as_ref().map(|entry| &entry.decision);
            prop_assert_eq!(decision, model.find(number, &context, now));
        }
    }

    /// A route and a no for the same asker do not stand beside each other.
    #[test]
    fn the_last_word_counts(said in vec((any::<bool>(), contexts(), reads()), 1..20)) {
        let (cache, mut now) = (cache(1000), Instant::now());
        let user = user(1);
        for (is_route, context, reads) in said {
            now += Duration::from_millis(1);
            let cache_for = Some(Duration::from_secs(20));
            let no = Answer { decision: Decision::Refuse(Refusal::Denied), cache_for };
            let answer = if is_route { to(1, 60) } else { no };
            cache.store(key(&user), &context, reads, &answer, now);
            let found = cache.find(key(&user), &context, now).entry.unwrap().decision;
            prop_assert_eq!(found, answer.decision);
        }
    }
}

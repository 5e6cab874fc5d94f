use std::num::NonZeroUsize;
use std::time::Duration;

use waypost_routing::Settings;

use crate::read::{Section, Setting, Table};

static CACHE_FOR: Setting<Duration> = Setting::with_default(
    "cache-for",
    "\"60s\"",
    "How long a route is reused whose policy does not say. Zero keeps nothing that a policy did \
     not ask to be kept. A day is the most that either may say.",
);
static NEGATIVE_FOR: Setting<Duration> = Setting::with_default(
    "negative-for",
    "\"30s\"",
    "How long it is remembered at most that a policy refused, deferred or passed, whatever it says.",
);
static STALE_FOR: Setting<Duration> = Setting::with_default(
    "stale-for",
    "\"1h\"",
    "How long after its time a route is still used while the directory cannot be asked. Zero \
     switches that off.",
);
static ROUTES: Setting<NonZeroUsize> =
    Setting::with_default("routes", "100000", "How many routes are kept, about 300 octets each.");
static NEGATIVES: Setting<NonZeroUsize> = Setting::with_default(
    "negatives",
    "10000",
    "How many refusals, passes and deferrals are kept. They never displace a route.",
);

pub(crate) static CACHE: Section = Section {
    header: "cache",
    about: "The route cache: what policies decided, for whoever asks the same.",
    settings: &[&CACHE_FOR, &NEGATIVE_FOR, &STALE_FOR, &ROUTES, &NEGATIVES],
};

pub(crate) fn read(table: &Table<'_>) -> Settings {
    Settings {
        cache_for: table.get(&CACHE_FOR),
        negative_for: table.get(&NEGATIVE_FOR),
        stale_for: table.get(&STALE_FOR),
        routes: table.get(&ROUTES),
        negatives: table.get(&NEGATIVES),
    }
}

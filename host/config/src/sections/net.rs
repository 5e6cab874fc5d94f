use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use waypost_net::health::HealthSettings;
use waypost_net::resolve::ResolverSettings;

use crate::read::{Section, Setting, Table};
use crate::value::{AnyPath, Period};

static SERVERS: Setting<Vec<SocketAddr>> = Setting::optional(
    "servers",
    "[\"192.0.2.53:53\"]",
    "those of /etc/resolv.conf",
    "The name servers.",
);
static HOSTS_FILE: Setting<AnyPath> = Setting::with_default(
    "hosts-file",
    "\"/etc/hosts\"",
    "Names for which no name server is asked. It need not exist.",
);
static TIMEOUT: Setting<Period> =
    Setting::with_default("timeout", "\"5s\"", "For one question with all its repetitions.");
static MIN_TTL: Setting<Duration> = Setting::with_default(
    "min-ttl",
    "\"1s\"",
    "An answer with a shorter time is kept this long all the same.",
);
static MAX_TTL: Setting<Period> = Setting::with_default(
    "max-ttl",
    "\"1h\"",
    "An answer with a longer time is kept only this long.",
);
static NEGATIVE_TTL: Setting<Duration> = Setting::with_default(
    "negative-ttl",
    "\"5s\"",
    "How long it is remembered that a name, or an address of it, does not exist.",
);
static STALE_FOR: Setting<Duration> = Setting::with_default(
    "stale-for",
    "\"1h\"",
    "How long addresses are used after their time while no name server answers.",
);
static NAMES: Setting<NonZeroUsize> =
    Setting::with_default("names", "4096", "How many names are remembered.");

pub(crate) static RESOLVER: Section = Section {
    header: "resolver",
    about: "How the names of targets become addresses.",
    settings: &[
        &SERVERS,
        &HOSTS_FILE,
        &TIMEOUT,
        &MIN_TTL,
        &MAX_TTL,
        &NEGATIVE_TTL,
        &STALE_FOR,
        &NAMES,
    ],
};

pub(crate) fn read_resolver(table: &Table<'_>) -> ResolverSettings {
    let settings = ResolverSettings {
        servers: table.find(&SERVERS),
        hosts_file: table.get(&HOSTS_FILE).0,
        deadline: table.get(&TIMEOUT).0,
        min_ttl: table.get(&MIN_TTL),
        max_ttl: table.get(&MAX_TTL).0,
        negative_ttl: table.get(&NEGATIVE_TTL),
        stale_for: table.get(&STALE_FOR),
        max_names: table.get(&NAMES).get(),
        ..ResolverSettings::default()
    };
    if settings.servers.as_ref().is_some_and(Vec::is_empty) {
        table.error(&SERVERS, "expected at least one server");
    }
    if settings.min_ttl > settings.max_ttl {
        table.error(&MIN_TTL, "this is longer than max-ttl");
    }
    settings
}

static FIRST_PROBE: Setting<Period> = Setting::with_default(
    "first-probe",
    "\"500ms\"",
    "How long after an address has failed it is tried again for the first time. No login waits \
     for it until such a probe has succeeded.",
);
static MAX_INTERVAL: Setting<Period> = Setting::with_default(
    "max-interval",
    "\"10s\"",
    "The interval doubles with each probe up to this.",
);

pub(crate) static HEALTH: Section = Section {
    header: "health",
    about: "How back ends that failed are found up again.",
    settings: &[&FIRST_PROBE, &MAX_INTERVAL],
};

pub(crate) fn read_health(table: &Table<'_>) -> HealthSettings {
    let settings = HealthSettings {
        first_probe: table.get(&FIRST_PROBE).0,
        max_interval: table.get(&MAX_INTERVAL).0,
        ..HealthSettings::default()
    };
    if settings.first_probe > settings.max_interval {
        table.error(&FIRST_PROBE, "this is longer than max-interval");
    }
    settings
}

use std::num::NonZeroUsize;
use std::time::Duration;

use waypost_verify::Settings;

use crate::read::{Section, Setting, Table};
use crate::value::{Octets, Period};

static VERIFIED_FOR: Setting<Duration> = Setting::with_default(
    "verified-for",
    "\"30s\"",
    "How long a password that was right is not checked again. Stored passwords are read each time all \
     the same, so that only binds and costly hashes are spared, and a change of the stored value or \
     of the policy's answer counts at once; but not for requests by HTTP, which bring it again and \
     again. Zero checks each time.",
);
static THREADS: Setting<NonZeroUsize> = Setting::optional(
    "threads",
    "2",
    "half the processors, at least one",
    "How many costly hashes may be computed at once; more wait.",
);
static MEMORY: Setting<Octets> = Setting::with_default(
    "memory",
    "\"512MiB\"",
    "How much memory they may take together: Argon2 demands what the stored value says.",
);
static TIMEOUT: Setting<Period> = Setting::with_default(
    "timeout",
    "\"5s\"",
    "How long checking one password may take, waiting for its turn included.",
);

pub(crate) static VERIFICATION: Section = Section {
    header: "verification",
    about: "How the front checks passwords, where a policy asks for it.",
    settings: &[&VERIFIED_FOR, &THREADS, &MEMORY, &TIMEOUT],
};

pub(crate) fn read(table: &Table<'_>) -> Settings {
    let usual = Settings::default();
    Settings {
        verified_for: table.get(&VERIFIED_FOR),
        threads: table.find(&THREADS).unwrap_or(usual.threads),
        memory: u64::try_from(table.get(&MEMORY).0).unwrap_or(usual.memory),
        timeout: table.get(&TIMEOUT).0,
    }
}

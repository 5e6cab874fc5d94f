use std::time::Duration;

use waypost_login::Settings;
use waypost_model::Secret;
use waypost_verify::FailureSettings;
use waypost_wire::login::Mechanism;

use crate::read::{Section, Setting, Table};
use crate::value::{Period, SecretValue};

/// What `[login]` says, for the driver, for every front and for the names of users.
pub(crate) struct Login {
    pub(crate) settings: Settings,
    pub(crate) failures: FailureSettings,
    pub(crate) mechanisms: Vec<Mechanism>,
    pub(crate) apop: bool,
    pub(crate) scram_key: Option<Secret>,
    pub(crate) max_auth_errors: u8,
    pub(crate) max_errors: u8,
    pub(crate) master_separator: Option<char>,
    pub(crate) authorisation_id: bool,
}

static TIMEOUT: Setting<Period> = Setting::with_default(
    "timeout",
    "\"3m\"",
    "How long a client may be connected without having logged in.",
);
static AUTH_FAILURE_DELAY: Setting<Duration> = Setting::with_default(
    "auth-failure-delay",
    "\"2s\"",
    "How long after the credential a rejected login is answered, with up to a quarter more by \
     chance; later if the back end takes longer. Nobody learns from the time who exists.",
);
static RETRY_FOR: Setting<Duration> = Setting::with_default(
    "retry-for",
    "\"10s\"",
    "How long a login that could only get a temporary error is tried again inside Waypost before \
     the client hears of it: mail clients answer a no by asking for a new password.",
);
static MECHANISMS: Setting<Vec<Mechanism>> = Setting::with_default(
    "mechanisms",
    "[\"plain\", \"login\", \"xoauth2\", \"oauthbearer\"]",
    "The SASL mechanisms to offer, beside the protocols' own logins. Token mechanisms need back \
     ends that speak them. cram-md5 needs policies with verification by password, and passwords that \
     the directory stores in clear; scram-sha-1 and scram-sha-256 are passed through, need back ends \
     that speak them without channel binding, and routes that keep the name: so they are off.",
);
static SCRAM_KEY: Setting<SecretValue> = Setting::optional(
    "scram-key",
    "{ file = \"scram.key\" }",
    "it changes with each start",
    "The key from which users whom nobody knows get their salts, so that SCRAM does not tell who \
     exists. The same on all nodes.",
);
static APOP: Setting<bool> = Setting::with_default(
    "apop",
    "false",
    "Whether POP3 offers APOP, which needs the same as cram-md5.",
);
static MAX_AUTH_ERRORS: Setting<u8> = Setting::with_default(
    "max-auth-errors",
    "5",
    "A connection ends with this many rejected logins.",
);
static MAX_ERRORS: Setting<u8> = Setting::with_default(
    "max-errors",
    "10",
    "A connection ends with this many commands that are none.",
);
static FAILURES_WITHOUT_DELAY: Setting<u32> = Setting::with_default(
    "failures-without-delay",
    "5",
    "How many failed logins of one user, or from one network (an IPv4 address, an IPv6 /64), cost \
     nothing but auth-failure-delay. The same wrong password of a user again is not counted, and \
     clients in exempt-networks never are.",
);
static FAILURE_DELAY: Setting<Duration> = Setting::with_default(
    "failure-delay",
    "\"1s\"",
    "How long the next attempt waits before anybody is asked; each further failure doubles it.",
);
static MAX_FAILURE_DELAY: Setting<Duration> =
    Setting::with_default("max-failure-delay", "\"15s\"", "The longest such wait.");
static FAILURES_FORGOTTEN_AFTER: Setting<Period> = Setting::with_default(
    "failures-forgotten-after",
    "\"15m\"",
    "A user or network without a further failure for so long begins anew.",
);
static MAX_ATTEMPTS_IN_FLIGHT: Setting<u32> = Setting::with_default(
    "max-attempts-in-flight",
    "100",
    "How many logins of one user, or from one network, may be undecided at once; further ones get a \
     temporary error, on the web 429. Zero is no limit.",
);
static MASTER_SEPARATOR: Setting<char> = Setting::optional(
    "master-separator",
    "\"*\"",
    "names are not split",
    "Splits a login name such as user*master: the session is routed by the user, and the back end \
     checks the password of the master.",
);
static AUTHORISATION_ID: Setting<bool> = Setting::with_default(
    "authorisation-id",
    "false",
    "Whether SASL clients may ask for another user's mailbox with an authorisation identity: the \
     session is routed by it, and the back end decides whether they may.",
);

pub(crate) static LOGIN: Section = Section {
    header: "login",
    about: "How logins are treated, on every listener.",
    settings: &[
        &TIMEOUT,
        &AUTH_FAILURE_DELAY,
        &RETRY_FOR,
        &MECHANISMS,
        &APOP,
        &SCRAM_KEY,
        &MAX_AUTH_ERRORS,
        &MAX_ERRORS,
        &FAILURES_WITHOUT_DELAY,
        &FAILURE_DELAY,
        &MAX_FAILURE_DELAY,
        &FAILURES_FORGOTTEN_AFTER,
        &MAX_ATTEMPTS_IN_FLIGHT,
        &MASTER_SEPARATOR,
        &AUTHORISATION_ID,
    ],
};

pub(crate) fn read(table: &Table<'_>) -> Login {
    let login = Login {
        settings: Settings {
            timeout: table.get(&TIMEOUT).0,
            auth_failure_delay: table.get(&AUTH_FAILURE_DELAY),
            retry_for: table.get(&RETRY_FOR),
        },
        failures: FailureSettings {
            without_delay: table.get(&FAILURES_WITHOUT_DELAY),
            delay: table.get(&FAILURE_DELAY),
            max_delay: table.get(&MAX_FAILURE_DELAY),
            forgotten_after: table.get(&FAILURES_FORGOTTEN_AFTER).0,
            max_in_flight: table.get(&MAX_ATTEMPTS_IN_FLIGHT),
        },
        mechanisms: table.get(&MECHANISMS),
        apop: table.get(&APOP),
        scram_key: table.find(&SCRAM_KEY).map(|key| key.0),
        max_auth_errors: table.get(&MAX_AUTH_ERRORS),
        max_errors: table.get(&MAX_ERRORS),
        master_separator: table.find(&MASTER_SEPARATOR),
        authorisation_id: table.get(&AUTHORISATION_ID),
    };
    for (setting, value) in
        [(&MAX_AUTH_ERRORS, login.max_auth_errors), (&MAX_ERRORS, login.max_errors)]
    {
        if value == 0 {
            table.error(setting, "this cannot be zero: nobody would be let in");
        }
    }
    if matches!(login.master_separator, Some('@')) {
        table.error(&MASTER_SEPARATOR, "@ parts a name from its domain and nothing else");
    }
    login
}

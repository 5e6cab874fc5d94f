use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use waypost_webmail::Settings;

use super::identification::{
    self, ADDRESS_PARAMETER, API_PATHS, COOKIE_LIFETIME, DECOYS, KEY_FILE, LOG_OUT, LOGIN_FORMS,
    PAGE,
};
use crate::read::{Section, Setting, Table};
use crate::value::{NetworkList, Octets, Period};

static REALM: Setting<String> = Setting::with_default(
    "realm",
    "\"Webmail\"",
    "What a program shows its user when it asks for a name and a password.",
);
static TRUSTED_PROXIES: Setting<NetworkList> = Setting::with_default(
    "trusted-proxies",
    "[]",
    "Proxies in front that speak HTTP: what they say of the client in X-Forwarded-For and \
     X-Forwarded-Proto, or else in Forwarded, is believed, and goes on to the back end. It is read \
     from the right: the client is the first who is none of these proxies, and came by TLS if the \
     proxy that it met says so. What anybody else says there is \
     dropped. Balancers that send a PROXY header stand in proxy-protocol-from of the listener.",
);
static HEADER_TIMEOUT: Setting<Period> = Setting::with_default(
    "header-timeout",
    "\"10s\"",
    "How long each of these may take: a TLS handshake, the first octet behind it, the head of an \
     HTTP/1.1 request from its first octet to its last, which is answered with 408 when it is late, \
     and an HTTP/2 client to show that it is still there.",
);
static KEEP_ALIVE: Setting<Period> = Setting::with_default(
    "keep-alive",
    "\"75s\"",
    "How long a client's connection may wait for its next request.",
);
static STALL_TIMEOUT: Setting<Period> = Setting::with_default(
    "stall-timeout",
    "\"60s\"",
    "How long a body may come no further, or a peer may take nothing of one.",
);
static ANSWER_TIMEOUT: Setting<Period> = Setting::with_default(
    "answer-timeout",
    "\"2m\"",
    "How long a back end may take from the end of a request to the beginning of its answer.",
);
static PUSH_TIMEOUT: Setting<Period> = Setting::with_default(
    "push-timeout",
    "\"65m\"",
    "The same below /Microsoft-Server-ActiveSync, where clients ask to be told when something \
     happens, within up to an hour.",
);
static TUNNEL_TIMEOUT: Setting<Period> = Setting::with_default(
    "tunnel-timeout",
    "\"1h\"",
    "How long a WebSocket may be silent in both directions.",
);
static MAX_HEADER_SIZE: Setting<Octets> = Setting::with_default(
    "max-header-size",
    "\"32KiB\"",
    "The longest head of a request. A longer one is answered with 431.",
);
static MAX_HEADERS: Setting<NonZeroUsize> =
    Setting::with_default("max-headers", "100", "The most fields in the head of a request.");
static MAX_BODY_SIZE: Setting<Octets> = Setting::with_default(
    "max-body-size",
    "\"128MiB\"",
    "The longest body of a request. A longer one is answered with 413. Bodies are never kept in \
     memory, whatever their length.",
);
static MAX_STREAMS: Setting<NonZeroU32> = Setting::with_default(
    "max-streams",
    "100",
    "How many requests one HTTP/2 connection may have under way.",
);
static MAX_REQUESTS: Setting<NonZeroUsize> = Setting::with_default(
    "max-requests",
    "10000",
    "How many requests may be under way in the whole process. Further ones are answered with 503.",
);
static MAX_REQUESTS_PER_USER: Setting<NonZeroUsize> = Setting::with_default(
    "max-requests-per-user",
    "100",
    "How many of them may be one user's. Further ones are answered with 429.",
);
static IDLE_BACKENDS: Setting<NonZeroUsize> = Setting::with_default(
    "idle-backends",
    "64",
    "How many connections with one back end each worker keeps open for requests to come.",
);
static IDLE_BACKEND_TIMEOUT: Setting<Period> = Setting::with_default(
    "idle-backend-timeout",
    "\"4s\"",
    "For how long it keeps one. It should be less than the back ends' own time, which for Apache is \
     5s: a request that crosses a back end's close can only be sent again where that does no harm.",
);
static BACKEND_AGE: Setting<Period> = Setting::with_default(
    "backend-age",
    "\"10m\"",
    "No connection with a back end takes a further request after this, so that a name that means \
     another address by now is noticed.",
);

pub(crate) static WEBMAIL: Section = Section {
    header: "webmail",
    about: "Webmail, on every listener for it.",
    settings: &[
        &KEY_FILE,
        &COOKIE_LIFETIME,
        &LOGIN_FORMS,
        &LOG_OUT,
        &ADDRESS_PARAMETER,
        &API_PATHS,
        &DECOYS,
        &PAGE,
        &REALM,
        &TRUSTED_PROXIES,
        &HEADER_TIMEOUT,
        &KEEP_ALIVE,
        &STALL_TIMEOUT,
        &ANSWER_TIMEOUT,
        &PUSH_TIMEOUT,
        &TUNNEL_TIMEOUT,
        &MAX_HEADER_SIZE,
        &MAX_HEADERS,
        &MAX_BODY_SIZE,
        &MAX_STREAMS,
        &MAX_REQUESTS,
        &MAX_REQUESTS_PER_USER,
        &IDLE_BACKENDS,
        &IDLE_BACKEND_TIMEOUT,
        &BACKEND_AGE,
    ],
};

/// What `[webmail]` says, with what is checked once everything is read.
pub(crate) struct Webmail {
    pub(crate) settings: Settings,
    /// Where its login forms stand, or would.
    pub(crate) forms_key: String,
    pub(crate) forms_span: Range<usize>,
}

/// `auth_failure_delay` is that of `[login]`.
pub(crate) fn read(
    table: &Table<'_>,
    hostname: &Arc<str>,
    auth_failure_delay: Duration,
) -> Webmail {
    Webmail {
        settings: read_settings(table, hostname, auth_failure_delay),
        forms_key: table.key_of(LOGIN_FORMS.key),
        forms_span: table.span_of(&LOGIN_FORMS),
    }
}

fn read_settings(table: &Table<'_>, hostname: &Arc<str>, auth_failure_delay: Duration) -> Settings {
    Settings {
        hostname: hostname.clone(),
        auth_failure_delay,
        realm: table.get(&REALM).into(),
        trusted_proxies: table.get(&TRUSTED_PROXIES).0,
        header_timeout: table.get(&HEADER_TIMEOUT).0,
        keep_alive: table.get(&KEEP_ALIVE).0,
        stall_timeout: table.get(&STALL_TIMEOUT).0,
        answer_timeout: table.get(&ANSWER_TIMEOUT).0,
        push_timeout: table.get(&PUSH_TIMEOUT).0,
        tunnel_timeout: table.get(&TUNNEL_TIMEOUT).0,
        max_header_size: at_least(table, &MAX_HEADER_SIZE, 8 << 10),
        max_headers: table.get(&MAX_HEADERS).get(),
        max_body_size: table.get(&MAX_BODY_SIZE).0 as u64,
        max_streams: table.get(&MAX_STREAMS).get(),
        max_requests: table.get(&MAX_REQUESTS).get(),
        max_requests_per_user: table.get(&MAX_REQUESTS_PER_USER).get(),
        idle_backends: table.get(&IDLE_BACKENDS),
        idle_backend_timeout: table.get(&IDLE_BACKEND_TIMEOUT).0,
        backend_age: table.get(&BACKEND_AGE).0,
        identification: identification::read(table),
    }
}

/// Browsers send several cookies of up to 4 KiB each (RFC 6265 section 6.1).
fn at_least(table: &Table<'_>, setting: &'static Setting<Octets>, least: usize) -> usize {
    let octets = table.get(setting).0;
    if octets < least || octets > 1 << 20 {
        table.error(setting, "expected 8KiB to 1MiB");
        return least;
    }
    octets
}

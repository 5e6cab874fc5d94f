use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use waypost_model::{Address, Domain, HostPort, Target};
use waypost_smtp::{Settings, Split};

use crate::read::{Section, Setting, Table};
use crate::value::{NetworkList, Octets, Period};

/// What `[smtp]` says, with what is checked once everything is read.
pub(crate) struct Smtp {
    /// `None` without a postmaster.
    pub(crate) settings: Option<Settings>,
    /// Nobody says who that is, not even wrongly.
    pub(crate) lacks_postmaster: bool,
    pub(crate) key: String,
    pub(crate) span: Range<usize>,
    pub(crate) postmaster_span: Range<usize>,
}

static POSTMASTER: Setting<Address> = Setting::optional(
    "postmaster",
    "\"postmaster@example.test\"",
    "there can be no listener for smtp or lmtp",
    "Who gets mail for Postmaster without a domain, which every mail server must take, and who \
     stands behind reports of failed deliveries.",
);
static MAX_MESSAGE_SIZE: Setting<Octets> =
    Setting::with_default("max-message-size", "\"50MiB\"", "The largest message that is taken.");
static MAX_RECIPIENTS: Setting<NonZeroUsize> = Setting::with_default(
    "max-recipients",
    "1000",
    "Recipients of one message; further ones are deferred, and clients send them separately.",
);
static MAX_RECEIVED: Setting<usize> = Setting::with_default(
    "max-received",
    "100",
    "A message with more Received fields runs in a circle and is refused.",
);
static MAX_ERRORS: Setting<NonZeroUsize> =
    Setting::with_default("max-errors", "20", "A session ends with this many rejected commands.");
static MAX_TRANSACTIONS: Setting<NonZeroUsize> = Setting::with_default(
    "max-transactions",
    "1000",
    "How many messages one session may bring before the client must connect anew.",
);
static RECIPIENT_DELIMITER: Setting<char> = Setting::optional(
    "recipient-delimiter",
    "\"+\"",
    "addresses have no tags",
    "What starts the tag of a sub-address such as user+tag. The whole address is asked for first, \
     then the one without its tag; the back end gets the address with it.",
);
static SPLIT: Setting<Split> = Setting::with_default(
    "split",
    "\"spool\"",
    "What happens to a message whose recipients live on several back ends. spool: all get it while \
     the client waits, and a copy is kept until each has decided; recipients of messages whose \
     sender could not be told of a failure are deferred all the same. defer: recipients on a second \
     back end are deferred, the client sends the message again, and nothing is ever stored.",
);
static REPORT_NETWORKS: Setting<NetworkList> = Setting::with_default(
    "report-networks",
    "[]",
    "Clients that are trusted to name true senders, such as a scanner in front: failures are \
     reported to those senders through relay, whatever their domain.",
);
static RELAY: Setting<HostPort> = Setting::optional(
    "relay",
    "\"relay.example.test:25\"",
    "only senders of served domains get reports",
    "Where reports go whose recipient no policy serves. How it is spoken with stands in [backend], \
     as for other targets, under smtp.",
);
static ANSWER_WITHIN: Setting<Period> = Setting::with_default(
    "answer-within",
    "\"60s\"",
    "After how long from the end of a message that goes to several back ends its client is \
     answered: who has not decided by then is tried again later.",
);
static STALL_TIMEOUT: Setting<Period> = Setting::with_default(
    "stall-timeout",
    "\"30s\"",
    "How long a back end may take nothing of a message before it counts as lost.",
);
static REPLY_TIMEOUT: Setting<Period> = Setting::with_default(
    "reply-timeout",
    "\"570s\"",
    "After how long from the end of a message that goes to one back end its client is answered in \
     any case. Clients wait for ten minutes (RFC 5321).",
);
static COMMAND_TIMEOUT: Setting<Period> = Setting::with_default(
    "command-timeout",
    "\"5m\"",
    "How long a client may be silent between commands. RFC 5321 promises clients five minutes.",
);
static DATA_TIMEOUT: Setting<Period> = Setting::with_default(
    "data-timeout",
    "\"3m\"",
    "How long a client may be silent within a message. RFC 5321 promises clients three minutes.",
);
static EXPIRE_AFTER: Setting<Period> = Setting::with_default(
    "expire-after",
    "\"5d\"",
    "How long delivery of a kept message is tried before its sender is told of the failure.",
);
static RETRY_AFTER: Setting<Period> = Setting::with_default(
    "retry-after",
    "\"1m\"",
    "The first pause before a kept message is tried again; each further one is twice as long.",
);
static RETRY_AT_MOST: Setting<Period> =
    Setting::with_default("retry-at-most", "\"4h\"", "The longest pause.");
static MAX_DELIVERIES: Setting<NonZeroUsize> = Setting::with_default(
    "max-deliveries",
    "20",
    "How many kept messages are being tried again at once.",
);
static MAX_DELIVERIES_PER_TARGET: Setting<NonZeroUsize> =
    Setting::with_default("max-deliveries-per-target", "5", "How many of them with one back end.");

pub(crate) static SMTP: Section = Section {
    header: "smtp",
    about: "Inbound mail, on every listener for smtp and lmtp.",
    settings: &[
        &POSTMASTER,
        &MAX_MESSAGE_SIZE,
        &MAX_RECIPIENTS,
        &MAX_RECEIVED,
        &MAX_ERRORS,
        &MAX_TRANSACTIONS,
        &RECIPIENT_DELIMITER,
        &SPLIT,
        &REPORT_NETWORKS,
        &RELAY,
        &ANSWER_WITHIN,
        &STALL_TIMEOUT,
        &REPLY_TIMEOUT,
        &COMMAND_TIMEOUT,
        &DATA_TIMEOUT,
        &EXPIRE_AFTER,
        &RETRY_AFTER,
        &RETRY_AT_MOST,
        &MAX_DELIVERIES,
        &MAX_DELIVERIES_PER_TARGET,
    ],
};

pub(crate) fn read(table: &Table<'_>, hostname: &Arc<str>) -> Smtp {
    let postmaster = table.find(&POSTMASTER);
    let report_networks = table.get(&REPORT_NETWORKS).0;
    let relay = table.find(&RELAY).map(|HostPort { host, port }| Target {
        host,
        port,
        encryption: None,
        tls_name: None,
    });
    if relay.is_none() && !table.has(&RELAY) && !report_networks.is_empty() {
        table.error(&REPORT_NETWORKS, "reports to other domains need a way out: expected relay");
    }
    if relay.is_some() && report_networks.is_empty() {
        table.warning(&RELAY, "without report-networks nothing ever goes there");
    }
    let (retry_after, retry_at_most) = (table.get(&RETRY_AFTER).0, table.get(&RETRY_AT_MOST).0);
    if retry_at_most < retry_after {
        table.error(&RETRY_AT_MOST, "this is shorter than retry-after");
    }
    let settings = |postmaster| Settings {
        hostname: hostname.clone(),
        postmaster,
        max_message_size: table.get(&MAX_MESSAGE_SIZE).0 as u64,
        max_recipients: table.get(&MAX_RECIPIENTS),
        max_received: table.get(&MAX_RECEIVED),
        max_errors: table.get(&MAX_ERRORS),
        max_transactions: table.get(&MAX_TRANSACTIONS),
        recipient_delimiter: table
            .find(&RECIPIENT_DELIMITER)
            .map(|delimiter| Arc::from(delimiter.to_string())),
        split: table.get(&SPLIT),
        report_networks,
        relay,
        answer_within: table.get(&ANSWER_WITHIN).0,
        stall_timeout: table.get(&STALL_TIMEOUT).0,
        reply_timeout: table.get(&REPLY_TIMEOUT).0,
        command_timeout: at_least(table, &COMMAND_TIMEOUT, 5),
        data_timeout: at_least(table, &DATA_TIMEOUT, 3),
        expire_after: table.get(&EXPIRE_AFTER).0,
        retry_after,
        retry_at_most,
        max_deliveries: table.get(&MAX_DELIVERIES),
        max_deliveries_per_target: table.get(&MAX_DELIVERIES_PER_TARGET),
    };
    // Whether one is needed shows later; the rest is read, and complained about, all the same.
    let has_postmaster = postmaster.is_some();
    let settings = postmaster.or_else(|| own_postmaster(hostname)).map(settings);
    Smtp {
        settings: settings.filter(|_| has_postmaster),
        lacks_postmaster: !table.has(&POSTMASTER),
        key: table.key().to_owned(),
        span: table.span(),
        postmaster_span: table.span_of(&POSTMASTER),
    }
}

fn own_postmaster(hostname: &str) -> Option<Address> {
    Address::from_parts("postmaster", Domain::new(hostname).ok()?).ok()
}

/// RFC 5321 section 4.5.3.2.
fn at_least(table: &Table<'_>, setting: &'static Setting<Period>, minutes: u64) -> Duration {
    let timeout = table.get(setting).0;
    if timeout < Duration::from_secs(minutes * 60) {
        table.warning(setting, format!("RFC 5321 promises clients at least {minutes} minutes"));
    }
    timeout
}

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::de::{DeTable, DeValue};
use waypost_model::Domain;

use crate::read::{Section, Setting, Table, choice};
use crate::value::AnyPath;

/// The process: `[server]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The name under which Waypost shows itself to clients.
    pub hostname: Arc<str>,
    /// Whom to become after binding; `None` stays who started it.
    pub user: Option<String>,
    /// The group to become; `None` takes the user's own.
    pub group: Option<String>,
    /// How many threads serve; `None` is one for each processor.
    pub workers: Option<NonZeroUsize>,
    /// How long sessions may go on after `SIGTERM`.
    pub shutdown_grace: Duration,
    /// Where the operator's commands reach the process; `None` is nowhere.
    pub control: Option<PathBuf>,
    /// How the log is written.
    pub log: Log,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// For people or for programs.
    pub format: LogFormat,
    /// What is written at all.
    pub level: LogLevel,
    /// How users are named.
    pub addresses: LogAddresses,
}

/// `log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A line of JSON.
    Json,
}

/// `log-level`: lines of this level and above are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// `log-addresses`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogAddresses {
    /// As they are.
    Clear,
    /// As a hash that is the same for the same address until the process ends.
    Hash,
}

choice! { LogFormat: "text" => Self::Text, "json" => Self::Json }
choice! {
    LogLevel:
    "error" => Self::Error,
    "warn" => Self::Warn,
    "info" => Self::Info,
    "debug" => Self::Debug,
    "trace" => Self::Trace,
}
choice! { LogAddresses: "clear" => Self::Clear, "hash" => Self::Hash }

impl LogLevel {
    /// The name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The longest path of a Unix socket (`sun_path` in unix(7), its end excluded).
const MAX_SOCKET: usize = 107;

static HOSTNAME: Setting<Domain> = Setting::optional(
    "hostname",
    "\"mail.example.test\"",
    "the name of the machine",
    "The name under which Waypost shows itself to clients.",
);
static USER: Setting<String> = Setting::optional(
    "user",
    "\"waypost\"",
    "whoever started it",
    "Whom to become once the listeners are bound. Only root can. Everything else is done as that user, \
     who must be able to read this file and all that it names, keys and secrets among it.",
);
static GROUP: Setting<String> =
    Setting::optional("group", "\"waypost\"", "the user's own group", "The group to become.");
static WORKERS: Setting<NonZeroUsize> = Setting::optional(
    "workers",
    "2",
    "one for each processor",
    "How many threads serve sessions, each with sockets of its own.",
);
static SHUTDOWN_GRACE: Setting<Duration> = Setting::with_default(
    "shutdown-grace",
    "\"30s\"",
    "How long sessions, and kept messages that are on their way to back ends, may go on after \
     SIGTERM, while nobody new is accepted and no further message is tried.",
);
static CONTROL: Setting<AnyPath> = Setting::optional(
    "control",
    "\"/run/waypost/control\"",
    "commands cannot reach the process",
    "The Unix socket over which commands such as waypost reload reach the process. Only root and \
     the user who serves can use it; that user must be able to write to its folder, and nobody \
     else should. A reload covers [directory], [policy], [domain] and [backend]; a change elsewhere \
     takes effect at the next start.",
);
static LOG_FORMAT: Setting<LogFormat> =
    Setting::with_default("log-format", "\"text\"", "Lines for people, or JSON for programs.");
static LOG_LEVEL: Setting<LogLevel> = Setting::with_default(
    "log-level",
    "\"info\"",
    "What is logged: each level includes those before it.",
);
static LOG_ADDRESSES: Setting<LogAddresses> = Setting::with_default(
    "log-addresses",
    "\"clear\"",
    "Whether the log names users, or hashes that are the same for the same user until the process \
     ends. With hashes the words of back ends, directories and policies are left out as well, \
     since they like to quote addresses; what Waypost itself says of them stays.",
);

pub(crate) static SERVER: Section = Section {
    header: "server",
    about: "The process.",
    settings: &[
        &HOSTNAME,
        &USER,
        &GROUP,
        &WORKERS,
        &SHUTDOWN_GRACE,
        &CONTROL,
        &LOG_FORMAT,
        &LOG_LEVEL,
        &LOG_ADDRESSES,
    ],
};

static BIND: Setting<SocketAddr> = Setting::optional(
    "bind",
    "\"127.0.0.1:9102\"",
    "there is no endpoint",
    "Where the endpoint listens, over HTTP at /metrics. It shows no secrets and no addresses of \
     users, but how busy the system is: keep it off public networks.",
);

pub(crate) static METRICS: Section = Section {
    header: "metrics",
    about: "The metrics, in the text format of OpenMetrics.",
    settings: &[&BIND],
};

pub(crate) fn read(table: &Table<'_>) -> Server {
    let group = table.find(&GROUP);
    let user = table.find(&USER);
    if group.is_some() && !table.has(&USER) {
        table.error(&GROUP, "a group without a user has no meaning; expected user too");
    }
    if user.as_deref() == Some("root") {
        table.error(&USER, "root keeps every privilege; expected an unprivileged user");
    }
    Server {
        hostname: hostname(table),
        user,
        group,
        workers: table.find(&WORKERS),
        shutdown_grace: table.get(&SHUTDOWN_GRACE),
        control: control(table),
        log: Log {
            format: table.get(&LOG_FORMAT),
            level: table.get(&LOG_LEVEL),
            addresses: table.get(&LOG_ADDRESSES),
        },
    }
}

pub(crate) fn read_metrics(table: &Table<'_>) -> Option<SocketAddr> {
    table.find(&BIND)
}

fn control(table: &Table<'_>) -> Option<PathBuf> {
    let AnyPath(path) = table.find(&CONTROL)?;
    if path.as_os_str().len() > MAX_SOCKET {
        let message = format!("a socket's path has at most {MAX_SOCKET} octets");
        table.error(&CONTROL, message);
    }
    Some(path)
}

/// Where a configuration puts the control socket, however wrong the rest of it is: who asks why it
/// does not load must get that far. `folder` is the configuration's.
pub(crate) fn control_of(root: &DeTable<'_>, folder: &Path) -> Option<PathBuf> {
    let DeValue::Table(server) = root.get("server")?.get_ref() else { return None };
    let DeValue::String(control) = server.get(CONTROL.key)?.get_ref() else { return None };
    Some(folder.join(&**control))
}

fn hostname(table: &Table<'_>) -> Arc<str> {
    let written: Option<Domain> = table.find(&HOSTNAME);
    let own = || {
        let name = table.reading().surroundings.hostname()?;
        Domain::new(&name).ok()
    };
    match written.or_else(own) {
        Some(name) => name.as_str().into(),
        None => {
            if !table.has(&HOSTNAME) {
                table.error(&HOSTNAME, "the machine has no name that could be used; set hostname");
            }
            "localhost".into()
        }
    }
}

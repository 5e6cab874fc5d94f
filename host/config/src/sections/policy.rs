use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use waypost_model::{Host, VerificationGrant};
use waypost_policy::{Limits, PluginSource, TargetPatterns};

use crate::json::{self, Json};
use crate::read::{NamedNode, Placed, Section, Setting, SubTable, Table, Value, choice};
use crate::value::{ExistingFile, Octets, Period, Plugin, Sha256, is_name};

/// A policy: `[policy.NAME]`.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Its name.
    pub name: Arc<str>,
    /// Where the component comes from.
    pub plugin: PluginSource,
    /// The digest that the component must have.
    pub sha256: Option<[u8; 32]>,
    /// The `settings` table as JSON.
    pub settings: Json,
    /// The files whose text it gets as further settings, by the setting's name.
    pub files: BTreeMap<String, PathBuf>,
    /// The directories that it may ask, by name, each with the attributes that it may read and
    /// test.
    pub directories: BTreeMap<Arc<str>, Vec<String>>,
    /// The targets that it may name.
    pub targets: TargetPatterns,
    /// The same, as they are written.
    pub(crate) targets_written: Vec<String>,
    /// The ways of checking passwords that it may ask for.
    pub verification: VerificationGrant,
    /// What a decision may cost.
    pub limits: Limits,
}

impl Policy {
    /// The targets that it may name, as they are written.
    pub fn targets_written(&self) -> &[String] {
        &self.targets_written
    }

    /// The hosts that it may name and that are written out, names and addresses.
    pub fn exact_targets(&self) -> impl Iterator<Item = Host> {
        self.targets_written.iter().filter_map(|target| target.parse().ok())
    }
}

/// A policy with what is checked once everything is read.
pub(crate) struct PolicyRead {
    pub(crate) policy: Policy,
    pub(crate) key: String,
    pub(crate) name_span: Range<usize>,
    pub(crate) grants: Vec<GrantRead>,
    /// Where its verification stands.
    pub(crate) verification_span: Range<usize>,
}

/// A directory that is granted, and the attributes in it.
pub(crate) struct GrantRead {
    pub(crate) directory: Arc<str>,
    pub(crate) key: String,
    pub(crate) span: Range<usize>,
    pub(crate) attributes: Vec<Placed<String>>,
}

static PLUGIN: Setting<Plugin> = Setting::required(
    "plugin",
    "\"builtin:ldap-routing\"",
    "The WebAssembly component: one that comes with Waypost, or the path of a file.",
);
static SHA256: Setting<Sha256> = Setting::optional(
    "sha256",
    "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"",
    "the component may be any",
    "The SHA-256 that the component must have, in hexadecimal.",
);
static DIRECTORIES: Setting<SubTable> = Setting::usual(
    "directories",
    "{ main = [\"mail\", \"uid\", \"mailHost\"] }",
    "it may ask none",
    "The directories that it may ask, each with the attributes that it may read and test: a filter \
     tells about a value too.",
);
static TARGETS: Setting<Vec<Placed<String>>> = Setting::with_default(
    "targets",
    "[]",
    "The targets that it may name: names (mail.example.test, *.example.test, *) and networks \
     (10.0.0.0/8). What a name resolves to must be in a network, unless the name is listed. No \
     password goes anywhere else.",
);
static VERIFICATION: Setting<Vec<Way>> = Setting::with_default(
    "verification",
    "[\"backend\"]",
    "Who may check the passwords of its users, as it says itself for each: the back end, or the front \
     by binding as the user's entry (bind) or against the directory's password-field (password). \
     Without backend, no login reaches a back end that the front has not found right.",
);
static SETTINGS: Setting<SubTable> = Setting::optional(
    "settings",
    "{ }",
    "it has none",
    "The plugin's own settings, handed to it as they are; see its documentation.",
);
static FILES: Setting<SubTable> = Setting::optional(
    "files",
    "{ map = \"users.map\" }",
    "it gets none",
    "Files that the plugin gets as further settings, by the setting's name, since it can open none \
     itself: each is text of at most 32 MiB. Waypost reads them, as the user that it serves as, \
     when it starts and with each reload; a file that has changed ends the routes that were learnt \
     from the old one.",
);
static LIMITS_TABLE: Setting<SubTable> =
    Setting::optional("limits", "{ }", "the defaults below", "What a decision may cost.");

pub(crate) static POLICY: Section = Section {
    header: "policy.ldap",
    about: "A policy, under a name of your choice: a plugin with its settings and with what it is \
            allowed.",
    settings: &[
        &PLUGIN,
        &SHA256,
        &DIRECTORIES,
        &TARGETS,
        &VERIFICATION,
        &SETTINGS,
        &FILES,
        &LIMITS_TABLE,
    ],
};

/// One way of checking passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Backend,
    Bind,
    Password,
}

choice! {
    Way:
    "backend" => Self::Backend,
    "bind" => Self::Bind,
    "password" => Self::Password,
}

static CPU: Setting<Period> =
    Setting::with_default("cpu", "\"50ms\"", "Processor time of the plugin's own code.");
static WALL: Setting<Period> = Setting::with_default(
    "wall",
    "\"5s\"",
    "From the start of a decision to its end, waiting included.",
);
static HOST_CALL: Setting<Period> = Setting::with_default(
    "host-call",
    "\"2s\"",
    "For one search; then the plugin is told that it timed out.",
);
static SEARCHES: Setting<u32> = Setting::with_default("searches", "8", "How many searches.");
static BYTES: Setting<Octets> = Setting::with_default(
    "bytes",
    "\"1MiB\"",
    "How much all searches together may bring the plugin.",
);
static MEMORY: Setting<Octets> =
    Setting::with_default("memory", "\"64MiB\"", "The plugin's memory.");
static CONCURRENCY: Setting<NonZeroUsize> = Setting::with_default(
    "concurrency",
    "64",
    "How many decisions of this policy may be under way at the same time.",
);
static QUEUE_WAIT: Setting<Period> = Setting::with_default(
    "queue-wait",
    "\"1s\"",
    "How long a decision waits for one of them to end.",
);
static CONFIGURE_CPU: Setting<Period> = Setting::with_default(
    "configure-cpu",
    "\"10s\"",
    "Processor time for reading the plugin's settings, once at load.",
);
static CONFIGURE_WALL: Setting<Period> = Setting::with_default(
    "configure-wall",
    "\"30s\"",
    "From the start of reading them to its end.",
);

pub(crate) static LIMITS: Section = Section {
    header: "policy.ldap.limits",
    about: "What a decision may cost. Whatever goes beyond ends it with a fault.",
    settings: &[
        &CPU,
        &WALL,
        &HOST_CALL,
        &SEARCHES,
        &BYTES,
        &MEMORY,
        &CONCURRENCY,
        &QUEUE_WAIT,
        &CONFIGURE_CPU,
        &CONFIGURE_WALL,
    ],
};

pub(crate) fn read(entry: &NamedNode<'_>) -> Option<PolicyRead> {
    if !is_name(entry.name) {
        entry.name_error("expected a name of letters, digits, \"-\", \"_\" and \".\", up to 64");
    }
    let (policy, grants, verification_span) = entry.node.table(&POLICY, |table| {
        let (policy, grants) = read_table(table, entry.name)?;
        Some((policy, grants, table.span_of(&VERIFICATION)))
    })??;
    let (key, name_span) = (entry.node.key.clone(), entry.name_span.clone());
    Some(PolicyRead { policy, key, name_span, grants, verification_span })
}

fn read_table(table: &Table<'_>, name: &str) -> Option<(Policy, Vec<GrantRead>)> {
    let plugin = table.find(&PLUGIN);
    let sha256 = table.find(&SHA256);
    let grants = read_grants(table);
    let targets_written = table.get(&TARGETS);
    let targets = read_targets(table, &targets_written);
    let settings = match table.node(&SETTINGS) {
        Some(node) => json::read(&node),
        None => Some(Json::empty()),
    };
    let verification = read_verification(table);
    let files = read_files(table, settings.as_ref());
    let limits = table.table(&LIMITS_TABLE, &LIMITS, read_limits).unwrap_or_default();
    let policy = Policy {
        name: name.into(),
        plugin: plugin?.0,
        sha256: sha256.map(|digest| digest.0),
        settings: settings?,
        files,
        directories: grants.iter().map(GrantRead::names).collect(),
        targets,
        targets_written: targets_written.into_iter().map(|target| target.value).collect(),
        verification,
        limits,
    };
    Some((policy, grants))
}

impl GrantRead {
    fn names(&self) -> (Arc<str>, Vec<String>) {
        let attributes = self.attributes.iter().map(|attribute| attribute.value.clone());
        (self.directory.clone(), attributes.collect())
    }
}

fn read_grants(table: &Table<'_>) -> Vec<GrantRead> {
    let entries = table.node(&DIRECTORIES).and_then(|node| node.entries()).unwrap_or_default();
    let grant = |entry: NamedNode<'_>| GrantRead {
        directory: entry.name.into(),
        key: entry.node.key.clone(),
        span: entry.name_span.clone(),
        attributes: Vec::<Placed<String>>::read(&entry.node).unwrap_or_default(),
    };
    entries.into_iter().map(grant).collect()
}

fn read_files(table: &Table<'_>, settings: Option<&Json>) -> BTreeMap<String, PathBuf> {
    let entries = table.node(&FILES).and_then(|node| node.entries()).unwrap_or_default();
    let mut files = BTreeMap::new();
    for entry in entries {
        if settings.is_some_and(|settings| settings.has(entry.name)) {
            entry.name_error(format!("{} stands in the settings already", entry.name));
        }
        if let Some(ExistingFile(path)) = entry.node.read() {
            files.insert(entry.name.to_owned(), path);
        }
    }
    files
}

fn read_targets(table: &Table<'_>, written: &[Placed<String>]) -> TargetPatterns {
    let mut good = Vec::new();
    for target in written {
        match TargetPatterns::parse(&[&target.value]) {
            Ok(_) => good.push(&target.value),
            Err(error) => {
                let key = format!("{}.targets", table.key());
                table.reading().error(target.span.clone(), &key, error.to_string());
            }
        }
    }
    if written.is_empty() && !table.has(&TARGETS) {
        table.warning(&TARGETS, "without targets this policy can send nobody anywhere");
    }
    TargetPatterns::parse(&good).unwrap_or_default()
}

fn read_verification(table: &Table<'_>) -> VerificationGrant {
    let ways = table.get(&VERIFICATION);
    if ways.is_empty() {
        table.error(&VERIFICATION, "with none of them nobody could log in");
    }
    VerificationGrant {
        backend: ways.contains(&Way::Backend),
        bind: ways.contains(&Way::Bind),
        password: ways.contains(&Way::Password),
    }
}

fn read_limits(table: &Table<'_>) -> Limits {
    let limits = Limits {
        cpu: table.get(&CPU).0,
        wall: table.get(&WALL).0,
        host_call: table.get(&HOST_CALL).0,
        searches: table.get(&SEARCHES),
        bytes: table.get(&BYTES).0,
        memory: table.get(&MEMORY).0,
        concurrency: table.get(&CONCURRENCY).get(),
        queue_wait: table.get(&QUEUE_WAIT).0,
        configure_cpu: table.get(&CONFIGURE_CPU).0,
        configure_wall: table.get(&CONFIGURE_WALL).0,
    };
    if limits.host_call > limits.wall {
        table.warning(&HOST_CALL, "a decision ends after wall, which is less");
    }
    limits
}

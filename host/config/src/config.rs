use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use toml::de::{DeTable, DeValue};
use waypost_net::health::HealthSettings;
use waypost_net::resolve::ResolverSettings;
use waypost_policy::CodeCacheSettings;

use crate::check::{Everything, check};
use crate::places::{Places, token};
use crate::problem::{Problem, Problems, Severity};
use crate::read::{NamedNode, Reading, Setting, SubTable, Table};
use crate::sections::{
    self, backend, cache, code_cache, directory, domain, listener, login, net, policy, server,
    smtp, spool, tls, verification, webmail,
};
use crate::source::{Place, Source};
use crate::surroundings::Surroundings;

/// A configuration in which everything that can be checked without connecting to anybody is right.
#[derive(Clone, Debug)]
pub struct Config {
    /// The process.
    pub server: server::Server,
    /// Where the metrics are shown; `None` shows them nowhere.
    pub metrics: Option<SocketAddr>,
    /// Where clients connect; at least one, in the order of the file.
    pub listeners: Vec<listener::Listener>,
    /// TLS with clients.
    pub tls: tls::Tls,
    /// How logins are treated.
    pub login: waypost_login::Settings,
    /// From what SCRAM's decoys are made, where the operator gives it.
    pub scram_key: Option<waypost_model::Secret>,
    /// What failed logins cost.
    pub failures: waypost_verify::FailureSettings,
    /// How the front checks passwords.
    pub verification: waypost_verify::Settings,
    /// How inbound mail is treated; there where a listener takes it.
    pub smtp: Option<waypost_smtp::Settings>,
    /// Where messages are kept; there where inbound mail may need it.
    pub spool: Option<spool::Spool>,
    /// How webmail is served.
    pub webmail: waypost_webmail::Settings,
    /// Where policies look things up.
    pub directories: Vec<directory::Directory>,
    /// Who decides; at least one.
    pub policies: Vec<policy::Policy>,
    /// Which policies serve which domain; at least one.
    pub domains: Vec<domain::Domain>,
    /// How to speak with targets.
    pub backends: Vec<backend::Backend>,
    /// The route cache.
    pub cache: waypost_routing::Settings,
    /// Where compiled plugins are kept; `None` keeps none.
    pub code_cache: Option<CodeCacheSettings>,
    /// How names become addresses.
    pub resolver: ResolverSettings,
    /// How back ends are found up again.
    pub health: HealthSettings,
    /// What is probably not meant as it is written.
    pub warnings: Problems,
    pub(crate) places: Places,
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file.
    #[error("{} cannot be read: {error}{}", path.display(), missing(error))]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Its content; displayed over several lines.
    #[error(transparent)]
    Problems(#[from] Problems),
}

/// What to do where there is no file.
fn missing(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; --config FILE names another",
        _ => "",
    }
}

/// The largest configuration that is read, in octets. Larger is no configuration but a mistake.
const MAX_SIZE: usize = 16 << 20;

impl Config {
    /// Reads a configuration file, and with it what it refers to: files, secrets and the
    /// environment. Relative paths in it start from its own folder.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with its place and what was expected.
    pub fn load(path: &Path, surroundings: &dyn Surroundings) -> Result<Self, ConfigError> {
        let content = surroundings
            .read(path)
            .map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        Ok(Self::parse(path, content, surroundings)?)
    }

    /// Where the configuration at `path` puts the control socket, whatever else is wrong with it;
    /// `None` where it names none that can be read.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn control_socket(
        path: &Path,
        surroundings: &dyn Surroundings,
    ) -> Result<Option<PathBuf>, ConfigError> {
        let content = surroundings
            .read(path)
            .map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        let text = String::from_utf8_lossy(&content);
        if text.len() > MAX_SIZE {
            return Ok(None);
        }
        let (root, _) = DeTable::parse_recoverable(&text);
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        Ok(server::control_of(root.get_ref(), folder))
    }

    /// Reads the content of a configuration file that is, or would be, at `path`.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub fn parse(
        path: &Path,
        content: Vec<u8>,
        surroundings: &dyn Surroundings,
    ) -> Result<Self, Problems> {
        let (text, bad) = match String::from_utf8(content) {
            Ok(text) => (text, None),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(at))
            }
        };
        let source = Arc::new(Source::new(path, text));
        let reading = Reading::new(&source, surroundings);
        if let Some(at) = bad {
            reading.error(at..at, "", "this is not UTF-8");
        } else if source.text().len() > MAX_SIZE {
            reading.error(0..0, "", "this is far too large for a configuration");
        }
        if reading.has_errors() {
            return Err(reading.problems());
        }
        let (root, errors) = DeTable::parse_recoverable(source.text());
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            let help = duplicate(&source, root.get_ref(), error.message(), &span);
            reading.note(Severity::Error, span, "", error.message().to_owned(), help);
        }
        if reading.has_errors() {
            return Err(reading.problems());
        }
        let places = Places::new(source.clone(), root.get_ref());
        let config = read(&reading, root.get_ref(), places);
        let failed = reading.has_errors();
        let problems = reading.problems();
        match config {
            Some(config) if !failed => Ok(Self { warnings: problems, ..config }),
            _ => Err(problems),
        }
    }

    /// Where a value stands, by its JSON pointer (RFC 6901) into the file: `/tls/certificates/0`.
    /// For one that is missing, the nearest table or list around it.
    pub fn place(&self, pointer: &str) -> Place {
        self.places.place(pointer)
    }

    /// Something that turned out to be wrong with a value after the configuration had been read.
    pub fn problem(&self, pointer: &str, message: impl Into<String>) -> Problem {
        self.places.problem(pointer, message.into())
    }

    /// Where a setting of a policy's plugin stands, by its JSON pointer into the settings.
    pub fn place_of(&self, policy: &str, pointer: &str) -> Place {
        self.place(&format!("/policy/{}/settings{pointer}", token(policy)))
    }
}

fn read<'a>(reading: &'a Reading<'a>, root: &'a DeTable<'a>, places: Places) -> Option<Config> {
    let table = Table::root(reading, root, &sections::ROOT);
    let server = table.table(&sections::SERVER, &server::SERVER, server::read);
    let metrics = table.table(&sections::METRICS, &server::METRICS, server::read_metrics);
    let tls = table.table(&sections::TLS, &tls::TLS, tls::read);
    let login = table.table(&sections::LOGIN, &login::LOGIN, login::read);
    let verification =
        table.table(&sections::VERIFICATION, &verification::VERIFICATION, verification::read);
    let hostname = server.as_ref().map_or_else(|| "localhost".into(), |s| s.hostname.clone());
    let smtp = table.table(&sections::SMTP, &smtp::SMTP, |table| smtp::read(table, &hostname));
    let spool = table.table(&sections::SPOOL, &spool::SPOOL, spool::read);
    let auth_failure_delay =
        login.as_ref().map_or(Duration::ZERO, |login| login.settings.auth_failure_delay);
    let webmail = table.table(&sections::WEBMAIL, &webmail::WEBMAIL, |table| {
        webmail::read(table, &hostname, auth_failure_delay)
    });
    let cache = table.table(&sections::CACHE, &cache::CACHE, cache::read);
    let code_cache = table.table(&sections::CODE_CACHE, &code_cache::CODE_CACHE, code_cache::read);
    let resolver = table.table(&sections::RESOLVER, &net::RESOLVER, net::read_resolver);
    let health = table.table(&sections::HEALTH, &net::HEALTH, net::read_health);

    let listeners = named(&table, &sections::LISTENER);
    let directories = named(&table, &sections::DIRECTORY);
    let policies = named(&table, &sections::POLICY);
    let domains = named(&table, &sections::DOMAIN);
    let backends = named(&table, &sections::BACKEND);
    table.finish();

    let (server, login, smtp, webmail) = (server?, login?, smtp?, webmail?);
    let (tls, has_certificates) = tls?;
    let everything = Everything {
        directory_names: names(&directories),
        policy_names: names(&policies),
        has_listeners: !listeners.is_empty(),
        has_domains: !domains.is_empty(),
        has_certificates,
        listeners: listeners
            .iter()
            .filter_map(|entry| listener::read(entry, &login, &server.hostname))
            .collect(),
        directories: directories.iter().filter_map(directory::read).collect(),
        policies: policies.iter().filter_map(policy::read).collect(),
        domains: domains.iter().filter_map(domain::read).collect(),
        backends: backends.iter().filter_map(backend::read).collect(),
        metrics: metrics.flatten(),
        smtp,
        spool: spool?,
        webmail,
    };
    check(reading, &everything);
    Some(Config {
        server,
        metrics: everything.metrics,
        tls,
        login: login.settings,
        scram_key: login.scram_key,
        failures: login.failures,
        verification: verification?,
        smtp: everything.smtp.settings,
        webmail: everything.webmail.settings,
        spool: everything.spool,
        listeners: everything.listeners.into_iter().map(|read| read.listener).collect(),
        directories: everything.directories.into_iter().map(|read| read.directory).collect(),
        policies: everything.policies.into_iter().map(|read| read.policy).collect(),
        domains: everything.domains.into_iter().map(|read| read.domain).collect(),
        backends: everything.backends.into_iter().map(|read| read.backend).collect(),
        cache: cache?,
        code_cache: code_cache?,
        resolver: resolver?,
        health: health?,
        warnings: Problems::default(),
        places,
    })
}

/// Which key stands twice, and where it stood first if that is plain: what the parser says of it is
/// no more than `duplicate key`.
fn duplicate(
    source: &Source,
    root: &DeTable<'_>,
    message: &str,
    again: &Range<usize>,
) -> Option<String> {
    if message != "duplicate key" {
        return None;
    }
    let written = source.text().get(again.clone())?.trim();
    let mut places = Vec::new();
    let again_in = source.place(again.start).line;
    let mut lines = source.text().lines();
    let header = lines.nth(again_in.saturating_sub(1)).map(str::trim).unwrap_or_default();
    if header.starts_with('[') {
        let before = source.text().lines().take(again_in.saturating_sub(1));
        places.extend(before.zip(1..).filter(|(line, _)| line.trim() == header).map(|(_, n)| n));
    } else {
        keys(root, written.trim_matches(['"', '\'']), &mut |place| {
            places.extend((place.end <= again.start).then(|| source.place(place.start).line));
        });
    }
    Some(match places[..] {
        [first] => format!("{written} stands in line {first} already"),
        _ => format!("{written} is there already"),
    })
}

/// Where keys of that name stand, at whatever depth.
fn keys(table: &DeTable<'_>, name: &str, found: &mut impl FnMut(Range<usize>)) {
    for (key, value) in table {
        if key.get_ref() == name {
            found(key.span());
        }
        if let DeValue::Table(table) = value.get_ref() {
            keys(table, name, found);
        }
    }
}

fn named<'a>(table: &Table<'a>, setting: &'static Setting<SubTable>) -> Vec<NamedNode<'a>> {
    table.node(setting).and_then(|node| node.entries()).unwrap_or_default()
}

fn names(entries: &[NamedNode<'_>]) -> Vec<String> {
    entries.iter().map(|entry| entry.name.to_owned()).collect()
}

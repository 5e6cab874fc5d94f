//! From a file of cases to what is to be asked, of which policy, over which directories.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value as Json;
use toml::{Spanned, Table};
use waypost_directory::{Exchange, LdifSettings, LdifSource, Page, Scope, SearchError};
use waypost_model::{Address, Context, ContextField, Lookup, Protocol, Purpose};
use waypost_policy::{Limits, PluginSource, TargetPatterns, read_setting_file};

use super::file::{self, CasesError, Source};

/// What stands before the name of one that comes with the program.
const BUILTIN: &str = "builtin:";

/// A plugin that comes with the program that runs the cases.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// What stands behind `builtin:`.
    pub name: &'static str,
    /// The component.
    pub bytes: &'static [u8],
}

/// The cases of a file, ready to be run.
pub struct Suite {
    pub(super) path: PathBuf,
    pub(super) plugin: PluginSource,
    pub(super) cases: Vec<Case>,
}

/// One case.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) policy: Policy,
    /// What is asked; `None` where loading is all there is to see.
    pub(super) question: Option<(Lookup, Context)>,
    pub(super) repeat: u32,
    /// What happens to the searches, by directory.
    pub(super) injected: BTreeMap<String, Injected>,
    /// What is replayed, by directory.
    pub(super) replay: BTreeMap<String, Vec<Exchange>>,
    pub(super) expect: file::Expect,
}

/// A policy that cases have in common when it is equal.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Policy {
    pub(super) name: Arc<str>,
    pub(super) sha256: Option<[u8; 32]>,
    pub(super) settings: Json,
    /// By directory, the attributes granted.
    pub(super) grants: BTreeMap<String, Vec<String>>,
    pub(super) targets: Vec<String>,
    pub(super) limits: Limits,
    pub(super) directories: BTreeMap<String, Entries>,
}

/// Where a directory's answers come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Entries {
    Ldif(LdifSettings),
    Replay { base: String },
}

/// What happens to the searches in one directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Injected {
    pub(super) error: Option<SearchError>,
    pub(super) delay: Option<Duration>,
    pub(super) at: Option<usize>,
}

impl Suite {
    /// Reads a file of cases. `plugin` is the component that they are about, where it is not to be
    /// the one that the file names; `builtins` are those behind `builtin:`.
    ///
    /// # Errors
    /// The first thing that is wrong with the file, with its place.
    pub fn read(
        path: &Path,
        plugin: Option<&Path>,
        builtins: &[Builtin],
    ) -> Result<Self, CasesError> {
        let source = Source::read(path)?;
        let file = source.parse()?;
        let plugin = match (plugin, &file.policy.plugin) {
            (Some(plugin), _) => {
                match plugin.to_str().and_then(|name| name.strip_prefix(BUILTIN)) {
                    Some(name) => builtin(&source, name, builtins)?,
                    None => PluginSource::File(plugin.into()),
                }
            }
            (None, Some(name)) => match name.strip_prefix(BUILTIN) {
                Some(name) => builtin(&source, name, builtins)?,
                None => PluginSource::File(source.beside(Path::new(name))),
            },
            (None, None) => {
                return Err(source.wrong(
                    &(0..0),
                    "no plugin: expected `plugin` in [policy], or --plugin COMPONENT",
                ));
            }
        };
        if file.cases.is_empty() {
            return Err(source.wrong(&(0..0), "no case: expected [[case]]"));
        }
        let reader = Reader { source: &source, file: &file, plugin: &plugin };
        let mut names = BTreeSet::new();
        let mut cases = Vec::new();
        for case in &file.cases {
            if !names.insert(&case.get_ref().name) {
                let message = format!("the name {:?} is given twice", case.get_ref().name);
                return Err(source.wrong(&case.span(), message));
            }
            cases.push(reader.case(case)?);
        }
        Ok(Self { path: path.into(), plugin, cases })
    }
}

/// One that comes with the program.
fn builtin(
    source: &Source<'_>,
    builtin: &str,
    builtins: &[Builtin],
) -> Result<PluginSource, CasesError> {
    let known = builtins.iter().find(|known| known.name == builtin);
    let known = known.ok_or_else(|| {
        let names: Vec<_> = builtins.iter().map(|builtin| builtin.name).collect();
        let names = if names.is_empty() { "none".into() } else { names.join(", ") };
        source.wrong(&(0..0), format!("there is no builtin plugin {builtin:?}; known: {names}"))
    })?;
    Ok(PluginSource::Builtin { name: known.name, bytes: known.bytes })
}

struct Reader<'a> {
    source: &'a Source<'a>,
    file: &'a file::File,
    plugin: &'a PluginSource,
}

impl Reader<'_> {
    fn case(&self, case: &Spanned<file::Case>) -> Result<Case, CasesError> {
        let span = case.span();
        let case = case.get_ref();
        let about = |message: String| {
            let message = format!("the case {:?}: {message}", case.name);
            self.source.wrong(&span, message)
        };
        check_expectation(&case.expect).map_err(about)?;
        let question = match &case.address {
            Some(address) => Some(self.question(case, address)?),
            None if case.expect.problems.is_some() || case.expect.not_loaded.is_some() => None,
            None => return Err(about("nothing is asked: expected `address`".into())),
        };
        let policy = self.policy(case)?;
        Ok(Case {
            name: case.name.clone(),
            line: self.source.line(span.start),
            question,
            repeat: case.repeat.map_or(1, NonZeroU32::get),
            injected: self.injected(case, &policy)?,
            replay: self.replay(case, &policy)?,
            policy,
            expect: case.expect.clone(),
        })
    }

    fn question(
        &self,
        case: &file::Case,
        address: &Spanned<String>,
    ) -> Result<(Lookup, Context), CasesError> {
        let text = address.get_ref();
        let address = Address::new(text, None).map_err(|error| {
            self.source.wrong(&address.span(), format!("{text:?} is no address: {error}"))
        })?;
        let purpose = match case.purpose {
            file::Purpose::Login => Purpose::Login,
            file::Purpose::Recipient => Purpose::Recipient,
            file::Purpose::Identify => Purpose::Identify,
        };
        Ok((Lookup { purpose, address }, context(&self.file.context, &case.context)))
    }

    fn policy(&self, case: &file::Case) -> Result<Policy, CasesError> {
        let common = &self.file.policy;
        let mut limits = Limits::default();
        common.limits.apply(&mut limits);
        case.limits.apply(&mut limits);
        let grants = common.directories.iter();
        let grants = grants.map(|(name, attributes)| (name.clone(), attributes.get_ref().clone()));
        Ok(Policy {
            name: common.name.as_deref().map_or_else(|| self.plugin_name(), Arc::from),
            sha256: common.sha256.as_ref().map(|pin| self.digest(pin)).transpose()?,
            settings: self.settings(case)?,
            grants: grants.collect(),
            targets: self.targets(case)?,
            limits,
            directories: self.directories(case)?,
        })
    }

    fn plugin_name(&self) -> Arc<str> {
        match self.plugin {
            PluginSource::Builtin { name, .. } => (*name).into(),
            PluginSource::File(path) => {
                path.file_stem().unwrap_or_default().to_string_lossy().into()
            }
        }
    }

    fn digest(&self, pin: &Spanned<String>) -> Result<[u8; 32], CasesError> {
        let message = "expected a SHA-256: 64 hexadecimal digits";
        sha256_from_hex(pin.get_ref()).ok_or_else(|| self.source.wrong(&pin.span(), message))
    }

    fn settings(&self, case: &file::Case) -> Result<Json, CasesError> {
        let mut settings = self.texts(&self.file.policy.files, &self.file.policy.settings)?;
        settings.extend(json(&self.file.policy.settings));
        for key in &case.without_settings {
            if settings.remove(key.get_ref()).is_none() {
                let message = format!("there is no setting {:?} to be taken away", key.get_ref());
                return Err(self.source.wrong(&key.span(), message));
            }
        }
        settings.extend(self.texts(&case.files, &case.settings)?);
        settings.extend(json(&case.settings));
        Ok(Json::Object(settings))
    }

    /// The files that become settings, which must not stand in `settings` too.
    fn texts(
        &self,
        files: &BTreeMap<String, Spanned<PathBuf>>,
        settings: &Table,
    ) -> Result<serde_json::Map<String, Json>, CasesError> {
        let mut texts = serde_json::Map::new();
        for (name, path) in files {
            if settings.contains_key(name) {
                let message = format!("{name:?} stands in `settings` already");
                return Err(self.source.wrong(&path.span(), message));
            }
            let file = self.source.beside(path.get_ref());
            let text = read_setting_file(&file).map_err(|error| {
                self.source.wrong(&path.span(), format!("{} {error}", file.display()))
            })?;
            texts.insert(name.clone(), Json::String(text));
        }
        Ok(texts)
    }

    fn targets(&self, case: &file::Case) -> Result<Vec<String>, CasesError> {
        let Some(written) = case.targets.as_ref().or(self.file.policy.targets.as_ref()) else {
            return Ok(["*", "0.0.0.0/0", "::/0"].map(str::to_owned).to_vec());
        };
        TargetPatterns::parse(written.get_ref())
            .map_err(|error| self.source.wrong(&written.span(), error.to_string()))?;
        Ok(written.get_ref().clone())
    }

    fn directories(&self, case: &file::Case) -> Result<BTreeMap<String, Entries>, CasesError> {
        let mut all = BTreeMap::new();
        for (name, attributes) in &self.file.policy.directories {
            let common = self.file.directory.get(name);
            let own = case.directory.get(name);
            let has_content = |d: &&Spanned<file::Directory>| {
                let d = d.get_ref();
                d.content.is_some() || d.ldif.is_some() || d.replay
            };
            let Some(directory) = own.filter(has_content).or(common) else {
                let message =
                    format!("there is no directory {name:?}: expected [directory.{name}]");
                return Err(self.source.wrong(&attributes.span(), message));
            };
            all.insert(name.clone(), self.entries(name, directory)?);
        }
        let ungranted = case.directory.iter().chain(&self.file.directory);
        for (name, directory) in ungranted {
            if !self.file.policy.directories.contains_key(name) {
                let message = format!(
                    "the policy may not ask the directory {name:?}: expected it in \
                     [policy] directories"
                );
                return Err(self.source.wrong(&directory.span(), message));
            }
        }
        Ok(all)
    }

    fn entries(
        &self,
        name: &str,
        directory: &Spanned<file::Directory>,
    ) -> Result<Entries, CasesError> {
        let span = directory.span();
        let directory = directory.get_ref();
        let source = match (&directory.content, &directory.ldif, directory.replay) {
            (Some(content), None, false) => LdifSource::Content(content.as_bytes().into()),
            (None, Some(path), false) => LdifSource::File(self.source.beside(path)),
            (None, None, true) => {
                let base = directory.base.clone();
                let missing = "what is replayed has a base: expected `base`";
                let base = base.ok_or_else(|| self.source.wrong(&span, missing))?;
                return Ok(Entries::Replay { base });
            }
            _ => {
                let message = "expected one of `content`, `ldif` and `replay = true`";
                return Err(self.source.wrong(&span, message));
            }
        };
        Ok(Entries::Ldif(LdifSettings {
            base: directory.base.clone(),
            password_field: directory.password_field.clone(),
            ..LdifSettings::new(name, source)
        }))
    }

    fn injected(
        &self,
        case: &file::Case,
        policy: &Policy,
    ) -> Result<BTreeMap<String, Injected>, CasesError> {
        let mut all = BTreeMap::new();
        for name in policy.directories.keys() {
            let written = |of: &BTreeMap<String, Spanned<file::Directory>>| {
                let directory = of.get(name)?;
                let file::Directory { error, delay, at, .. } = directory.get_ref();
                let nothing = error.is_none() && delay.is_none();
                if nothing && at.is_some() {
                    let message = "`at` without `error` or `delay` has no meaning";
                    return Some(Err(self.source.wrong(&directory.span(), message)));
                }
                (!nothing).then(|| {
                    Ok(Injected {
                        error: error.as_ref().map(|error| error.0.clone()),
                        delay: delay.map(|delay| delay.0),
                        at: at.and_then(|at| usize::try_from(at.get()).ok()),
                    })
                })
            };
            if let Some(injected) =
                written(&case.directory).or_else(|| written(&self.file.directory))
            {
                all.insert(name.clone(), injected?);
            }
        }
        Ok(all)
    }

    fn replay(
        &self,
        case: &file::Case,
        policy: &Policy,
    ) -> Result<BTreeMap<String, Vec<Exchange>>, CasesError> {
        let mut all: BTreeMap<String, Vec<Exchange>> = BTreeMap::new();
        for (name, entries) in &policy.directories {
            if matches!(entries, Entries::Replay { .. }) {
                all.insert(name.clone(), Vec::new());
            }
        }
        for written in &case.replay {
            let span = written.span();
            let written = written.get_ref();
            let Some(exchanges) = all.get_mut(&written.directory) else {
                let message = format!(
                    "nothing is replayed in {:?}: expected [directory.{}] with replay = true",
                    written.directory, written.directory
                );
                return Err(self.source.wrong(&span, message));
            };
            exchanges.push(exchange(written.clone()));
        }
        Ok(all)
    }
}

/// What is expected must make sense together.
fn check_expectation(expect: &file::Expect) -> Result<(), String> {
    use file::Decision::{Defer, Refuse, Route};
    let kinds = [
        expect.decision.is_some(),
        expect.failure.is_some(),
        expect.fault.is_some(),
        expect.target_denied.is_some(),
        expect.problems.is_some(),
        expect.not_loaded.is_some(),
    ];
    if kinds.into_iter().filter(|is| *is).count() != 1 {
        return Err("expected one of `decision`, `failure`, `fault`, `target-denied`, `problems` \
                    and `not-loaded` in `expect`"
            .into());
    }
    let is_route = expect.decision == Some(Route);
    for (name, given, fits, with) in [
        ("targets", expect.targets.is_some(), is_route, "decision = \"route\""),
        ("identity", expect.identity.is_some(), is_route, "decision = \"route\""),
        ("verification", expect.verification.is_some(), is_route, "decision = \"route\""),
        (
            "refusal",
            expect.refusal.is_some(),
            expect.decision == Some(Refuse),
            "decision = \"refuse\"",
        ),
        ("cache-for", expect.cache_for.is_some(), expect.decision.is_some(), "a decision"),
        (
            "text",
            expect.text.is_some(),
            matches!(expect.decision, Some(Refuse | Defer))
                || expect.failure.is_some()
                || expect.fault.is_some(),
            "a refusal, a deferral, a failure or a fault",
        ),
    ] {
        if given && !fits {
            return Err(format!("`{name}` can be expected with {with} only"));
        }
    }
    let known = |name: &&String| !ContextField::ALL.iter().any(|f| f.as_str() == name.as_str());
    if let Some(unknown) = expect.reads.iter().flatten().find(known) {
        let names = ContextField::ALL.map(ContextField::as_str).join(", ");
        return Err(format!("`reads`: there is no {unknown:?}; expected some of {names}"));
    }
    Ok(())
}

fn context(common: &file::Context, own: &file::Context) -> Context {
    /// What the case says, or else the file.
    macro_rules! either {
        ($field:ident) => {
            own.$field.clone().or_else(|| common.$field.clone())
        };
    }
    let protocol = match either!(protocol).unwrap_or(file::Protocol::Imap) {
        file::Protocol::Imap => Protocol::Imap,
        file::Protocol::Pop3 => Protocol::Pop3,
        file::Protocol::Smtp => Protocol::Smtp,
        file::Protocol::Lmtp => Protocol::Lmtp,
        file::Protocol::Submission => Protocol::Submission,
        file::Protocol::Webmail => Protocol::Webmail,
    };
    Context {
        protocol,
        listener: either!(listener).map_or_else(|| protocol.as_str().into(), Arc::from),
        client_address: either!(client_address).unwrap_or(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
        encrypted: either!(encrypted).unwrap_or(true),
        mechanism: either!(mechanism).map(Arc::from),
        login_name: either!(login_name).map(Arc::from),
        authentication_id: either!(authentication_id).map(Arc::from),
        certificate_name: either!(certificate_name).map(Arc::from),
        sender: either!(sender).map(Arc::from),
        now: UNIX_EPOCH
            .checked_add(Duration::from_secs(either!(now).unwrap_or_default()))
            .unwrap_or(UNIX_EPOCH),
    }
}

/// A plugin's settings, written in TOML as in a configuration, as the JSON that `configure` gets.
///
/// # Errors
/// What is no TOML, with its place.
pub fn settings_json(text: &str) -> Result<serde_json::Map<String, Json>, String> {
    let table: Table = toml::from_str(text).map_err(|error| error.to_string())?;
    Ok(json(&table))
}

/// Production's limits but for those that are given, each by its key and its value in a
/// configuration, the latter without quotation marks.
///
/// # Errors
/// What is no limit.
pub fn limits<'a>(written: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Limits, String> {
    let mut limits = Limits::default();
    for (key, value) in written {
        let number = value.parse().map(toml::Value::Integer);
        let value = number.unwrap_or_else(|_| toml::Value::String(value.into()));
        let table = Table::from_iter([(key.to_owned(), value)]);
        let read: file::Limits = table
            .try_into()
            .map_err(|error: toml::de::Error| format!("the limit {key}: {}", error.message()))?;
        read.apply(&mut limits);
    }
    Ok(limits)
}

/// A SHA-256 out of its 64 hexadecimal digits.
pub fn sha256_from_hex(hex: &str) -> Option<[u8; 32]> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let octet = |digits: &[u8]| match digits {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let octets: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(octet).collect();
    octets?.try_into().ok()
}

/// JSON of a table: dates as they are written (RFC 3339), as in a configuration.
fn json(table: &Table) -> serde_json::Map<String, Json> {
    table.iter().map(|(key, value)| (key.clone(), json_value(value))).collect()
}

fn json_value(value: &toml::Value) -> Json {
    match value {
        toml::Value::String(text) => Json::String(text.clone()),
        toml::Value::Integer(number) => Json::Number((*number).into()),
        toml::Value::Float(number) => {
            serde_json::Number::from_f64(*number).map_or(Json::Null, Json::Number)
        }
        toml::Value::Boolean(value) => Json::Bool(*value),
        toml::Value::Datetime(date) => Json::String(date.to_string()),
        toml::Value::Array(values) => Json::Array(values.iter().map(json_value).collect()),
        toml::Value::Table(table) => Json::Object(json(table)),
    }
}

fn exchange(written: file::Exchange) -> Exchange {
    let entry = |entry: file::Entry, asked: &[String]| {
        // In the order and under the names of the query, as a directory answers.
        let named = |name: &String| {
            let values = entry.attributes.get(name)?;
            Some((name.clone(), values.iter().map(|value| value.0.clone()).collect()))
        };
        waypost_directory::Entry {
            attributes: asked.iter().filter_map(named).collect(),
            dn: entry.dn,
        }
    };
    let asked = &written.attributes;
    let entries = written.entries.into_iter().map(|found| entry(found, asked)).collect();
    Exchange {
        scope: match written.scope {
            file::Scope::Base => Scope::Base,
            file::Scope::OneLevel => Scope::OneLevel,
            file::Scope::Subtree => Scope::Subtree,
        },
        answer: match written.error {
            Some(error) => Err(error.0),
            None => Ok(Page { entries, complete: written.complete }),
        },
        base: written.base,
        filter: written.filter,
        size_limit: written.size_limit,
        attributes: written.attributes,
    }
}

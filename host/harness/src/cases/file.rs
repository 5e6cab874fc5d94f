//! A file of cases as it is written.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use thiserror::Error;
use toml::{Spanned, Table};

use super::words::{Broken, Checked, Kept, Octets, Period, Placed, Searches, Value};

/// The largest file of cases, in octets.
const MAX_FILE: usize = 64 << 20;

/// What is wrong with a file of cases.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{}{}: {message}", path.display(), place(*line, *column))]
pub struct CasesError {
    /// The file.
    pub path: PathBuf,
    /// The line, from one; zero for the file as a whole.
    pub line: usize,
    /// The column, from one.
    pub column: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

/// Nothing for the file as a whole.
fn place(line: usize, column: usize) -> String {
    if line == 0 { String::new() } else { format!(":{line}:{column}") }
}

/// A file's text, and where in it something stands.
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    text: String,
}

impl<'a> Source<'a> {
    pub(super) fn read(path: &'a Path) -> Result<Self, CasesError> {
        let wrong = |message| CasesError { path: path.into(), line: 0, column: 0, message };
        let text = std::fs::read(path)
            .map_err(|error| wrong(format!("the cases cannot be read: {error}")))?;
        if text.len() > MAX_FILE {
            return Err(wrong("this is far too large for cases".into()));
        }
        let text = String::from_utf8(text).map_err(|_| wrong("this is not UTF-8".into()))?;
        Ok(Self { path, text })
    }

    /// A file beside this one.
    pub(super) fn beside(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or_else(|| Path::new("")).join(path)
    }

    pub(super) fn parse(&self) -> Result<File, CasesError> {
        toml::from_str(&self.text).map_err(|error| {
            self.wrong(&error.span().unwrap_or_default(), error.message().to_owned())
        })
    }

    pub(super) fn line(&self, at: usize) -> usize {
        self.text.get(..at).unwrap_or(&self.text).matches('\n').count() + 1
    }

    pub(super) fn wrong(&self, span: &Range<usize>, message: impl Into<String>) -> CasesError {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let (path, line) = (self.path.into(), self.line(span.start));
        CasesError { path, line, column, message: message.into() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct File {
    #[serde(default)]
    pub(super) policy: Policy,
    #[serde(default)]
    pub(super) directory: BTreeMap<String, Spanned<Directory>>,
    #[serde(default)]
    pub(super) context: Context,
    #[serde(default, rename = "case")]
    pub(super) cases: Vec<Spanned<Case>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Policy {
    pub(super) plugin: Option<String>,
    pub(super) name: Option<String>,
    pub(super) sha256: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) directories: BTreeMap<String, Spanned<Vec<String>>>,
    pub(super) targets: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) settings: Table,
    #[serde(default)]
    pub(super) files: BTreeMap<String, Spanned<PathBuf>>,
}

/// The limits of a policy that differ from production's, as in a configuration.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Limits {
    cpu: Option<Period>,
    wall: Option<Period>,
    host_call: Option<Period>,
    searches: Option<u32>,
    bytes: Option<Octets>,
    memory: Option<Octets>,
    concurrency: Option<NonZeroU32>,
    queue_wait: Option<Period>,
    configure_cpu: Option<Period>,
    configure_wall: Option<Period>,
}

impl Limits {
    /// Puts what is written in the place of what was there.
    pub(super) fn apply(&self, limits: &mut waypost_policy::Limits) {
        let period = |from: Option<Period>, to: &mut std::time::Duration| {
            *to = from.map_or(*to, |Period(period)| period);
        };
        period(self.cpu, &mut limits.cpu);
        period(self.wall, &mut limits.wall);
        period(self.host_call, &mut limits.host_call);
        period(self.queue_wait, &mut limits.queue_wait);
        period(self.configure_cpu, &mut limits.configure_cpu);
        period(self.configure_wall, &mut limits.configure_wall);
        limits.searches = self.searches.unwrap_or(limits.searches);
        limits.bytes = self.bytes.map_or(limits.bytes, |Octets(octets)| octets);
        limits.memory = self.memory.map_or(limits.memory, |Octets(octets)| octets);
        let concurrency = self.concurrency.and_then(|number| usize::try_from(number.get()).ok());
        limits.concurrency = concurrency.unwrap_or(limits.concurrency);
    }
}

/// A directory of the file, or what a case changes in it.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Directory {
    pub(super) content: Option<String>,
    pub(super) ldif: Option<PathBuf>,
    #[serde(default)]
    pub(super) replay: bool,
    pub(super) base: Option<String>,
    pub(super) password_field: Option<String>,
    pub(super) error: Option<Broken>,
    pub(super) delay: Option<Period>,
    pub(super) at: Option<NonZeroU32>,
}

/// What is known of the client.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Context {
    pub(super) protocol: Option<Protocol>,
    pub(super) listener: Option<String>,
    pub(super) client_address: Option<std::net::IpAddr>,
    pub(super) encrypted: Option<bool>,
    pub(super) mechanism: Option<String>,
    pub(super) login_name: Option<String>,
    pub(super) authentication_id: Option<String>,
    pub(super) certificate_name: Option<String>,
    pub(super) sender: Option<String>,
    pub(super) now: Option<u64>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Protocol {
    Imap,
    Pop3,
    Smtp,
    Lmtp,
    Submission,
    Webmail,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Purpose {
    #[default]
    Login,
    Recipient,
    Identify,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) address: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) purpose: Purpose,
    #[serde(default)]
    pub(super) context: Context,
    #[serde(default)]
    pub(super) settings: Table,
    #[serde(default)]
    pub(super) files: BTreeMap<String, Spanned<PathBuf>>,
    #[serde(default)]
    pub(super) without_settings: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) limits: Limits,
    pub(super) targets: Option<Spanned<Vec<String>>>,
    pub(super) repeat: Option<NonZeroU32>,
    #[serde(default)]
    pub(super) directory: BTreeMap<String, Spanned<Directory>>,
    #[serde(default)]
    pub(super) replay: Vec<Spanned<Exchange>>,
    pub(super) expect: Expect,
}

/// A recorded search.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Exchange {
    pub(super) directory: String,
    pub(super) base: String,
    pub(super) scope: Scope,
    pub(super) filter: String,
    #[serde(default)]
    pub(super) attributes: Vec<String>,
    pub(super) size_limit: u32,
    #[serde(default)]
    pub(super) entries: Vec<Entry>,
    #[serde(default = "yes")]
    pub(super) complete: bool,
    pub(super) error: Option<Broken>,
}

fn yes() -> bool {
    true
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Scope {
    Base,
    OneLevel,
    Subtree,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) dn: String,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, Vec<Value>>,
}

/// What must come back.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Expect {
    pub(super) decision: Option<Decision>,
    pub(super) failure: Option<Failure>,
    pub(super) fault: Option<Fault>,
    pub(super) target_denied: Option<String>,
    pub(super) problems: Option<Vec<String>>,
    pub(super) not_loaded: Option<String>,

    pub(super) targets: Option<Vec<Placed>>,
    pub(super) identity: Option<Kept<Arc<str>>>,
    pub(super) verification: Option<Checked>,
    pub(super) refusal: Option<Refusal>,
    pub(super) cache_for: Option<Kept<Period>>,
    pub(super) text: Option<String>,

    pub(super) searches: Option<Searches>,
    pub(super) log: Option<Vec<String>>,
    pub(super) log_contains: Option<Vec<String>>,
    pub(super) reads: Option<Vec<String>>,
    #[serde(default)]
    pub(super) within: Within,
}

/// Makes an enumeration of words, each the name that logs and metrics have for it.
macro_rules! words {
    ($(#[$about:meta])* $name:ident: $($word:ident => $text:literal),+ $(,)?) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub(super) enum $name {
            $($word),+
        }

        impl $name {
            pub(super) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => $text),+
                }
            }
        }
    };
}

words! { Decision: Route => "route", Refuse => "refuse", Defer => "defer", Pass => "pass" }
words! {
    Refusal:
    UnknownUser => "unknown-user",
    DisabledUser => "disabled-user",
    Denied => "denied",
    Other => "other",
}
words! {
    Failure:
    DirectoryUnavailable => "directory-unavailable",
    Ambiguous => "ambiguous",
    BadData => "bad-data",
    Misconfigured => "misconfigured",
    Other => "other",
}
words! {
    Fault:
    Trap => "trap",
    Cpu => "cpu",
    Deadline => "deadline",
    Memory => "memory",
    InvalidOutput => "invalid-output",
    Saturated => "saturated",
    NotLoaded => "not-loaded",
}

/// What a decision may cost, below the limits.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Within {
    pub(super) time: Option<Period>,
    pub(super) cpu: Option<Period>,
    pub(super) memory: Option<Octets>,
    pub(super) searches: Option<u32>,
    pub(super) bytes: Option<Octets>,
}

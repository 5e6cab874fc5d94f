//! What is seen as what `waypost plugin test` reads: the counterpart of `cases::file`.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use toml::{Table, Value};
use waypost_directory::{Exchange, Scope, SearchError, rewritten_dn};
use waypost_model::{
    Answer, ContextField, ContextReads, Decision, Fault, Host, Principal, Purpose, Route, Target,
    Trouble, Verification,
};
use waypost_policy::{Exchanged, Limits, PluginSource};

use super::pseudonyms::{Cover, Pseudonyms};
use super::{Recorded, Seen};

/// What covers texts; without pseudonyms nothing does.
pub(super) type Covering<'a> = (&'a Cover, Option<&'a mut Pseudonyms>);

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Head {
    policy: Policy,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    directory: BTreeMap<String, Directory>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Policy {
    plugin: String,
    name: String,
    sha256: String,
    directories: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    targets: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Table::is_empty")]
    limits: Table,
    settings: Value,
}

#[derive(Serialize)]
struct Directory {
    replay: bool,
    base: String,
}

#[derive(Serialize)]
struct Cases {
    case: [Case; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Case {
    name: String,
    address: String,
    purpose: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    targets: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Table::is_empty")]
    context: Table,
    expect: Table,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    replay: Vec<Replay>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Replay {
    directory: String,
    base: String,
    scope: &'static str,
    filter: String,
    attributes: Vec<String>,
    size_limit: u32,
    #[serde(skip_serializing_if = "is_true")]
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entries: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    dn: String,
    attributes: BTreeMap<String, Vec<Value>>,
}

fn is_true(flag: &bool) -> bool {
    *flag
}

/// What a file begins with: the policy, and the directories that are replayed.
pub(super) fn head(policy: &Recorded, covering: Covering<'_>) -> String {
    let mut texts = Texts(covering);
    let settings = &policy.settings;
    let name = settings.name.to_string();
    let is_covered = texts.0.1.is_some();
    let directories = settings.directories.iter().map(|granted| {
        let base = texts.dn(granted.directory.base());
        (granted.directory.name().to_string(), Directory { replay: true, base })
    });
    let head = Head {
        directory: directories.collect(),
        policy: Policy {
            plugin: plugin(&settings.plugin),
            sha256: policy.digest.clone(),
            directories: policy.grants.iter().cloned().collect(),
            // An invented address lies in no network that was granted.
            targets: (!is_covered).then(|| policy.targets.clone()),
            limits: limits(&settings.limits),
            settings: serde_json::from_str(&settings.settings_json)
                .unwrap_or_else(|_| Value::Table(Table::new())),
            name,
        },
    };
    let about = if is_covered {
        "# Words and addresses stand for others, the same for the same in all of this recording. The\n\
         # settings stand as they are, and the words that are in them.\n"
    } else {
        "# Everything stands as it is: addresses, names, and what the directory holds of them.\n"
    };
    let policy = &head.policy.name;
    let said = toml::to_string(&head);
    format!(
        "# What the policy {policy} was asked, and what came of it. To ask it again:\n\
         #     waypost plugin test FILE\n{about}\n{}",
        said.unwrap_or_else(|error| format!("# It cannot be written down: {error}\n"))
    )
}

/// A decision as a case; `None` for one that would not come out alike again, since it was the
/// host's hurry that made it.
pub(super) fn text(name: &str, seen: &Seen, covering: Covering<'_>) -> Option<String> {
    let Seen { lookup, context, observation, .. } = seen;
    let consultation = &observation.consultation;
    let passing = |fault: &Fault| {
        matches!(fault, Fault::Deadline | Fault::Saturated | Fault::NotLoaded | Fault::Cpu)
    };
    // Cases are run with every way of verification allowed.
    if matches!(&consultation.result, Err(Trouble::VerificationDenied(_)))
        || matches!(&consultation.result, Err(Trouble::Fault(fault)) if passing(fault))
    {
        return None;
    }
    let mut texts = Texts(covering);
    let address = texts.text(lookup.address.as_str());
    let sent = observation.exchanges.iter().filter(|exchanged| exchanged.is_sent);
    let replay = sent.map(|exchanged| texts.replay(exchanged)).collect::<Option<Vec<_>>>()?;
    let case = Case {
        name: name.to_owned(),
        address,
        purpose: match lookup.purpose {
            Purpose::Login => "login",
            Purpose::Recipient => "recipient",
            Purpose::Identify => "identify",
        },
        context: texts.context(context, consultation.reads),
        // A target that was denied is denied again where none is granted.
        targets: match &consultation.result {
            Err(Trouble::TargetDenied(_)) => Some(Vec::new()),
            _ => None,
        },
        expect: texts.expect(&consultation.result, consultation.reads),
        replay,
    };
    let said = toml::to_string(&Cases { case: [case] }).ok()?;
    Some(format!("\n{said}"))
}

/// Texts as they are written.
struct Texts<'a>(Covering<'a>);

impl Texts<'_> {
    fn text(&mut self, text: &str) -> String {
        match &mut self.0 {
            (cover, Some(pseudonyms)) => pseudonyms.text(text, cover),
            (_, None) => text.to_owned(),
        }
    }

    fn octets(&mut self, value: &[u8]) -> Vec<u8> {
        match &mut self.0 {
            (cover, Some(pseudonyms)) => pseudonyms.octets(value, cover),
            (_, None) => value.to_owned(),
        }
    }

    fn dn(&mut self, dn: &str) -> String {
        match self.0.1 {
            Some(_) => rewritten_dn(dn, &mut |value| self.octets(value)),
            None => dn.to_owned(),
        }
    }

    fn replay(&mut self, exchanged: &Exchanged) -> Option<Replay> {
        let exchange = match self.0.1 {
            Some(_) => exchanged.exchange.rewritten(&mut |value| self.octets(value))?,
            None => exchanged.exchange.clone(),
        };
        let Exchange { base, scope, filter, attributes, size_limit, answer } = exchange;
        let (page, error) = match answer {
            Ok(page) => (page, None),
            Err(error) => (waypost_directory::Page::empty(), Some(self.error(&error))),
        };
        let entries = page.entries.into_iter().map(|entry| Entry {
            dn: entry.dn,
            attributes: entry
                .attributes
                .into_iter()
                .map(|(name, values)| (name, values.into_iter().map(value).collect()))
                .collect(),
        });
        Some(Replay {
            directory: exchanged.directory.to_string(),
            base,
            scope: match scope {
                Scope::Base => "base",
                Scope::OneLevel => "one-level",
                Scope::Subtree => "subtree",
            },
            filter,
            attributes,
            size_limit,
            complete: page.complete,
            error,
            entries: entries.collect(),
        })
    }

    /// The directory's own words may name somebody.
    fn error(&mut self, error: &SearchError) -> Value {
        let table = |kind: &str, words: &str| {
            Value::Table(Table::from_iter([(kind.to_owned(), Value::from(words))]))
        };
        match error {
            SearchError::Unavailable(_) => "unavailable".into(),
            SearchError::Timeout => "timeout".into(),
            SearchError::TooLarge => "too-large".into(),
            SearchError::BadRequest(words) => table("bad-request", &self.text(words)),
            SearchError::Other(words) => table("other", &self.text(words)),
        }
    }

    /// What the decision has read of the client, and nothing else.
    fn context(&mut self, context: &waypost_model::Context, reads: ContextReads) -> Table {
        let mut table = Table::new();
        for field in reads.iter() {
            let mut of = |text: &Option<std::sync::Arc<str>>| {
                text.as_ref().map(|text| Value::from(self.text(text)))
            };
            let value = match field {
                ContextField::Protocol => Some(context.protocol.as_str().into()),
                ContextField::Listener => Some((*context.listener).into()),
                ContextField::Encrypted => Some(context.encrypted.into()),
                ContextField::Mechanism => context.mechanism.as_deref().map(Value::from),
                ContextField::LoginName => of(&context.login_name),
                ContextField::AuthenticationId => of(&context.authentication_id),
                ContextField::CertificateName => of(&context.certificate_name),
                ContextField::Sender => of(&context.sender),
                ContextField::Now => i64::try_from(context.now_seconds()).ok().map(Value::from),
                ContextField::ClientAddress => {
                    Some(self.text(&context.client_address.to_canonical().to_string()).into())
                }
            };
            table.extend(value.map(|value| (field.as_str().to_owned(), value)));
        }
        table
    }

    fn expect(&mut self, result: &Result<Answer, Trouble>, reads: ContextReads) -> Table {
        let mut table = Table::new();
        let mut set = |key: &str, value: Value| drop(table.insert(key.to_owned(), value));
        match result {
            Ok(answer) => {
                match &answer.decision {
                    Decision::Route(route) => {
                        set("decision", "route".into());
                        self.route(route, &mut set);
                    }
                    Decision::Refuse(refusal) => {
                        set("decision", "refuse".into());
                        set("refusal", refusal.kind().into());
                    }
                    Decision::Defer(_) => set("decision", "defer".into()),
                    Decision::Pass => set("decision", "pass".into()),
                }
                let cache_for = answer.cache_for.map(period);
                set("cache-for", cache_for.map_or(Value::Boolean(false), Value::from));
            }
            Err(Trouble::Failure(failure)) => set("failure", failure.kind().into()),
            Err(Trouble::Fault(fault)) => set("fault", fault.kind().into()),
            Err(Trouble::TargetDenied(_)) => set("target-denied", "".into()),
            // The former is not written, and no consultation ends in the latter.
            Err(Trouble::VerificationDenied(_) | Trouble::Deferred(_)) => {}
        }
        let reads: Vec<Value> = reads.iter().map(|field| field.as_str().into()).collect();
        set("reads", reads.into());
        table
    }

    fn route(&mut self, route: &Route, set: &mut impl FnMut(&str, Value)) {
        let targets: Vec<Value> = route.targets.iter().map(|target| self.target(target)).collect();
        set("targets", targets.into());
        let identity = route.identity.as_ref().map(|identity| self.text(identity));
        set("identity", identity.map_or(Value::Boolean(false), Value::from));
        let mut by = |how: &str, Principal { directory, dn }: &Principal| {
            let principal = Table::from_iter([
                ("directory".to_owned(), Value::from(&**directory)),
                ("dn".to_owned(), self.dn(dn).into()),
            ]);
            Value::Table(Table::from_iter([(how.to_owned(), Value::Table(principal))]))
        };
        let verification = match &route.verification {
            Verification::ByBackend => "by-backend".into(),
            Verification::ByBind(principal) => by("by-bind", principal),
            Verification::ByPassword(principal) => by("by-password", principal),
        };
        set("verification", verification);
    }

    fn target(&mut self, target: &Target) -> Value {
        let host = match &target.host {
            Host::Name(name) => self.text(name.as_str()),
            Host::Address(address) => self.text(&address.to_string()),
        };
        let mut table = Table::from_iter([("host".to_owned(), Value::from(host))]);
        let port = target.port.map(|port| ("port".to_owned(), i64::from(port.get()).into()));
        let tls = target.encryption.map(|tls| ("tls".to_owned(), tls.as_str().into()));
        let name = target.tls_name.as_ref();
        let name = name.map(|name| ("tls-name".to_owned(), self.text(name.as_str()).into()));
        table.extend([port, tls, name].into_iter().flatten());
        Value::Table(table)
    }
}

fn value(octets: Vec<u8>) -> Value {
    String::from_utf8(octets).map_or_else(
        |error| {
            let base64 = STANDARD.encode(error.as_bytes());
            Value::Table(Table::from_iter([("base64".to_owned(), base64.into())]))
        },
        Value::from,
    )
}

fn plugin(source: &PluginSource) -> String {
    match source {
        PluginSource::Builtin { .. } => source.to_string(),
        // The recording lies elsewhere.
        PluginSource::File(path) => {
            std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string()
        }
    }
}

/// The limits that are not production's.
fn limits(limits: &Limits) -> Table {
    let usual = Limits::default();
    let count = |number: u64| Value::from(i64::try_from(number).unwrap_or(i64::MAX));
    let size = |octets: usize| Value::from(format!("{octets}B"));
    let all = [
        ("cpu", limits.cpu != usual.cpu, period(limits.cpu).into()),
        ("wall", limits.wall != usual.wall, period(limits.wall).into()),
        ("host-call", limits.host_call != usual.host_call, period(limits.host_call).into()),
        ("searches", limits.searches != usual.searches, count(limits.searches.into())),
        ("bytes", limits.bytes != usual.bytes, size(limits.bytes)),
        ("memory", limits.memory != usual.memory, size(limits.memory)),
        (
            "configure-cpu",
            limits.configure_cpu != usual.configure_cpu,
            period(limits.configure_cpu).into(),
        ),
        (
            "configure-wall",
            limits.configure_wall != usual.configure_wall,
            period(limits.configure_wall).into(),
        ),
    ];
    let others = all.into_iter().filter(|(_, differs, _)| *differs);
    others.map(|(key, _, value)| (key.to_owned(), value)).collect()
}

fn period(period: Duration) -> String {
    format!("{}ms", period.as_millis())
}

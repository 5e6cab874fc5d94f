//! From the configuration to what the crates are built with.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use waypost_directory::Grant;
use waypost_model::Protocol;
use waypost_net::backend::{Backend as NetBackend, BackendSettings, BackendTable};
use waypost_net::tls::{Connector, ConnectorError, ConnectorSettings};
use waypost_policy::{GrantedDirectory, LoadError, PolicySettings, read_setting_file};
use waypost_routing::{DomainTable, DomainTableError, PolicyIdentity, Served};

use crate::Config;
use crate::places::token;
use crate::problem::Problems;
use crate::sections::backend::Backend;
use crate::sections::policy::Policy;
use crate::suggest::nearest;

impl Config {
    /// What a policy is loaded with. `directories` are those of this configuration, by name. Reads
    /// the files that become settings, as they are now, and blocks for as long as that takes.
    ///
    /// # Errors
    /// A directory that is not among them, and files that cannot become settings.
    pub fn policy_settings(
        &self,
        policy: &Policy,
        directories: &HashMap<Arc<str>, waypost_directory::Directory>,
    ) -> Result<PolicySettings, Problems> {
        let mut granted = Vec::new();
        for (name, attributes) in &policy.directories {
            let pointer = format!("/policy/{}/directories/{}", token(&policy.name), token(name));
            let Some(directory) = directories.get(name) else {
                return Err(self
                    .problem(&pointer, format!("the directory {name} is not loaded"))
                    .into());
            };
            let readable = attributes.iter().map(String::as_str);
            let grant = Grant::new(readable, directory.secret_attributes())
                .map_err(|error| self.problem(&pointer, error.to_string()))?;
            granted.push(GrantedDirectory { directory: directory.clone(), grant });
        }
        Ok(PolicySettings {
            name: policy.name.clone(),
            plugin: policy.plugin.clone(),
            sha256: policy.sha256,
            settings_json: self.settings_with_files(policy)?,
            directories: granted,
            targets: policy.targets.clone(),
            verification: policy.verification,
            limits: policy.limits.clone(),
        })
    }

    /// The plugin's settings as text, with its files in them.
    fn settings_with_files(&self, policy: &Policy) -> Result<String, Problems> {
        let mut problems = Vec::new();
        let mut texts = Vec::new();
        for (name, path) in &policy.files {
            match read_setting_file(path) {
                Ok(text) => texts.push((name.clone(), text)),
                Err(error) => {
                    let pointer = format!("/policy/{}/files/{}", token(&policy.name), token(name));
                    problems.push(self.problem(&pointer, format!("{} {error}", path.display())));
                }
            }
        }
        match problems.is_empty() {
            true => Ok(policy.settings.with_texts(texts).to_string()),
            false => Err(Problems(problems)),
        }
    }

    /// What the answers of a policy depend on, for the route cache. `component` is the digest of
    /// the component that was loaded, and `settings` the text that it was loaded with: files may
    /// have changed behind the same paths.
    pub fn policy_identity(
        &self,
        policy: &Policy,
        component: &str,
        settings: &str,
    ) -> PolicyIdentity {
        let granted: Vec<_> = policy
            .directories
            .iter()
            .map(|(name, attributes)| {
                let directory = self.directories.iter().find(|known| known.name() == name);
                format!("{name} {attributes:?} {directory:?}")
            })
            .collect();
        let targets = policy.targets_written.join(" ");
        let verification = format!("{:?}", policy.verification);
        let parts = [component, settings, &targets, &verification];
        let parts = parts.into_iter().chain(granted.iter().map(String::as_str));
        PolicyIdentity::of(parts.map(str::as_bytes))
    }

    /// Why a policy cannot be loaded, with the places to look at.
    pub fn load_problems(&self, policy: &str, error: &LoadError) -> Problems {
        let table = format!("/policy/{}", token(policy));
        let at =
            |setting: &str, message: String| self.problem(&format!("{table}{setting}"), message);
        if let LoadError::Problems(problems) = error {
            let files = self.policies.iter().find(|known| *known.name == *policy);
            let files = files.map(|policy| &policy.files);
            let is_file = |pointer: &str| {
                let name = pointer.split('/').nth(1).unwrap_or_default();
                files.is_some_and(|files| files.keys().any(|file| token(file) == name))
            };
            // What is missing may be there under a name that is not known.
            let missing = || {
                let pointers = problems.iter().map(|(pointer, _)| pointer.as_str());
                pointers.filter(|pointer| !self.places.has(&format!("{table}/settings{pointer}")))
            };
            let problem = |(pointer, message): &(String, String)| {
                let kind = if is_file(pointer) { "files" } else { "settings" };
                let mut problem = at(&format!("/{kind}{pointer}"), message.clone());
                if self.places.has(&format!("{table}/settings{pointer}")) {
                    let meant =
                        nearest(pointer, missing()).and_then(|meant| meant.rsplit('/').next());
                    problem.help = meant.map(|meant| format!("did you mean {meant}?"));
                }
                problem
            };
            return Problems(problems.iter().map(problem).collect());
        }
        let setting = match error {
            LoadError::Digest { .. } => "/sha256",
            LoadError::Memory { .. } => "/limits/memory",
            LoadError::Configure(_) => "/settings",
            _ => "/plugin",
        };
        Problems(vec![at(setting, error.to_string())])
    }

    /// The names of the policies that are asked in the shadow of others, each once.
    pub fn shadows(&self) -> BTreeSet<&Arc<str>> {
        self.domains.iter().filter_map(|domain| domain.shadow.as_ref()).collect()
    }

    /// The table of domains, with the policies that were loaded, by name, and those that were
    /// loaded to be shadows.
    ///
    /// # Errors
    /// None for policies of this configuration.
    pub fn domain_table<P>(
        &self,
        policies: &HashMap<Arc<str>, Arc<P>>,
        shadows: &HashMap<Arc<str>, Arc<P>>,
    ) -> Result<DomainTable<P>, DomainTableError> {
        DomainTable::new(self.domains.iter().map(|domain| Served {
            pattern: domain.pattern.clone(),
            policies:
                domain.policies.iter().filter_map(|name| policies.get(name)).cloned().collect(),
            on_fault: domain.on_fault,
            shadow: domain.shadow.as_ref().and_then(|name| shadows.get(name)).cloned(),
        }))
    }

    /// The table of back ends. Reads the files of trusted authorities.
    ///
    /// # Errors
    /// Authorities that cannot be used.
    pub fn backend_table(&self) -> Result<BackendTable, Problems> {
        let mut connectors = Connectors::default();
        let mut entries = Vec::new();
        for backend in &self.backends {
            let pointer = format!("/backend/{}", token(&backend.pattern.to_string()));
            let connector = connectors
                .connector(&backend.tls)
                .map_err(|error| self.problem(&format!("{pointer}/ca"), error.to_string()))?;
            entries.push((backend.pattern.clone(), entry(backend, &connector)));
        }
        // Without the system's authorities the defaults refuse what needs TLS, which is safe.
        let usual = connectors.connector(&ConnectorSettings::default()).ok();
        let any = NetBackend::new(|protocol| BackendSettings {
            tls: usual.clone(),
            ..BackendSettings::new(protocol)
        });
        let table = BackendTable::new(entries, any);
        Ok(table.map_err(|error| self.problem("/backend", error.to_string()))?)
    }
}

fn entry(backend: &Backend, connector: &Connector) -> NetBackend {
    NetBackend::new(|protocol| {
        let position = Protocol::ALL.iter().position(|other| *other == protocol);
        let settings = position.and_then(|position| backend.settings.get(position));
        BackendSettings {
            tls: Some(connector.clone()),
            ..settings.cloned().unwrap_or_else(|| BackendSettings::new(protocol))
        }
    })
}

/// One connector for equal settings: the system's authorities are read once, and sessions are
/// resumed across entries.
#[derive(Default)]
struct Connectors(Vec<(ConnectorSettings, Connector)>);

impl Connectors {
    fn connector(&mut self, settings: &ConnectorSettings) -> Result<Connector, ConnectorError> {
        let same = |known: &&(ConnectorSettings, Connector)| {
            known.0.roots == settings.roots
                && known.0.verify == settings.verify
                && known.0.minimum_version == settings.minimum_version
        };
        if let Some((_, connector)) = self.0.iter().find(same) {
            return Ok(connector.clone());
        }
        let connector = Connector::new(settings.clone())?;
        self.0.push((settings.clone(), connector.clone()));
        Ok(connector)
    }
}

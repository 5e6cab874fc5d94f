//! From a configuration to the generation that serves it. Whatever is wrong is said with its place,
//! and nothing comes of it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::spawn_blocking;
use waypost_config::{Config, Problems};
use waypost_directory::{
    Directory, LdapDirectory, LdapSettings, LdifDirectory, LdifSettings, LdifSource,
};
use waypost_harness::record::Recorder;
use waypost_policy::{Host, Policy, PolicySettings};
use waypost_routing::LoadedPolicy;
use waypost_session::Generation;

use crate::record;

/// What generations are made with, and what they hand on to each other.
pub(crate) struct Maker {
    host: Host,
    metrics: waypost_directory::Metrics,
    /// Writes down what policies decide, where that is wanted.
    recorder: Option<Recorder>,
    /// LDAP directories of the current generation: one that has not changed keeps its connections.
    connected: Mutex<HashMap<Arc<str>, (LdapSettings, Directory)>>,
}

/// Policies that are loaded, by the name in the configuration.
type Policies = HashMap<Arc<str>, Arc<LoadedPolicy>>;

/// A generation, and by name what it was made of.
pub(crate) struct Made {
    pub(crate) generation: Generation<LoadedPolicy>,
    pub(crate) directories: HashMap<Arc<str>, Directory>,
    pub(crate) policies: Policies,
    connected: HashMap<Arc<str>, (LdapSettings, Directory)>,
}

impl Maker {
    pub(crate) fn new(
        host: Host,
        metrics: waypost_directory::Metrics,
        recorder: Option<Recorder>,
    ) -> Self {
        Self { host, metrics, recorder, connected: Mutex::default() }
    }

    /// Makes a generation. Must be called on the control thread's runtime, where the directories'
    /// connections live from then on. Compiling is done beside it.
    pub(crate) async fn make(&self, config: &Arc<Config>) -> Result<Made, Problems> {
        let mut problems = Vec::new();
        let (directories, connected) = self.directories(config, &mut problems).await;
        let (policies, shadows) = if problems.is_empty() {
            self.policies(config, &directories, &mut problems).await
        } else {
            (HashMap::new(), HashMap::new())
        };
        let backends = config.backend_table().map_err(|found| problems.extend(found.0)).ok();
        let Some(backends) = backends.filter(|_| problems.is_empty()) else {
            return Err(Problems(problems));
        };
        // Only now: a domain whose policy could not be loaded is not wrong for that.
        let domains = config
            .domain_table(&policies, &shadows)
            .map_err(|error| Problems(vec![config.problem("/domain", error.to_string())]))?;
        let generation = Generation { domains, backends, directories: directories.clone() };
        Ok(Made { generation, directories, policies, connected })
    }

    /// Notes that a generation is in force: the directories that it shares with the one before
    /// stay, the others' connections end with the decisions that still use them.
    pub(crate) fn adopt(&self, made: Made) -> Generation<LoadedPolicy> {
        *self.connected.lock() = made.connected;
        made.generation
    }

    async fn directories(
        &self,
        config: &Config,
        problems: &mut Vec<waypost_config::Problem>,
    ) -> (HashMap<Arc<str>, Directory>, HashMap<Arc<str>, (LdapSettings, Directory)>) {
        let mut all = HashMap::new();
        let mut connected = HashMap::new();
        for configured in &config.directories {
            let name = configured.name().clone();
            let made = match configured {
                waypost_config::Directory::Ldap(settings) => {
                    self.ldap(settings).inspect(|directory| {
                        connected.insert(name.clone(), (settings.clone(), directory.clone()));
                    })
                }
                waypost_config::Directory::Ldif(settings) => self.ldif(settings).await,
            };
            match made {
                Ok(directory) => {
                    all.insert(name, directory);
                }
                Err(error) => {
                    problems.push(config.problem(&format!("/directory/{name}"), error));
                }
            }
        }
        (all, connected)
    }

    fn ldap(&self, settings: &LdapSettings) -> Result<Directory, String> {
        if let Some((known, directory)) = self.connected.lock().get(&settings.name)
            && known == settings
        {
            return Ok(directory.clone());
        }
        LdapDirectory::new(settings.clone(), &self.metrics)
            .map(Directory::Ldap)
            .map_err(|error| error.to_string())
    }

    /// A large file takes a second: nobody waits for that on the control thread.
    async fn ldif(&self, settings: &LdifSettings) -> Result<Directory, String> {
        let (settings, metrics) = (settings.clone(), self.metrics.clone());
        let loading = spawn_blocking(move || LdifDirectory::load(settings, &metrics));
        match loading.await {
            Ok(Ok(directory)) => Ok(Directory::Ldif(directory)),
            Ok(Err(error)) => Err(error.to_string()),
            Err(panicked) => Err(format!("loading the file failed: {panicked}")),
        }
    }

    /// The policies, and once more those that are asked in the shadow of others: a shadow has
    /// budgets, a breaker and a place in the metrics of its own, and shares the compiled code.
    async fn policies(
        &self,
        config: &Arc<Config>,
        directories: &HashMap<Arc<str>, Directory>,
        problems: &mut Vec<waypost_config::Problem>,
    ) -> (Policies, Policies) {
        let (mut policies, mut shadows) = (HashMap::new(), HashMap::new());
        let shadowing = config.shadows();
        for configured in &config.policies {
            let name = &configured.name;
            match self.policy(config, configured, directories, name.clone()).await {
                Ok(policy) => {
                    let policy = self.recorded(policy, config, configured, directories);
                    policies.insert(name.clone(), Arc::new(policy))
                }
                Err(found) => {
                    problems.extend(found.0);
                    continue;
                }
            };
            if shadowing.contains(name) {
                let shadow = format!("shadow:{name}").into();
                match self.policy(config, configured, directories, shadow).await {
                    Ok(policy) => drop(shadows.insert(name.clone(), Arc::new(policy))),
                    Err(found) => problems.extend(found.0),
                }
            }
        }
        (policies, shadows)
    }

    /// The policy, and its decisions written down where that is wanted.
    fn recorded(
        &self,
        policy: LoadedPolicy,
        config: &Config,
        configured: &waypost_config::Policy,
        directories: &HashMap<Arc<str>, Directory>,
    ) -> LoadedPolicy {
        let Some(recorder) = &self.recorder else { return policy };
        match config.policy_settings(configured, directories) {
            Ok(settings) => record::watched(policy, recorder, configured, settings),
            // It has just been loaded with them.
            Err(_) => policy,
        }
    }

    /// One policy under the name that logs and metrics shall have for it.
    async fn policy(
        &self,
        config: &Arc<Config>,
        configured: &waypost_config::Policy,
        directories: &HashMap<Arc<str>, Directory>,
        name: Arc<str>,
    ) -> Result<LoadedPolicy, Problems> {
        let host = self.host.clone();
        let (directories, configured) = (directories.clone(), configured.clone());
        let pointer = format!("/policy/{}/plugin", configured.name);
        let load = {
            let config = config.clone();
            move || load(&host, &config, &configured, &directories, name)
        };
        spawn_blocking(load).await.unwrap_or_else(|panicked| {
            let message = format!("loading the plugin failed: {panicked}");
            Err(config.problem(&pointer, message).into())
        })
    }
}

/// Loads a policy under the name that logs and metrics shall have for it. Reads large files and
/// compiles.
fn load(
    host: &Host,
    config: &Config,
    configured: &waypost_config::Policy,
    directories: &HashMap<Arc<str>, Directory>,
    name: Arc<str>,
) -> Result<LoadedPolicy, Problems> {
    let settings = config.policy_settings(configured, directories)?;
    let given = settings.settings_json.clone();
    let policy = Policy::load(host, PolicySettings { name, ..settings })
        .map_err(|error| config.load_problems(&configured.name, &error))?;
    let made_of = format!("{} {}", policy.digest(), content(config, configured));
    let identity = config.policy_identity(configured, &made_of, &given);
    Ok(LoadedPolicy::new(policy, identity))
}

/// What the LDIF files of a policy hold now. A file that has changed makes another policy, so that
/// no route of the old one is used any more.
fn content(config: &Config, policy: &waypost_config::Policy) -> String {
    let mut hash = DefaultHasher::new();
    for directory in &config.directories {
        if let waypost_config::Directory::Ldif(settings) = directory
            && policy.directories.contains_key(directory.name())
            && let LdifSource::File(path) = &settings.source
        {
            std::fs::read(path).unwrap_or_default().hash(&mut hash);
        }
    }
    format!("{:016x}", hash.finish())
}

#[cfg(test)]
mod tests;

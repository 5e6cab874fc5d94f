//! Asking what the cases ask.

use std::collections::BTreeMap;

use prometheus_client::registry::Registry;
use tokio::runtime::{Builder, Runtime};
use waypost_directory::{
    Directory, FaultyDirectory, Grant, LdifDirectory, Metrics, ReplayDirectory,
};
use waypost_model::VerificationGrant;
use waypost_policy::{
    Cost, EngineSettings, GrantedDirectory, Host, LoadError, Observation, PolicySettings,
    TargetPatterns,
};

use super::compare::{self, Difference};
use super::report::{CaseReport, Report};
use super::suite::{Case, Entries, Injected, Policy, Suite};

/// Decisions of one suite are made one after the other.
const CONCURRENCY: u32 = 2;

/// Why cases cannot be run at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// This machine cannot run policies.
    #[error(transparent)]
    Host(#[from] waypost_policy::HostError),
    /// There is no runtime.
    #[error("no runtime: {0}")]
    Runtime(std::io::Error),
    /// A directory of the cases, or a grant.
    #[error("{0}")]
    Surroundings(String),
    /// The component itself cannot be loaded, whatever the settings.
    #[error("{plugin}: {error}")]
    Plugin {
        /// The component.
        plugin: String,
        /// Why not.
        error: LoadError,
    },
}

impl Suite {
    /// Runs the cases whose name contains `filter`, in the order of the file, in the engine that
    /// serves sessions. Blocks; must not be called within an asynchronous runtime.
    ///
    /// # Errors
    /// When none can be run. A case that fails is no error: the report says so.
    pub fn run(&self, filter: &str) -> Result<Report, RunError> {
        let mut runner = Runner::new(self)?;
        let chosen = self.cases.iter().filter(|case| case.name.contains(filter));
        let cases = chosen.map(|case| runner.case(case)).collect::<Result<Vec<_>, _>>()?;
        Ok(Report {
            path: self.path.clone(),
            plugin: self.plugin.to_string(),
            digest: runner.digest,
            left_out: self.cases.len().saturating_sub(cases.len()),
            cases,
        })
    }
}

pub(super) struct Runner<'a> {
    suite: &'a Suite,
    host: Host,
    runtime: Runtime,
    metrics: Metrics,
    /// The policy of the case before: most cases share one.
    loaded: Option<(Policy, Loaded)>,
    digest: Option<String>,
}

/// A policy with the handles on what it asks.
struct Loaded {
    policy: Result<waypost_policy::Policy, NotLoaded>,
    faults: BTreeMap<String, FaultyDirectory>,
    replays: BTreeMap<String, ReplayDirectory>,
}

/// Why there is no policy.
pub(super) enum NotLoaded {
    Plugin(LoadError),
    /// A directory or a grant.
    Surroundings(String),
}

impl<'a> Runner<'a> {
    pub(super) fn new(suite: &'a Suite) -> Result<Self, RunError> {
        let settings = EngineSettings { concurrency: CONCURRENCY, ..EngineSettings::default() };
        let host = Host::new(&settings, waypost_policy::Metrics::unregistered())?;
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Self {
            suite,
            host,
            runtime: runtime.map_err(RunError::Runtime)?,
            metrics: Metrics::register(&mut Registry::default()),
            loaded: None,
            digest: None,
        })
    }

    /// The policy of a case, that of the case before where it is equal.
    fn loaded(&mut self, policy: &Policy) -> (Policy, Loaded) {
        let known = self.loaded.take().filter(|(known, _)| known == policy);
        known.unwrap_or_else(|| (policy.clone(), self.load(policy)))
    }

    /// Asks the question of a case so often, and answers what came of the last time and what each
    /// cost. `None` for a case that asks nothing, and for one whose policy must not load.
    pub(super) fn measure(
        &mut self,
        case: &Case,
        times: u32,
    ) -> Result<Option<(Observation, Vec<Cost>)>, RunError> {
        let Some((lookup, context)) = &case.question else { return Ok(None) };
        let (known, loaded) = self.loaded(&case.policy);
        let policy = match &loaded.policy {
            Ok(policy) => policy,
            Err(_) if case.expect.not_loaded.is_some() || case.expect.problems.is_some() => {
                return Ok(None);
            }
            Err(NotLoaded::Surroundings(reason)) => {
                return Err(RunError::Surroundings(reason.clone()));
            }
            Err(NotLoaded::Plugin(_)) => {
                let Err(NotLoaded::Plugin(error)) = loaded.policy else { return Ok(None) };
                return Err(RunError::Plugin { plugin: self.suite.plugin.to_string(), error });
            }
        };
        let mut costs = Vec::new();
        let mut last = None;
        for _ in 0..times {
            loaded.prepare(case);
            policy.reset_breaker();
            let seen = self.runtime.block_on(policy.observe(lookup, context));
            costs.push(seen.cost);
            last = Some(seen);
        }
        self.loaded = Some((known, loaded));
        Ok(last.map(|last| (last, costs)))
    }

    fn case(&mut self, case: &Case) -> Result<CaseReport, RunError> {
        let (policy, loaded) = self.loaded(&case.policy);
        let loaded = match loaded.policy {
            Err(NotLoaded::Plugin(error))
                if is_component(&error) && case.expect.not_loaded.is_none() =>
            {
                return Err(RunError::Plugin { plugin: self.suite.plugin.to_string(), error });
            }
            policy => Loaded { policy, ..loaded },
        };
        let report = self.ask(case, &loaded);
        self.loaded = Some((policy, loaded));
        Ok(report)
    }

    fn ask(&mut self, case: &Case, loaded: &Loaded) -> CaseReport {
        let policy = match &loaded.policy {
            Ok(policy) => policy,
            Err(error) => {
                return CaseReport::new(case, None, compare::not_loaded(&case.expect, error));
            }
        };
        self.digest.get_or_insert_with(|| policy.digest());
        let Some((lookup, context)) = &case.question else {
            return CaseReport::new(case, None, compare::loaded(&case.expect));
        };
        let mut costs = Vec::new();
        let mut differences = Vec::new();
        for _ in 0..case.repeat {
            loaded.prepare(case);
            policy.reset_breaker();
            let seen = self.runtime.block_on(policy.observe(lookup, context));
            costs.push(seen.cost);
            differences = compare::decided(&case.expect, &seen);
            differences.extend(loaded.left_over());
            if !differences.is_empty() {
                break;
            }
        }
        CaseReport::new(case, costs.into_iter().max_by_key(|cost| cost.cpu), differences)
    }

    fn load(&self, policy: &Policy) -> Loaded {
        let (mut faults, mut replays) = (BTreeMap::new(), BTreeMap::new());
        let policy = self.load_policy(policy, &mut faults, &mut replays);
        Loaded { policy, faults, replays }
    }

    /// Loads the policy, and notes the handles on its directories.
    fn load_policy(
        &self,
        policy: &Policy,
        faults: &mut BTreeMap<String, FaultyDirectory>,
        replays: &mut BTreeMap<String, ReplayDirectory>,
    ) -> Result<waypost_policy::Policy, NotLoaded> {
        let wrong = |name: &str, error: &dyn std::fmt::Display| {
            NotLoaded::Surroundings(format!("the directory {name}: {error}"))
        };
        let mut directories = Vec::new();
        for (name, entries) in &policy.directories {
            let directory = match entries {
                Entries::Ldif(settings) => {
                    let directory = LdifDirectory::load(settings.clone(), &self.metrics);
                    Directory::Ldif(directory.map_err(|error| wrong(name, &error))?)
                }
                Entries::Replay { base } => {
                    let replay = ReplayDirectory::new(name.as_str(), base);
                    let replay = replay.map_err(|error| wrong(name, &error))?;
                    replays.insert(name.clone(), replay.clone());
                    Directory::Replay(replay)
                }
            };
            let attributes = policy.grants.get(name).map(Vec::as_slice).unwrap_or_default();
            let readable = attributes.iter().map(String::as_str);
            let grant = Grant::new(readable, directory.secret_attributes());
            let grant = grant.map_err(|error| wrong(name, &error))?;
            let faulty = FaultyDirectory::new(directory);
            faults.insert(name.clone(), faulty.clone());
            directories.push(GrantedDirectory { directory: Directory::Faulty(faulty), grant });
        }
        let targets = TargetPatterns::parse(&policy.targets)
            .map_err(|error| NotLoaded::Surroundings(error.to_string()))?;
        let settings = PolicySettings {
            name: policy.name.clone(),
            plugin: self.suite.plugin.clone(),
            sha256: policy.sha256,
            settings_json: policy.settings.to_string(),
            directories,
            targets,
            verification: VerificationGrant::ALL,
            limits: policy.limits.clone(),
        };
        waypost_policy::Policy::load(&self.host, settings).map_err(NotLoaded::Plugin)
    }
}

impl Loaded {
    /// Puts directories into the state that the case wants.
    fn prepare(&self, case: &Case) {
        for (name, faulty) in &self.faults {
            faulty.heal();
            let Some(Injected { error, delay, at }) = case.injected.get(name) else { continue };
            error.iter().for_each(|error| faulty.fail(error.clone()));
            delay.iter().for_each(|delay| faulty.delay(*delay));
            at.iter().for_each(|at| faulty.only(*at));
        }
        for (name, replay) in &self.replays {
            replay.load(case.replay.get(name).cloned().unwrap_or_default());
        }
    }

    /// What was recorded and not asked for, and the other way round.
    fn left_over(&self) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (name, replay) in &self.replays {
            for left in replay.left() {
                let search = format!("{name} {left}");
                differences.push(Difference::new("replay", search, "not asked for"));
            }
            for search in replay.unrecorded() {
                let search = format!("{name} {search}");
                differences.push(Difference::new("replay", "no such search", search));
            }
        }
        differences
    }
}

/// Whether it is the component that cannot be loaded, whatever its settings.
fn is_component(error: &LoadError) -> bool {
    !matches!(
        error,
        LoadError::Problems(_)
            | LoadError::Configure(_)
            | LoadError::Memory { .. }
            | LoadError::Start(_)
    )
}

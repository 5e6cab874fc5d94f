use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use waypost_directory::{Directory, Grant};
use waypost_model::VerificationGrant;

use crate::TargetPatterns;

/// One policy as the operator configured it.
#[derive(Clone, Debug)]
pub struct PolicySettings {
    /// The name in the configuration; stands in logs and metrics.
    pub name: Arc<str>,
    /// Where the component comes from.
    pub plugin: PluginSource,
    /// The SHA-256 that the component must have, where the operator pinned one.
    pub sha256: Option<[u8; 32]>,
    /// The `settings` table as JSON, as `configure` gets it.
    pub settings_json: String,
    /// The directories that the policy may open.
    pub directories: Vec<GrantedDirectory>,
    /// The targets that the policy may name.
    pub targets: TargetPatterns,
    /// The ways of checking passwords that the policy may ask for.
    pub verification: VerificationGrant,
    /// What a decision may cost.
    pub limits: Limits,
}

/// A directory and what a policy may see of it.
#[derive(Clone)]
pub struct GrantedDirectory {
    /// The connector. The plugin opens it by its name.
    pub directory: Directory,
    /// The attributes that may be read and tested.
    pub grant: Grant,
}

impl fmt::Debug for GrantedDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrantedDirectory({})", self.directory.name())
    }
}

/// Where a component comes from.
#[derive(Clone)]
pub enum PluginSource {
    /// Embedded in the program.
    Builtin {
        /// What stands behind `builtin:` in the configuration.
        name: &'static str,
        /// The component.
        bytes: &'static [u8],
    },
    /// A file, read when the policy is loaded.
    File(PathBuf),
}

impl fmt::Display for PluginSource {
    /// As the configuration writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin { name, .. } => write!(f, "builtin:{name}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Debug for PluginSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginSource({self})")
    }
}

/// What a policy's decisions may cost. Whatever goes beyond ends the decision with a fault, but
/// where said otherwise. Times over an hour count as an hour.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Processor time of the plugin's own code, counted in milliseconds begun. 50 ms.
    pub cpu: Duration,
    /// From the start of the decision to its end, waiting included; should be less than mail
    /// clients have patience for. 5 s.
    pub wall: Duration,
    /// For one search; then the plugin gets `timeout` from it. 2 s.
    pub host_call: Duration,
    /// How many searches. 8.
    pub searches: u32,
    /// How many bytes all searches together may bring the plugin; beyond them it gets `too-large`.
    /// 1 MiB.
    pub bytes: usize,
    /// Linear memories and tables, summed; growth beyond is refused, and what the plugin then
    /// makes of that is a fault or not. 64 MiB.
    pub memory: usize,
    /// How many decisions of this policy may be under way at the same time. 64.
    pub concurrency: usize,
    /// How long a decision waits for one of them to end. 1 s.
    pub queue_wait: Duration,
    /// Processor time for `configure`, once at load. 10 s.
    pub configure_cpu: Duration,
    /// From the start of `configure` to its end. 30 s.
    pub configure_wall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu: Duration::from_millis(50),
            wall: Duration::from_secs(5),
            host_call: Duration::from_secs(2),
            searches: 8,
            bytes: 1 << 20,
            memory: 64 << 20,
            concurrency: 64,
            queue_wait: Duration::from_secs(1),
            configure_cpu: Duration::from_secs(10),
            configure_wall: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// The limits with nothing in them that could overflow a clock or never let anything run.
    pub(crate) fn bounded(self) -> Self {
        let hour = Duration::from_secs(3600);
        Self {
            wall: self.wall.min(hour),
            host_call: self.host_call.min(hour),
            concurrency: self.concurrency.clamp(1, Semaphore::MAX_PERMITS),
            queue_wait: self.queue_wait.min(hour),
            configure_wall: self.configure_wall.min(hour),
            ..self
        }
    }
}

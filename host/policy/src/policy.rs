use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use waypost_model::{Address, VerificationGrant};

use crate::breaker::{Breaker, BreakerState};
use crate::guest::LogGate;
use crate::host::{Host, Inner};
use crate::load::{CodeSource, LoadError, Prepared, hex, load};
use crate::metrics::PolicyMetrics;
use crate::rate::Rate;
use crate::settings::GrantedDirectory;
use crate::{Limits, PolicySettings, TargetPatterns};

/// Log lines about faults in a second; the metrics count them all.
const FAULT_RATE: u32 = 10;
/// Log lines about faults that may come at once.
const FAULT_BURST: u32 = 50;

/// A plugin with its settings and its grants, ready to be asked.
pub struct Policy {
    pub(crate) name: Arc<str>,
    pub(crate) host: Arc<Inner>,
    pub(crate) prepared: Arc<Prepared>,
    code: CodeSource,
    pub(crate) directories: Arc<[GrantedDirectory]>,
    pub(crate) targets: TargetPatterns,
    pub(crate) verification: VerificationGrant,
    pub(crate) limits: Limits,
    pub(crate) turns: Semaphore,
    pub(crate) breaker: Breaker,
    pub(crate) gate: Arc<LogGate>,
    pub(crate) fault_lines: Rate,
    pub(crate) metrics: PolicyMetrics,
}

impl Policy {
    /// Reads, checks, compiles and configures the plugin.
    ///
    /// Blocks for as long as that takes: tens of milliseconds for a small plugin, seconds for an
    /// interpreter, up to `configure_wall` for `configure`. Call it where blocking is allowed. It
    /// needs no runtime. What a living policy of the same host has loaded from the same bytes and
    /// settings is not compiled again, nor what the host's code cache holds.
    ///
    /// # Errors
    /// Whatever stands against it, for the operator.
    pub fn load(host: &Host, mut settings: PolicySettings) -> Result<Self, LoadError> {
        let host = host.inner().clone();
        settings.limits = settings.limits.bounded();
        let metrics = host.metrics.of_policy(&settings.name);
        let gate = Arc::new(LogGate::new(metrics.clone()));
        let started = Instant::now();
        let (prepared, code) = load(&host, &settings, &gate)?;
        metrics.breaker(BreakerState::Closed);
        let Limits { concurrency, memory, .. } = settings.limits;
        tracing::info!(
            target: "waypost::policy",
            policy = &*settings.name,
            plugin = %settings.plugin,
            sha256 = hex(&prepared.digest),
            snapshot = prepared.settings.is_none(),
            code = code.as_str(),
            milliseconds = started.elapsed().as_millis() as u64,
            decisions_at_a_time = concurrency,
            memory_at_most_mib = concurrency.saturating_mul(memory) >> 20,
            "policy loaded"
        );
        Ok(Self {
            name: settings.name,
            prepared,
            code,
            directories: settings.directories.into(),
            targets: settings.targets,
            verification: settings.verification,
            turns: Semaphore::new(concurrency),
            limits: settings.limits,
            breaker: Breaker::new(),
            gate,
            fault_lines: Rate::new(FAULT_RATE, FAULT_BURST),
            metrics,
            host,
        })
    }

    /// The name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// How passwords may be checked of users whom it knows.
    pub fn verification(&self) -> VerificationGrant {
        self.verification
    }

    /// The SHA-256 of the component, in hexadecimal.
    pub fn digest(&self) -> String {
        hex(&self.prepared.digest)
    }

    /// Where the compiled code came from.
    pub fn code_source(&self) -> CodeSource {
        self.code
    }

    /// Whether decisions start from the memory that `configure` left. If not, `configure` runs at
    /// the start of each.
    pub fn is_snapshot(&self) -> bool {
        self.prepared.settings.is_none()
    }

    /// What the policy may name as a target; the connector checks resolved addresses against it.
    pub fn targets(&self) -> &TargetPatterns {
        &self.targets
    }

    /// An address as the operator wants it in the log.
    pub fn address_for_log(&self, address: &Address) -> String {
        self.host.address_for_log(address)
    }

    /// Whether the breaker holds the policy back.
    pub fn breaker_state(&self) -> BreakerState {
        self.breaker.state(Instant::now())
    }

    /// Lets the policy be asked again at once.
    pub fn reset_breaker(&self) {
        self.breaker.reset();
        self.metrics.breaker(BreakerState::Closed);
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("name", &self.name)
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

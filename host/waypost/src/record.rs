//! `--record`: what policies are asked, for whoever writes them.

use std::sync::Arc;

use anyhow::Context as _;
use waypost_config::Policy;
use waypost_harness::record::{Recorded, Recorder};
use waypost_model::{Context, Lookup};
use waypost_policy::{Observation, PolicySettings};
use waypost_routing::{LoadedPolicy, Watch};

use crate::cli::RecordArgs;

/// Starts the recording that is asked for.
pub(crate) fn start(arguments: &RecordArgs) -> anyhow::Result<Option<Recorder>> {
    let Some(folder) = &arguments.record else { return Ok(None) };
    let recorder = Recorder::start(folder, arguments.record_clear)
        .with_context(|| format!("nothing can be recorded in {}", folder.display()))?;
    tracing::warn!(
        target: "waypost::record",
        folder = %folder.display(),
        clear = arguments.record_clear,
        "the decisions of policies are recorded"
    );
    Ok(Some(recorder))
}

/// Has the decisions of a policy recorded, which was loaded with these settings.
pub(crate) fn watched(
    policy: LoadedPolicy,
    recorder: &Recorder,
    configured: &Policy,
    settings: PolicySettings,
) -> LoadedPolicy {
    let grants = configured.directories.iter();
    let grants = grants.map(|(name, attributes)| (name.to_string(), attributes.clone()));
    let targets = configured.targets_written().to_vec();
    let digest = policy.policy().digest();
    let recorded = Arc::new(Recorded::new(settings, grants.collect(), targets, digest));
    policy.watched(Arc::new(Watcher { recorder: recorder.clone(), recorded }))
}

struct Watcher {
    recorder: Recorder,
    recorded: Arc<Recorded>,
}

impl Watch for Watcher {
    fn saw(&self, lookup: &Arc<Lookup>, context: &Arc<Context>, seen: Observation) {
        self.recorder.saw(&self.recorded, lookup, context, seen);
    }
}

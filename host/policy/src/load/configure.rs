use std::time::Instant;

use wasmtime::Store;
use wasmtime::component::Instance;

use super::{LoadError, at_once};
use crate::Limits;
use crate::bindings::{MappingPolicy, MappingPolicyPre};
use crate::fault::classify;
use crate::guest::{AtTick, Guest, Meter, Voice, new_store};
use crate::text::tame;

/// Problems that are shown.
const PROBLEMS: usize = 64;
/// The longest path or message, in octets.
const TEXT: usize = 1024;

/// A store in which `configure` has run, and the instance in it.
pub(super) type Configured = (Store<Guest>, Instance);

/// Runs `configure` in a new instance, under budgets of its own.
pub(super) fn run(
    pre: &MappingPolicyPre<Guest>,
    voice: Voice,
    settings_json: &str,
    limits: &Limits,
) -> Result<Configured, LoadError> {
    let ends = Instant::now() + limits.configure_wall;
    let meter = Meter::new(limits.configure_cpu, limits.memory, Some(ends));
    let guest = Guest { voice, meter, configuring: true, asked: None, host_calls: 0 };
    let mut store = new_store(pre.engine(), guest, AtTick::GoOn);
    let run = async |store: &mut Store<Guest>| {
        let instance = pre.instance_pre().instantiate_async(&mut *store).await?;
        let plugin = MappingPolicy::new(&mut *store, &instance)?;
        let mapping = plugin.waypost_policy_mapping();
        let content = mapping.call_configure(&mut *store, settings_json).await?;
        Ok((instance, content))
    };
    match at_once(run(&mut store)) {
        Ok((instance, Ok(()))) => Ok((store, instance)),
        Ok((_, Err(problems))) if problems.is_empty() => {
            Err(LoadError::Problems(vec![(String::new(), "it does not say why".into())]))
        }
        Ok((_, Err(problems))) => {
            let tamed = |text| tame(text, TEXT);
            let each = problems.into_iter().take(PROBLEMS);
            let each = each.map(|problem| (tamed(problem.path), tamed(problem.message)));
            Err(LoadError::Problems(each.collect()))
        }
        Err(error) => Err(LoadError::Configure(classify(&error, store.data()))),
    }
}

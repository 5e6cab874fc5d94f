//! From a component's bytes to code that is ready to decide.

mod configure;
mod error;
mod snapshot;
mod source;
mod stored;
mod world;

use std::fmt::Write as _;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};
use waypost_model::Fault;

use crate::bindings::MappingPolicyPre;
use crate::code_cache::{Found, Identity};
use crate::fault::classify;
use crate::guest::{AtTick, Guest, LogGate, Meter, Voice, new_store};
use crate::host::Inner;
use crate::{Limits, PolicySettings};
pub use error::LoadError;

/// A plugin that is compiled and configured.
pub(crate) struct Prepared {
    /// Linked on the engine for decisions.
    pub(crate) pre: MappingPolicyPre<Guest>,
    /// The settings, where `configure` must run first in each instance.
    pub(crate) settings: Option<String>,
    /// The SHA-256 of the component as it was given.
    pub(crate) digest: [u8; 32],
}

/// Where a policy's compiled code came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeSource {
    /// It was compiled for this policy.
    Compiled,
    /// It was compiled before and lay in the code cache.
    Cache,
    /// Another policy of this process, or the one before, has it.
    Shared,
}

impl CodeSource {
    /// The name in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compiled => "compiled",
            Self::Cache => "cache",
            Self::Shared => "shared",
        }
    }
}

/// What a [`Prepared`] is made of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PreparedKey {
    component: [u8; 32],
    settings: [u8; 32],
}

/// Loads the plugin of a policy, or takes over what another policy, of this generation or the one
/// before, has loaded from the same bytes and settings.
pub(crate) fn load(
    host: &Inner,
    policy: &PolicySettings,
    gate: &Arc<LogGate>,
) -> Result<(Arc<Prepared>, CodeSource), LoadError> {
    let bytes = source::read(&policy.plugin)?;
    let component: [u8; 32] = Sha256::digest(&bytes).into();
    if let Some(expected) = policy.sha256.filter(|expected| *expected != component) {
        return Err(LoadError::Digest { expected: hex(&expected), actual: hex(&component) });
    }
    source::check_kind(&bytes)?;
    let key =
        PreparedKey { component, settings: Sha256::digest(policy.settings_json.as_bytes()).into() };
    let known = host.prepared.lock().get(&key).and_then(std::sync::Weak::upgrade);
    let (prepared, code) = match known {
        Some(prepared) => (prepared, CodeSource::Shared),
        None => {
            let loader = Loader { host, policy, gate, bytes: &bytes };
            let (prepared, code) = loader.prepare(&key)?;
            (Arc::new(prepared), code)
        }
    };
    try_out(host, policy, gate, &prepared.pre)?;
    let mut all = host.prepared.lock();
    all.retain(|_, prepared| prepared.strong_count() > 0);
    all.insert(key, Arc::downgrade(&prepared));
    Ok((prepared, code))
}

/// What happens to bytes before the engine validates them, for fuzzing.
pub(crate) fn inspect(bytes: &[u8]) {
    if source::check_kind(bytes).is_ok() {
        drop(snapshot::Instrumented::new(bytes));
    }
}

/// One load under way.
struct Loader<'a> {
    host: &'a Inner,
    policy: &'a PolicySettings,
    gate: &'a Arc<LogGate>,
    bytes: &'a [u8],
}

impl Loader<'_> {
    fn prepare(&self, key: &PreparedKey) -> Result<(Prepared, CodeSource), LoadError> {
        let Some(kept) = &self.host.code_cache else {
            return Ok((self.make(key)?, CodeSource::Compiled));
        };
        let identity = kept.identity(key.component, key.settings);
        let found = kept.cache.find(&identity);
        self.host.metrics.code_looked_up(&found);
        if let Found::Genuine(genuine) = found {
            let (host, settings) = (self.host, &self.policy.settings_json);
            let settings = (!genuine.is_configured()).then(|| settings.clone());
            let pre = stored::revive(&host.decisions, &genuine)
                .and_then(|component| fit(&component, &host.decision_linker));
            match pre {
                Ok(pre) => {
                    let prepared = Prepared { pre, settings, digest: key.component };
                    return Ok((prepared, CodeSource::Cache));
                }
                Err(error) => kept.cache.reject(&identity, &error.to_string()),
            }
        }
        let prepared = self.make(key)?;
        self.keep(&identity, &prepared);
        Ok((prepared, CodeSource::Compiled))
    }

    /// Keeps what was compiled. That it cannot be kept is no reason not to serve with it.
    fn keep(&self, identity: &Identity, prepared: &Prepared) {
        let Some(kept) = &self.host.code_cache else { return };
        let is_stored = match prepared.pre.instance_pre().component().serialize() {
            Ok(code) => kept.cache.store(identity, prepared.settings.is_none(), &code),
            Err(error) => {
                tracing::warn!(
                    target: "waypost::policy",
                    plugin = %self.policy.plugin,
                    error = format!("{error:#}"),
                    "compiled code cannot be written down"
                );
                false
            }
        };
        self.host.metrics.code_stored(is_stored);
    }

    /// Compiles and configures.
    fn make(&self, key: &PreparedKey) -> Result<Prepared, LoadError> {
        let (pre, settings) = match self.configured()? {
            Ok(pre) => (pre, None),
            Err(reason) => {
                tracing::warn!(
                    target: "waypost::policy",
                    policy = &*self.policy.name,
                    plugin = %self.policy.plugin,
                    reason,
                    "the configured plugin's memory cannot be kept: `configure` runs at the start \
                     of every decision, within its budgets"
                );
                let (host, settings) = (self.host, &self.policy.settings_json);
                (link(&host.decisions, &host.decision_linker, self.bytes)?, Some(settings.clone()))
            }
        };
        Ok(Prepared { pre, settings, digest: key.component })
    }

    /// Runs `configure` and keeps the memory that it leaves. The inner error says why it cannot be
    /// kept, although `configure` was content.
    fn configured(&self) -> Result<Result<MappingPolicyPre<Guest>, String>, LoadError> {
        let (engine, linker) = (&self.host.loading, &self.host.loading_linker);
        let instrumented = snapshot::Instrumented::new(self.bytes).and_then(|instrumented| {
            let pre = link(engine, linker, instrumented.wasm()).map_err(|e| e.to_string())?;
            Ok((instrumented, pre))
        });
        let (instrumented, pre) = match instrumented {
            Ok(both) => both,
            Err(reason) => {
                let pre = link(engine, linker, self.bytes)?;
                self.configure(&pre)?;
                return Ok(Err(reason));
            }
        };
        let (store, instance) = self.configure(&pre)?;
        let kept = instrumented.snapshot(store, instance).and_then(|wasm| {
            let pre = link(&self.host.decisions, &self.host.decision_linker, &wasm);
            pre.map_err(|error| error.to_string())
        });
        Ok(kept)
    }

    fn configure(&self, pre: &MappingPolicyPre<Guest>) -> Result<configure::Configured, LoadError> {
        let _clock = self.host.run_clock();
        let voice = Voice::new(self.policy.name.clone(), self.gate.clone());
        configure::run(pre, voice, &self.policy.settings_json, &self.policy.limits)
    }
}

/// Compiles a component and checks it against the interface.
fn link(
    engine: &Engine,
    linker: &Linker<Guest>,
    wasm: &[u8],
) -> Result<MappingPolicyPre<Guest>, LoadError> {
    let component =
        Component::new(engine, wasm).map_err(|error| LoadError::Compile(format!("{error:#}")))?;
    fit(&component, linker)
}

/// Checks a component against the interface.
fn fit(
    component: &Component,
    linker: &Linker<Guest>,
) -> Result<MappingPolicyPre<Guest>, LoadError> {
    world::check(component)?;
    let misfit = |error: wasmtime::Error| LoadError::Interface(vec![format!("{error:#}")]);
    let pre = linker.instantiate_pre(component).map_err(misfit)?;
    MappingPolicyPre::new(pre).map_err(misfit)
}

/// Makes one instance under the limits of a decision, so that a plugin that does not fit into them
/// is found now.
fn try_out(
    host: &Inner,
    policy: &PolicySettings,
    gate: &Arc<LogGate>,
    pre: &MappingPolicyPre<Guest>,
) -> Result<(), LoadError> {
    let _clock = host.run_clock();
    let Limits { cpu, wall, memory, .. } = policy.limits;
    let guest = Guest {
        voice: Voice::new(policy.name.clone(), gate.clone()),
        meter: Meter::new(cpu, memory, Some(Instant::now() + wall)),
        configuring: true,
        asked: None,
        host_calls: 0,
    };
    let mut store = new_store(pre.engine(), guest, AtTick::GoOn);
    match at_once(pre.instantiate_async(&mut store)) {
        Ok(_) => Ok(()),
        Err(error) => match classify(&error, store.data()) {
            // The pool is full of decisions: there it runs, then.
            Fault::Saturated => Ok(()),
            Fault::Memory => Err(LoadError::Memory { limit: memory }),
            Fault::InvalidOutput(what) => Err(LoadError::Start(what)),
            fault => Err(LoadError::Start(fault.to_string())),
        },
    }
}

/// Runs a future that never waits: guests that are loaded call nothing but `log`, and do not yield.
fn at_once<T>(future: impl Future<Output = wasmtime::Result<T>>) -> wasmtime::Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(wasmtime::Error::msg("the plugin waited while it was loaded")),
    }
}

/// A digest as operators write it.
pub(crate) fn hex(digest: &[u8; 32]) -> String {
    digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

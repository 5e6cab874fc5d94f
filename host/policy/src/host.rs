//! The engine, its clock, and what all policies of a process share.

mod profile;
mod ticker;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::Semaphore;
use wasmtime::Engine;
use wasmtime::component::Linker;
use waypost_model::Address;

use crate::code_cache::{CodeCache, EngineCode};
use crate::guest::Guest;
use crate::load::{Prepared, PreparedKey};
use crate::metrics::Metrics;
use ticker::Ticker;
pub(crate) use ticker::{Running, TICK};

/// How an address stands in a log line: `None` writes it as it is.
pub type AddressForm = Arc<dyn Fn(&Address) -> String + Send + Sync>;

/// What the process grants to all policies together.
#[derive(Clone)]
pub struct EngineSettings {
    /// How many decisions may be under way at the same time, over all policies. Costs address
    /// space, about 12 GiB each, and memory only once used. 256.
    pub concurrency: u32,
    /// How many bytes of a linear memory stay resident when its instance is gone, so that the next
    /// one takes no page faults. Should be more than a decision writes; where the kernel cannot
    /// tell what was written (Linux before 6.7), more than the plugin's whole memory, or a decision
    /// costs half as much again. 512 KiB.
    pub keep_resident: usize,
    /// How addresses are written to the log, where not as they are.
    pub address_form: Option<AddressForm>,
    /// Where compiled plugins are kept from one process to the next; without, each compiles anew.
    pub code_cache: Option<CodeCache>,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self { concurrency: 256, keep_resident: 512 << 10, address_form: None, code_cache: None }
    }
}

impl fmt::Debug for EngineSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineSettings")
            .field("concurrency", &self.concurrency)
            .field("keep_resident", &self.keep_resident)
            .field("code_cache", &self.code_cache)
            .finish_non_exhaustive()
    }
}

/// The engine cannot be made: this machine cannot run policies.
#[derive(Debug, Error)]
#[error("the WebAssembly engine does not start: {0}")]
pub struct HostError(pub(crate) String);

/// Where policies run. One for each process; clones are the same host.
///
/// A thread of its own counts time while decisions are under way. It ends when the last clone and
/// the last policy are gone.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

pub(crate) struct Inner {
    /// Runs decisions, on the pooling allocator.
    pub(crate) decisions: Engine,
    /// Runs `configure`: no pool, so that a reload under full load finds its place.
    pub(crate) loading: Engine,
    pub(crate) decision_linker: Linker<Guest>,
    pub(crate) loading_linker: Linker<Guest>,
    /// One permit for each instance that the pool can hold.
    pub(crate) slots: Semaphore,
    pub(crate) metrics: Metrics,
    pub(crate) address_form: Option<AddressForm>,
    /// Code for decisions that was compiled before.
    pub(crate) code_cache: Option<EngineCode>,
    /// Compiled and configured plugins that some policy still uses, so that a reload compiles
    /// nothing that has not changed.
    pub(crate) prepared: Mutex<HashMap<PreparedKey, Weak<Prepared>>>,
    pooling: bool,
    ticker: Ticker,
}

impl Host {
    /// Makes the engine and starts its thread. Where the address space does not carry the pool,
    /// instances are made on demand, slower, and a warning says so.
    pub fn new(settings: &EngineSettings, metrics: Metrics) -> Result<Self, HostError> {
        let loading = Engine::new(&profile::loading()).map_err(|e| HostError(format!("{e:#}")))?;
        let (decisions, pooling) = decision_engine(settings)?;
        let link =
            |engine: &Engine| crate::guest::linker(engine).map_err(|e| HostError(format!("{e:#}")));
        let ticker = Ticker::start(vec![decisions.weak(), loading.weak()])
            .map_err(|e| HostError(format!("its clock's thread does not start: {e}")))?;
        Ok(Self(Arc::new(Inner {
            decision_linker: link(&decisions)?,
            loading_linker: link(&loading)?,
            code_cache: settings.code_cache.clone().map(|cache| EngineCode::new(cache, &decisions)),
            decisions,
            loading,
            slots: Semaphore::new(settings.concurrency as usize),
            metrics,
            address_form: settings.address_form.clone(),
            prepared: Mutex::default(),
            pooling,
            ticker,
        })))
    }

    /// Whether instances come from the pool. If not, decisions cost several times as much.
    pub fn is_pooling(&self) -> bool {
        self.0.pooling
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }
}

impl Inner {
    /// Keeps the clock running for as long as the guard lives.
    pub(crate) fn run_clock(&self) -> Running<'_> {
        self.ticker.run()
    }

    /// The address as log lines carry it.
    pub(crate) fn address_for_log(&self, address: &Address) -> String {
        match &self.address_form {
            Some(form) => form(address),
            None => address.to_string(),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("pooling", &self.0.pooling).finish_non_exhaustive()
    }
}

fn decision_engine(settings: &EngineSettings) -> Result<(Engine, bool), HostError> {
    match Engine::new(&profile::pooling(settings)) {
        Ok(engine) => Ok((engine, true)),
        Err(error) => {
            tracing::warn!(
                target: "waypost::policy",
                concurrency = settings.concurrency,
                error = format!("{error:#}"),
                "no room for a pool of plugin instances: each decision makes its instance anew, \
                 which is slow; raise the limit on address space (RLIMIT_AS) or lower the \
                 concurrency"
            );
            let engine = Engine::new(&profile::on_demand());
            Ok((engine.map_err(|e| HostError(format!("{e:#}")))?, false))
        }
    }
}

#[cfg(test)]
mod tests;

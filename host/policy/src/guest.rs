//! What a store holds beside the guest, and the functions that the guest calls.

mod context;
mod directory;
mod log;
mod meter;

use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Engine, Store, StoreContextMut, UpdateDeadline};
use waypost_model::{Context, ContextReads};

use crate::bindings::MappingPolicy;
use crate::observation::Exchanged;
use crate::settings::GrantedDirectory;
use crate::{Limits, bindings};
pub(crate) use directory::Access;
pub(crate) use log::{LogGate, Voice};
pub(crate) use meter::{Meter, Stop};

/// More than this the guest may not pass to the host in one call, by any combination of strings
/// and lists.
const CALL_BYTES: usize = 1 << 20;
/// Handles alive at the same time: directories that were opened, and the context.
const HANDLES: usize = 64;

/// The data of a store: one guest's, for one `configure` or one decision.
pub(crate) struct Guest {
    pub(crate) voice: Voice,
    pub(crate) meter: Meter,
    /// Only `log` may be called while `configure` runs.
    pub(crate) configuring: bool,
    /// The question, where there is one.
    pub(crate) asked: Option<Asked>,
    /// How often the guest called the host.
    pub(crate) host_calls: u32,
}

/// A decision under way.
pub(crate) struct Asked {
    pub(crate) context: Context,
    pub(crate) reads: ContextReads,
    pub(crate) access: Access,
    /// The searches; `None` where nobody wants to see them.
    pub(crate) explained: Option<Vec<Exchanged>>,
}

impl Asked {
    pub(crate) fn new(
        context: &Context,
        directories: Arc<[GrantedDirectory]>,
        limits: &Limits,
        ends: Instant,
        explain: bool,
    ) -> Self {
        Self {
            context: context.clone(),
            reads: ContextReads::NONE,
            access: Access::new(directories, limits, ends),
            explained: explain.then(Vec::new),
        }
    }
}

/// A guest's use of the interface that ends its run at once.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct Breach(pub(crate) String);

impl Breach {
    /// As a host function returns it.
    pub(crate) fn error(what: impl Into<String>) -> wasmtime::Error {
        wasmtime::Error::new(Self(what.into()))
    }
}

impl Guest {
    /// The decision under way, for a function that `configure` must not call.
    pub(crate) fn asked(&mut self, function: &str) -> wasmtime::Result<&mut Asked> {
        self.host_calls = self.host_calls.saturating_add(1);
        match &mut self.asked {
            Some(asked) if !self.configuring => Ok(asked),
            _ => Err(Breach::error(format!("configure called {function}; it may call log only"))),
        }
    }
}

/// The functions of the interface, the same for every policy.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    MappingPolicy::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    Ok(linker)
}

/// What happens at a tick while the guest's budget lasts.
#[derive(Clone, Copy)]
pub(crate) enum AtTick {
    /// The guest goes on; nobody else is waiting for this thread.
    GoOn,
    /// The thread's other tasks have their turn.
    Yield,
}

/// A store under its limits.
pub(crate) fn new_store(engine: &Engine, guest: Guest, at_tick: AtTick) -> Store<Guest> {
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| &mut guest.meter);
    store.set_hostcall_fuel(CALL_BYTES);
    store.set_max_component_handles(HANDLES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |mut store: StoreContextMut<'_, Guest>| {
        if !store.data_mut().meter.tick(Instant::now()) {
            return Ok(UpdateDeadline::Interrupt);
        }
        Ok(match at_tick {
            AtTick::GoOn => UpdateDeadline::Continue(1),
            // Not Wasmtime's own yield: that wakes the task at once, and a current-thread runtime
            // then polls it sixty times over before it looks at a socket again.
            AtTick::Yield => UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())),
        })
    });
    store
}

impl bindings::waypost::policy::types::Host for Guest {}

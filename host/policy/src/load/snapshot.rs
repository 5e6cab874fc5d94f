//! Keeping the memory that `configure` leaves, so that every decision starts from it.
//!
//! Wizer instruments the component so that its memories and globals can be read from outside, and
//! writes a new component that starts with what was read. Its own runner is not used: that one
//! gives an init function neither an argument nor a host to call.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use wasmtime::Store;
use wasmtime::component::{Instance, Lift, WasmList};
use wasmtime_wizer::{ComponentContext, ComponentInstanceState, Wizer};

use super::at_once;
use crate::guest::Guest;

/// What reading a memory takes of its budget: one page for each memory.
const READING: usize = 1 << 20;

/// A component whose state can be read.
pub(super) struct Instrumented<'a> {
    context: ComponentContext<'a>,
    wasm: Vec<u8>,
}

impl<'a> Instrumented<'a> {
    /// Instruments `wasm`, which need not be valid. The error says what about the component does
    /// not allow it.
    pub(super) fn new(wasm: &'a [u8]) -> Result<Self, String> {
        let (context, wasm) =
            guarded(|| Wizer::new().instrument_component(wasm).map_err(|e| format!("{e:#}")))?;
        Ok(Self { context, wasm })
    }

    /// The instrumented component, to be instantiated in the original's place.
    pub(super) fn wasm(&self) -> &[u8] {
        &self.wasm
    }

    /// The original component with the state of `instance`, an instance of the instrumented one.
    pub(super) fn snapshot(
        self,
        mut store: Store<Guest>,
        instance: Instance,
    ) -> Result<Vec<u8>, String> {
        store.data_mut().meter.grant(READING);
        store.set_hostcall_fuel(usize::MAX);
        let mut reader = Reader { store, instance, memories: HashMap::new(), failure: None };
        let snapshot = guarded(|| {
            let wizer = Wizer::new();
            at_once(wizer.snapshot_component(&self.context, &mut reader))
                .map_err(|error| format!("{error:#}"))
        });
        match reader.failure {
            Some(error) => Err(format!("its state cannot be read: {error:#}")),
            None => snapshot,
        }
    }
}

/// Wizer asserts what it expects of a component, and this one comes from anywhere.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panic_text(&*panic)))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("unexpected: {}", text.unwrap_or("no reason given"))
}

/// Reads an instance's state through the functions that the instrumentation added.
struct Reader {
    store: Store<Guest>,
    instance: Instance,
    /// Each memory is asked for twice, and reading it makes it grow.
    memories: HashMap<String, Vec<u8>>,
    /// The interface to Wizer has no room for it.
    failure: Option<wasmtime::Error>,
}

impl Reader {
    fn call<R: Lift + Send + Sync + 'static>(
        &mut self,
        interface: &str,
        function: &str,
    ) -> wasmtime::Result<R> {
        let store = &mut self.store;
        let missing = || wasmtime::Error::msg(format!("{interface} {function} is missing"));
        let (_, interface_index) =
            self.instance.get_export(&mut *store, None, interface).ok_or_else(missing)?;
        let (_, index) = self
            .instance
            .get_export(&mut *store, Some(&interface_index), function)
            .ok_or_else(missing)?;
        let function = self.instance.get_typed_func::<(), (R,)>(&mut *store, index)?;
        Ok(at_once(function.call_async(&mut *store, ()))?.0)
    }

    /// A value, or any value and a failure to report in the end.
    fn value<R: Lift + Send + Sync + Default + 'static>(
        &mut self,
        interface: &str,
        function: &str,
    ) -> R {
        self.call(interface, function).unwrap_or_else(|error| {
            self.failure.get_or_insert(error);
            R::default()
        })
    }

    fn memory(&mut self, interface: &str, function: &str) -> wasmtime::Result<Vec<u8>> {
        let list = self.call::<WasmList<u8>>(interface, function)?;
        Ok(list.as_le_slice(&self.store).to_vec())
    }
}

impl ComponentInstanceState for Reader {
    async fn call_func_ret_list_u8(
        &mut self,
        instance: &str,
        func: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) {
        if !self.memories.contains_key(func) {
            let memory = self.memory(instance, func).unwrap_or_else(|error| {
                self.failure.get_or_insert(error);
                Vec::new()
            });
            self.memories.insert(func.to_owned(), memory);
        }
        contents(self.memories.get(func).map_or(&[], Vec::as_slice));
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.value(instance, func)
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.value(instance, func)
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.value::<f32>(instance, func).to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.value::<f64>(instance, func).to_bits()
    }
}

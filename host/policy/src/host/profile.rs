//! The engine profile: everything that is said to Wasmtime about how plugins run.

use std::num::NonZeroUsize;

use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
    WasmFeatures,
};

use super::EngineSettings;

/// Core instances in one component: a plugin in Rust has its own and two of glue, an interpreter
/// with its libraries about forty. They are counted, not set aside.
const MAX_CORE_INSTANCES: u32 = 64;
/// Linear memories in one component: the plugin's own; a QuickJS component is composed of several.
const MAX_MEMORIES: u32 = 3;
/// Tables in one component: indirect calls and glue.
const MAX_TABLES: u32 = 6;
/// The stack that guest code may use.
const GUEST_STACK: usize = 512 << 10;
/// The stack of a decision: host functions run on it too, a search among them.
const STACK: usize = 2 << 20;
/// The largest memory image that is mapped instead of copied: a configured plugin's memory may be
/// all of its budget.
const MAX_IMAGE: u64 = 1 << 30;

/// What holds for every instance.
fn common() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // One guest call at a time, on the caller's own task.
        .concurrency_support(false)
        // A guest is interrupted by time, not by counted instructions: a tenth of the cost.
        .epoch_interruption(true)
        .consume_fuel(false)
        // Nothing that a routing decision could need, and each is code that a guest could attack.
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_gc(false)
        .wasm_features(WasmFeatures::FUNCTION_REFERENCES, false)
        .wasm_wide_arithmetic(false)
        .wasm_custom_page_sizes(false)
        .shared_memory(false)
        // Not for plugins, of which each module has one at most: what the engine itself generates
        // between the instances of a composed component reads the one's and writes the other's.
        .wasm_multi_memory(true)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(STACK)
        .memory_init_cow(true)
        .memory_guaranteed_dense_image_size(MAX_IMAGE)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16))
        // Function names suffice; reading DWARF out of an untrusted file does not pay.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable);
    config
}

/// For `configure`: a few instances in a process's life.
pub(super) fn loading() -> Config {
    common()
}

/// For decisions where there is no room for a pool.
pub(super) fn on_demand() -> Config {
    common()
}

/// For decisions: every instance from a slot that is ready.
pub(super) fn pooling(settings: &EngineSettings) -> Config {
    // An instance that has just ended may still hold its slot while the next one starts.
    let instances = settings.concurrency.saturating_add(8);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(MAX_CORE_INSTANCES))
        .total_memories(instances.saturating_mul(MAX_MEMORIES))
        .total_tables(instances.saturating_mul(MAX_TABLES))
        .total_stacks(instances)
        .max_core_instances_per_component(MAX_CORE_INSTANCES)
        .max_memories_per_component(MAX_MEMORIES)
        .max_tables_per_component(MAX_TABLES)
        .max_memories_per_module(1)
        .max_tables_per_module(4)
        .linear_memory_keep_resident(settings.keep_resident)
        .table_keep_resident(4 << 10)
        // Where the kernel can tell which pages were written, only those are reset.
        .pagemap_scan(Enabled::Auto);
    let mut config = common();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

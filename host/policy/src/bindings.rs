//! What Wasmtime generates from `wit/`. Nothing of it leaves this crate.

#![expect(unreachable_pub, reason = "the generated code names these types where it likes")]

/// What stands behind a `context` handle: there is one context in a decision, so the handle's
/// number says nothing and the store's data says everything.
pub struct Context;

/// What stands behind a `connector` handle: the handle's number is the directory's place among the
/// policy's directories.
pub struct Connector;

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "mapping-policy",
    imports: {
        // A search waits for the directory while the guest's stack is parked.
        "waypost:policy/directory.[method]connector.search": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "waypost:policy/types.context": Context,
        "waypost:policy/directory.connector": Connector,
    },
});

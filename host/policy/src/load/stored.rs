//! Code that was compiled before.

use wasmtime::Engine;
use wasmtime::component::Component;

use super::LoadError;
use crate::code_cache::Genuine;

/// Takes compiled code as it is. This is the one place where code runs that this process has not
/// compiled.
#[expect(unsafe_code, reason = "compiled code cannot be validated, only recognised")]
pub(super) fn revive(engine: &Engine, genuine: &Genuine) -> Result<Component, LoadError> {
    // SAFETY: the engine requires that the octets are what it has serialised itself, unchanged. A
    // `Genuine` is made by one function only, out of octets in memory whose digest under a key of
    // this process's user says that this crate has written them for an engine of this version and
    // these settings; and the same octets in the same memory are what is loaded.
    let component = unsafe { Component::deserialize(engine, genuine.code()) };
    component.map_err(|error| LoadError::Compile(format!("{error:#}")))
}

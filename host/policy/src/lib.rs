//! Policies: load, configure and ask WebAssembly components. The only crate that knows WebAssembly.

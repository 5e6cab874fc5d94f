//! What the fuzz targets call: one function for each parser and dialogue, which takes any octets,
//! must not panic, and asserts what holds for every input. Ordinary tests replay the seeds.

mod proxy;

pub use proxy::proxy;

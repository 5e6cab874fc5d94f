//! What the crate promises, from the outside. One binary, so that it is linked once.

mod answers;
mod grants;
mod ldif;
mod support;

//! What the crate promises, from the outside. One binary, so that it is linked once.

mod answers;
mod grants;
mod hostile;
mod ldif;
mod servers;
mod support;
mod tls;

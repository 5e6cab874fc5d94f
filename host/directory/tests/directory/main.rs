//! What the crate promises, from the outside. One binary, so that it is linked once.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::type_complexity, reason = "tables of cases read best as they stand")]

mod answers;
mod doubles;
mod grants;
mod hostile;
mod ldif;
mod parsers;
mod servers;
mod support;
mod tls;

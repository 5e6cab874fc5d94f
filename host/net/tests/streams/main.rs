//! Streams, TLS, the relay and the session table, from the outside.

mod support;
mod tls;

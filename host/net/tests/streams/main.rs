//! Streams, TLS, the relay and the session table, from the outside.

mod relay;
mod support;
mod tls;

//! Streams, TLS, the relay and the session table, from the outside.

mod certificates;
mod client_certificates;
mod handshake;
mod interop;
mod peer;
mod relay;
mod support;
mod tls;

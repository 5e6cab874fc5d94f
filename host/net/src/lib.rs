//! Listeners, TLS on both legs, limits, name resolution, target health, connecting and the relay.

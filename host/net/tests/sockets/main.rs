//! Listeners and connecting over real sockets on loopback, with a name server of their own.

mod admission;
mod connecting;
mod health;
mod inheriting;
mod listening;
mod privileges;
mod resolving;
mod starvation;
mod support;

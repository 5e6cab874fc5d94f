//! The control socket: how the operator's commands reach the process that serves.
//!
//! A Unix socket that only root and the user who serves may use. On each connection one line of
//! JSON goes each way: a [`Request`], then the [`Answer`] to it.
//!
//! The process [binds](Server::bind) the socket and [serves](Server::serve) it with what implements
//! [`Commands`]; a command line [`ask`]s.

mod client;
mod message;
mod server;

pub use client::{AskError, ask};
pub use message::{Answer, MAX_ANSWER, MAX_REQUEST, Request};
pub use server::{BindError, Commands, Server};

//! What every session shares, whatever its protocol.
//!
//! The [`Process`] it runs in, with the [`Generation`] that a reload replaces; its [`SessionId`] and
//! its user's [label](Users) in the log; and [`Conversation`], a stream together with the dialogue
//! without I/O that reads it; and what a back end is told of the client by a [PROXY
//! header](proxy_header()). What a session does is for the crates above to say.

mod conversation;
mod id;
mod process;
mod proxy_header;
mod seldom;
mod users;

pub use conversation::{Broken, Conversation, Dialogue, UpgradeError};
pub use id::{SessionId, SessionIds};
pub use process::{Generation, Grant, Process};
pub use proxy_header::proxy_header;
pub use seldom::Seldom;
pub use users::{UserLabel, Users};

//! What every session shares, whatever its protocol.
//!
//! The [`Process`] it runs in, with the [`Generation`] that a reload replaces; its [`SessionId`] and
//! its user's [label](Users) in the log; and [`Conversation`], a stream together with the dialogue
//! without I/O that reads it. What a session does is for the crates above to say.

mod conversation;
mod id;
mod process;
mod seldom;
mod users;

pub use conversation::{Broken, Conversation, Dialogue, UpgradeError};
pub use id::{SessionId, SessionIds};
pub use process::{Generation, Grant, Process};
pub use seldom::Seldom;
pub use users::{UserLabel, Users};

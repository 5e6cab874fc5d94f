//! IMAP from the outside: whole dialogues, replayed however their octets are cut.
#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as the tests may")]

mod back;
mod front;
mod garbage;
mod joint;
mod limits;
#[path = "../replay/mod.rs"]
mod replay;
mod transcript;

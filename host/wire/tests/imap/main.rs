//! IMAP from the outside: whole dialogues, replayed however their octets are cut.
#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as the tests may")]

mod back;
mod back_login;
mod front;
mod front_sasl;
mod garbage;
mod joint;
mod limits;
#[path = "../replay/mod.rs"]
mod replay;
mod transcript;

//! SMTP and LMTP as a mail client meets them: whole sessions, however their octets are cut.
#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as the tests may")]

mod chunks;
mod commands;
mod garbage;
mod limits;
mod lmtp;
#[path = "../replay/mod.rs"]
mod replay;
mod sessions;
mod starttls;
mod transcript;

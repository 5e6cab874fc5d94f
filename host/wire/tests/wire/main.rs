//! The mail protocols from the outside: whole dialogues, replayed however their octets are cut.
#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as the tests may")]

mod imap;
mod login;
mod noise;
mod pop3;
mod proxy;
mod replay;
mod seeds;
mod smtp;
mod submission;

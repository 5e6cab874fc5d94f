//! Inbound mail, from real senders to real mailboxes, by subject.

mod queueing;

pub(super) mod answers;
pub(super) mod delivery;
pub(super) mod failures;
pub(super) mod kills;
pub(super) mod large;
pub(super) mod spool;
pub(super) mod stops;

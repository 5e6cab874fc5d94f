//! Inbound mail, from real senders to real mailboxes, by subject.

pub(super) mod delivery;

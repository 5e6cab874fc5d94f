//! What clients, back ends and the disk see of inbound mail, through real sockets.

#![expect(clippy::unwrap_used, reason = "what cannot be set up has failed the test")]

mod one_leg;
mod support;

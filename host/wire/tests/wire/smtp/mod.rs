//! SMTP and LMTP.

mod back;
mod front;

//! SMTP and LMTP as a mail client meets them: whole sessions, however their octets are cut.

mod chunks;
mod commands;
mod garbage;
mod limits;
mod lmtp;
mod sessions;
mod starttls;
mod transcript;

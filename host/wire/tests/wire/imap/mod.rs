//! IMAP from the outside: whole dialogues, replayed however their octets are cut.

mod back;
mod back_login;
mod front;
mod front_sasl;
mod garbage;
mod joint;
mod limits;
mod transcript;

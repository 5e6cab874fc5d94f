//! POP3.

mod back;
mod front;
mod garbage;

//! Submission.

mod back;
mod front;
mod garbage;

//! What the fuzz targets call: one function for each parser and dialogue, which takes any octets,
//! must not panic, and asserts what holds for every input. Ordinary tests replay the seeds.

mod dialogue;
mod front;
mod imap;
mod pop3;
mod proxy;
mod sasl;
mod smtp_back;
mod smtp_content;
mod smtp_front;
mod smtp_path;
mod submission;

pub use imap::{imap_back, imap_front};
pub use pop3::{pop3_back, pop3_front};
pub use proxy::proxy;
pub use sasl::sasl;
pub use smtp_back::smtp_back;
pub use smtp_content::smtp_content;
pub use smtp_front::smtp_front;
pub use smtp_path::smtp_path;
pub use submission::{submission_back, submission_front};

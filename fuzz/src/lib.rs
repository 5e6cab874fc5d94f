//! The fuzz functions that no single crate can hold, because they compare two of them: what a
//! plugin makes of an operator's or a directory's text, the host must be able to take. And the list
//! of all fuzz functions, for the seeds.
//!
//! Each takes any octets, must not panic, and asserts what holds for every input.

mod address;
mod hosts;
mod template;

pub use address::address;
pub use hosts::hosts;
pub use template::template;

/// A fuzz function.
pub type Target = fn(&[u8]);

/// Every target that is built, by its name.
pub const TARGETS: &[(&str, Target)] = &[
    ("address", address),
    ("dn", waypost_directory::fuzz::dn),
    ("filter", waypost_directory::fuzz::filter),
    ("hosts", hosts),
    ("hosts_file", waypost_net::fuzz::hosts_file),
    ("imap_back", waypost_wire::fuzz::imap_back),
    ("imap_front", waypost_wire::fuzz::imap_front),
    ("ldif", waypost_directory::fuzz::ldif),
    ("patterns", waypost_net::fuzz::patterns),
    ("pop3_back", waypost_wire::fuzz::pop3_back),
    ("pop3_front", waypost_wire::fuzz::pop3_front),
    ("proxy", waypost_wire::fuzz::proxy),
    ("sasl", waypost_wire::fuzz::sasl),
    ("server_message", waypost_directory::fuzz::server_message),
    ("smtp_content", waypost_wire::fuzz::smtp_content),
    ("smtp_front", waypost_wire::fuzz::smtp_front),
    ("smtp_path", waypost_wire::fuzz::smtp_path),
    ("smtp_back", waypost_wire::fuzz::smtp_back),
    ("spool_name", waypost_spool::fuzz::spool_name),
    ("spool_slot", waypost_spool::fuzz::spool_slot),
    ("submission_back", waypost_wire::fuzz::submission_back),
    ("submission_front", waypost_wire::fuzz::submission_front),
    ("template", template),
    #[cfg(feature = "engine")]
    ("component", waypost_policy::fuzz::component),
    #[cfg(feature = "engine")]
    ("config", waypost_config::fuzz::config),
    #[cfg(feature = "engine")]
    ("target_patterns", waypost_policy::fuzz::target_patterns),
];

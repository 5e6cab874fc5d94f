//! Whole clusters: Waypost in front of real servers, as an operator would set them up, each for one
//! kind of test.

pub(crate) mod logins;
pub(crate) mod mail;
pub(crate) mod mailboxes;
pub(crate) mod web_servers;
pub(crate) mod webmails;

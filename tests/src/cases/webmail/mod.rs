//! Webmail: browsers, DAV clients and what else speaks HTTP.

pub(crate) mod proxy;

//! The tables of a configuration: for each, the declaration of its settings and how they become
//! the structs of the crate that they are for.

pub(crate) mod backend;
pub(crate) mod cache;
mod client_certificates;
pub(crate) mod code_cache;
pub(crate) mod directory;
pub(crate) mod domain;
mod identification;
pub(crate) mod listener;
pub(crate) mod login;
pub(crate) mod net;
pub(crate) mod policy;
pub(crate) mod server;
pub(crate) mod smtp;
pub(crate) mod spool;
pub(crate) mod tls;
pub(crate) mod verification;
pub(crate) mod webmail;

use crate::read::{Section, Setting, SubTable};

pub(crate) static SERVER: Setting<SubTable> = Setting::optional("server", "", "", "");
pub(crate) static METRICS: Setting<SubTable> = Setting::optional("metrics", "", "", "");
pub(crate) static LISTENER: Setting<SubTable> = Setting::optional("listener", "", "", "");
pub(crate) static TLS: Setting<SubTable> = Setting::optional("tls", "", "", "");
pub(crate) static LOGIN: Setting<SubTable> = Setting::optional("login", "", "", "");
pub(crate) static VERIFICATION: Setting<SubTable> = Setting::optional("verification", "", "", "");
pub(crate) static SMTP: Setting<SubTable> = Setting::optional("smtp", "", "", "");
pub(crate) static SPOOL: Setting<SubTable> = Setting::optional("spool", "", "", "");
pub(crate) static WEBMAIL: Setting<SubTable> = Setting::optional("webmail", "", "", "");
pub(crate) static DIRECTORY: Setting<SubTable> = Setting::optional("directory", "", "", "");
pub(crate) static POLICY: Setting<SubTable> = Setting::optional("policy", "", "", "");
pub(crate) static DOMAIN: Setting<SubTable> = Setting::optional("domain", "", "", "");
pub(crate) static BACKEND: Setting<SubTable> = Setting::optional("backend", "", "", "");
pub(crate) static CACHE: Setting<SubTable> = Setting::optional("cache", "", "", "");
pub(crate) static CODE_CACHE: Setting<SubTable> = Setting::optional("code-cache", "", "", "");
pub(crate) static RESOLVER: Setting<SubTable> = Setting::optional("resolver", "", "", "");
pub(crate) static HEALTH: Setting<SubTable> = Setting::optional("health", "", "", "");

/// The whole file.
pub(crate) static ROOT: Section = Section {
    header: "",
    about: "",
    settings: &[
        &SERVER,
        &METRICS,
        &LISTENER,
        &TLS,
        &LOGIN,
        &VERIFICATION,
        &SMTP,
        &SPOOL,
        &WEBMAIL,
        &DIRECTORY,
        &POLICY,
        &DOMAIN,
        &BACKEND,
        &CACHE,
        &CODE_CACHE,
        &RESOLVER,
        &HEALTH,
    ],
};

/// Every table, in the order of the reference.
pub(crate) static ALL: [&Section; 21] = [
    &server::SERVER,
    &server::METRICS,
    &listener::LISTENER,
    &client_certificates::CLIENT_CERTIFICATES,
    &tls::TLS,
    &login::LOGIN,
    &verification::VERIFICATION,
    &smtp::SMTP,
    &spool::SPOOL,
    &webmail::WEBMAIL,
    &directory::DIRECTORY,
    &policy::POLICY,
    &policy::LIMITS,
    &domain::DOMAIN,
    &backend::BACKEND,
    &backend::PROTOCOL,
    &backend::ENTER,
    &cache::CACHE,
    &code_cache::CODE_CACHE,
    &net::RESOLVER,
    &net::HEALTH,
];

//! What a user, an operator or an attacker would see, by subject.

mod answers;
mod authentication;
mod circles;
mod control;
mod demo;
mod directory;
mod hostile;
mod limits;
mod loading;
mod log;
mod mail;
mod operating;
mod outages;
mod plugin;
mod proxy_protocol;
mod record;
mod sessions;
mod starting;
mod swap;
mod tutorial;
mod webmail;

/// A test: its name and what it does.
pub(crate) type Case = (&'static str, fn());

/// Every test there is.
pub(crate) fn all() -> Vec<Case> {
    [
        sessions::CASES,
        directory::CASES,
        outages::CASES,
        answers::CASES,
        authentication::schemes::CASES,
        authentication::table::CASES,
        authentication::programs::CASES,
        authentication::refusals::CASES,
        authentication::hostile::CASES,
        authentication::entries::CASES,
        authentication::mechanisms::CASES,
        authentication::active_directory::CASES,
        authentication::freshness::CASES,
        authentication::throttle::CASES,
        authentication::secrecy::CASES,
        authentication::external::CASES,
        authentication::parrot::CASES,
        circles::CASES,
        hostile::CASES,
        limits::CASES,
        operating::CASES,
        control::CASES,
        starting::CASES,
        loading::CASES,
        log::CASES,
        swap::CASES,
        record::CASES,
        plugin::CASES,
        proxy_protocol::CASES,
        demo::CASES,
        tutorial::CASES,
        mail::delivery::CASES,
        mail::failures::CASES,
        mail::kills::CASES,
        mail::answers::CASES,
        mail::spool::CASES,
        mail::stops::CASES,
        mail::large::CASES,
        webmail::browser::CASES,
        webmail::caldav::CASES,
        webmail::cookies::CASES,
        webmail::programs::CASES,
        webmail::bad_input::CASES,
        webmail::proxy::CASES,
        webmail::smuggling::CASES,
        webmail::slow::CASES,
        webmail::broken::CASES,
        webmail::http2::CASES,
        webmail::paths::CASES,
        webmail::login::CASES,
    ]
    .concat()
}

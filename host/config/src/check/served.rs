//! Whether somebody serves the domains that the configuration itself speaks of.

use waypost_model::{Protocol, Purpose};

use super::{Everything, listener_for};
use crate::read::Reading;
use crate::sections::listener::ListenerRead;
use crate::sections::smtp::Smtp;

pub(super) fn check_served(reading: &Reading<'_>, everything: &Everything) {
    for read in &everything.listeners {
        check_default_domain(reading, everything, read);
    }
    check_postmaster(reading, everything);
}

/// Whoever logs in with a bare name there is nobody.
fn check_default_domain(reading: &Reading<'_>, everything: &Everything, read: &ListenerRead) {
    let Some(domain) = &read.listener.settings.default_domain else { return };
    if everything.domains.iter().any(|known| known.domain.pattern.serves(domain, Purpose::Login)) {
        return;
    }
    let message = format!(
        "no [domain] serves {0}, so that nobody can log in with a bare name; expected \
         [domain.\"{0}\"]",
        domain
    );
    let key = format!("{}.default-domain", read.key);
    reading.error(read.default_domain_span.clone(), &key, message);
}

/// Mail for it is taken whatever the policies say of others, and must go somewhere (RFC 5321
/// section 4.5.1).
fn check_postmaster(reading: &Reading<'_>, everything: &Everything) {
    let Smtp { settings: Some(settings), postmaster_span, key, .. } = &everything.smtp else {
        return;
    };
    let Some(mail) = listener_for(everything, &[Protocol::Smtp, Protocol::Lmtp]) else { return };
    let domain = settings.postmaster.domain();
    let mut patterns = everything.domains.iter().map(|known| &known.domain.pattern);
    if patterns.any(|pattern| pattern.serves(domain, Purpose::Recipient)) {
        return;
    }
    let message = format!(
        "no [domain] serves {domain}: mail for the postmaster, which [{}] must take, would go \
         nowhere; expected [domain.\"{domain}\"], or an address of a domain that is served",
        mail.key
    );
    let key = format!("{key}.postmaster");
    reading.error(postmaster_span.clone(), &key, message);
}

//! What can only be checked once everything is read: whether what refers to each other fits.

mod ldap_routing;
mod served;

use std::collections::HashMap;
use std::hash::Hash;
use std::net::SocketAddr;
use std::ops::Range;

use waypost_directory::{Grant, GrantError};
use waypost_model::{Encryption, Protocol};
use waypost_net::backend::{Entry, MasterForm};
use waypost_routing::DomainPattern;
use waypost_smtp::Split;

use crate::problem::Severity;
use crate::read::{Reading, bare};
use crate::sections::backend::BackendRead;
use crate::sections::directory::DirectoryRead;
use crate::sections::domain::DomainRead;
use crate::sections::listener::ListenerRead;
use crate::sections::policy::{GrantRead, PolicyRead};
use crate::sections::smtp::Smtp;
use crate::sections::spool::Spool;
use crate::sections::webmail::Webmail;
use crate::suggest::nearest;

/// All that was read. What could not be read is left out; its name is there all the same, so that
/// nobody is told that it does not exist.
pub(crate) struct Everything {
    pub(crate) listeners: Vec<ListenerRead>,
    pub(crate) directories: Vec<DirectoryRead>,
    pub(crate) policies: Vec<PolicyRead>,
    pub(crate) domains: Vec<DomainRead>,
    pub(crate) backends: Vec<BackendRead>,
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) smtp: Smtp,
    pub(crate) spool: Option<Spool>,
    pub(crate) webmail: Webmail,
    pub(crate) directory_names: Vec<String>,
    pub(crate) policy_names: Vec<String>,
    pub(crate) has_listeners: bool,
    pub(crate) has_domains: bool,
    pub(crate) has_certificates: bool,
}

pub(crate) fn check(reading: &Reading<'_>, everything: &Everything) {
    check_presence(reading, everything);
    check_certificates(reading, everything);
    check_addresses(reading, everything);
    check_policies_of_domains(reading, everything);
    check_grants(reading, everything);
    check_patterns(reading, everything);
    check_fallback_for_any_domain(reading, everything);
    check_mail(reading, everything);
    check_verification(reading, everything);
    check_entries(reading, everything);
    if !reading.has_errors() {
        // Else it may be a domain that could not be read.
        served::check_served(reading, everything);
        // Else it may be a mistyped name that makes something look unused.
        warn_of_unused(reading, everything);
        warn_of_web_logins(reading, everything);
    }
}

fn check_presence(reading: &Reading<'_>, everything: &Everything) {
    for (present, key, what) in [
        (everything.has_listeners, "listener", "nobody could connect: expected [listener.NAME]"),
        (
            !everything.policy_names.is_empty(),
            "policy",
            "nobody could be routed: expected [policy.NAME]",
        ),
        (
            everything.has_domains,
            "domain",
            "nobody would be served: expected [domain.\"example.test\"] or [domain.\"*\"]",
        ),
    ] {
        if !present {
            reading.error(0..0, key, what);
        }
    }
}

fn check_certificates(reading: &Reading<'_>, everything: &Everything) {
    if everything.has_certificates {
        return;
    }
    for read in &everything.listeners {
        if read.listener.settings.tls != Encryption::None {
            let key = format!("{}.tls", read.key);
            let message = "TLS needs a certificate: expected certificates in [tls]";
            reading.error(read.tls_span.clone(), &key, message);
        }
    }
}

fn check_addresses(reading: &Reading<'_>, everything: &Everything) {
    let mut used: HashMap<SocketAddr, String> = HashMap::new();
    if let Some(metrics) = everything.metrics {
        used.insert(metrics, "metrics".to_owned());
    }
    for read in &everything.listeners {
        for bind in &read.bind {
            let key = format!("{}.bind", read.key);
            match used.get(&bind.value) {
                Some(by) => {
                    let message = format!("{} is bound by {by} already", bind.value);
                    reading.error(bind.span.clone(), &key, message);
                }
                None => {
                    used.insert(bind.value, key);
                }
            }
        }
    }
}

fn check_policies_of_domains(reading: &Reading<'_>, everything: &Everything) {
    let names = || everything.policy_names.iter().map(String::as_str);
    for read in &everything.domains {
        let key = format!("{}.policies", read.key);
        for (position, policy) in read.policies.iter().enumerate() {
            let name = &*policy.value;
            if !names().any(|known| known == name) {
                unknown(reading, &policy.span, &key, "policy", name, names());
            } else if read.policies.iter().take(position).any(|other| &*other.value == name) {
                let message = format!("{name} is asked already");
                reading.error(policy.span.clone(), &key, message);
            }
        }
        let Some(shadow) = &read.shadow else { continue };
        let (key, name) = (format!("{}.shadow", read.key), &*shadow.value);
        if !names().any(|known| known == name) {
            unknown(reading, &shadow.span, &key, "policy", name, names());
        } else if read.policies.iter().any(|policy| &*policy.value == name) {
            let message = format!("{name} would be compared with itself");
            reading.error(shadow.span.clone(), &key, message);
        }
    }
}

fn check_grants(reading: &Reading<'_>, everything: &Everything) {
    let names = || everything.directory_names.iter().map(String::as_str);
    for grant in everything.policies.iter().flat_map(|read| &read.grants) {
        if !names().any(|name| name == &*grant.directory) {
            unknown(reading, &grant.span, &grant.key, "directory", &grant.directory, names());
        }
        check_attributes(reading, everything, grant);
    }
}

fn check_attributes(reading: &Reading<'_>, everything: &Everything, grant: &GrantRead) {
    let mut directories = everything.directories.iter().map(|read| &read.directory);
    let directory = directories.find(|directory| **directory.name() == *grant.directory);
    let field = directory.and_then(|directory| directory.password_field());
    let secret: Vec<String> = field.into_iter().map(str::to_owned).collect();
    for attribute in &grant.attributes {
        let message = match Grant::new([attribute.value.as_str()], &secret) {
            Ok(_) => continue,
            Err(GrantError::Secret(name))
                if field.is_some_and(|f| f.eq_ignore_ascii_case(&name)) =>
            {
                format!(
                    "{name} is the password-field of {}, which no policy may read or test",
                    grant.directory
                )
            }
            Err(error) => error.to_string(),
        };
        reading.error(attribute.span.clone(), &grant.key, message);
    }
}

fn check_patterns(reading: &Reading<'_>, everything: &Everything) {
    let domains =
        everything.domains.iter().map(|read| (&read.domain.pattern, &read.name_span, &*read.key));
    check_twice(reading, domains);
    let backends = everything
        .backends
        .iter()
        .map(|read| (&read.backend.pattern, &read.name_span, &*read.entry_key));
    check_twice(reading, backends);
}

/// TOML refuses equal keys, but not `example.test` beside `Example.TEST`.
fn check_twice<'a, T: Eq + Hash + 'a>(
    reading: &Reading<'_>,
    entries: impl Iterator<Item = (&'a T, &'a Range<usize>, &'a str)>,
) {
    let mut seen = HashMap::new();
    for (pattern, span, key) in entries {
        if let Some(first) = seen.insert(pattern, key) {
            reading.error(span.clone(), key, format!("this is the same as [{first}]"));
        }
    }
}

/// A fallback for whom the directory does not know, in a domain that serves every domain, would
/// accept mail for the whole world.
fn check_fallback_for_any_domain(reading: &Reading<'_>, everything: &Everything) {
    let Some(mail) = listener_for(everything, &[Protocol::Smtp, Protocol::Lmtp]) else { return };
    let any = everything.domains.iter().filter(|read| read.domain.pattern == DomainPattern::Any);
    for (read, policy) in any.flat_map(|read| read.policies.iter().map(move |p| (read, p))) {
        let known = everything.policies.iter().find(|known| known.policy.name == policy.value);
        if known.is_some_and(|known| ldap_routing::falls_back_for_everybody(&known.policy)) {
            let message = format!(
                "with a listener for mail ([{}]) this policy must not fall back for no-entry: \
                 every address of every domain would exist; set its fallback-on without no-entry",
                mail.key
            );
            let key = format!("{}.policies", read.key);
            reading.error(policy.span.clone(), &key, message);
        }
    }
}

fn listener_for<'a>(
    everything: &'a Everything,
    protocols: &[Protocol],
) -> Option<&'a ListenerRead> {
    let speaks = |read: &&ListenerRead| protocols.contains(&read.listener.settings.protocol);
    everything.listeners.iter().find(speaks)
}

/// What listeners for mail need beside themselves. An LMTP client hears of each recipient by
/// itself, so that nothing need be kept for it.
fn check_mail(reading: &Reading<'_>, everything: &Everything) {
    let Some(mail) = listener_for(everything, &[Protocol::Smtp, Protocol::Lmtp]) else { return };
    let Smtp { settings, lacks_postmaster, key, span, .. } = &everything.smtp;
    if *lacks_postmaster {
        let message = format!(
            "with a listener for mail ([{}]) expected [smtp] with postmaster, whose mail every \
             server must take",
            mail.key
        );
        reading.error(span.clone(), key, &message);
    }
    let Some(settings) = settings else { return };
    if let Some(mail) = listener_for(everything, &[Protocol::Smtp])
        && settings.split == Split::Spool
        && everything.spool.is_none()
    {
        let message = format!(
            "messages from [{}] may go to several back ends, and a copy must be kept until each \
             has decided: expected [spool] with a folder, or split = \"defer\"",
            mail.key
        );
        reading.error(span.clone(), key, &message);
    }
}

/// What checking passwords at the front needs of directories, policies and back ends.
fn check_verification(reading: &Reading<'_>, everything: &Everything) {
    for read in &everything.policies {
        let ways = read.policy.verification;
        let granted = |directory: &&DirectoryRead| {
            read.grants.iter().any(|grant| *grant.directory == **directory.directory.name())
        };
        let mut granted = everything.directories.iter().filter(granted);
        let key = format!("{}.verification", read.key);
        let span = &read.verification_span;
        if ways.bind && !granted.clone().any(|it| it.directory.may_bind()) {
            let message = "no directory of this policy may be bound to: users' passwords go over \
                           ldaps://, ldapi:// and starttls, and in clear only to servers named in \
                           clear-binds-to";
            reading.error(span.clone(), &key, message);
        }
        if ways.password && !granted.any(|it| it.directory.password_field().is_some()) {
            let message = "no directory of this policy has a password-field to compare with";
            reading.error(span.clone(), &key, message);
        }
        ldap_routing::check_verify_setting(reading, &read.policy, span, &key);
    }
}

/// Whether somebody can enter the back ends that do not take the client's own password, and whoever
/// has no password some back end.
fn check_entries(reading: &Reading<'_>, everything: &Everything) {
    let by_certificate =
        || everything.listeners.iter().filter_map(|read| read.certificate_name_from.as_ref());
    let front = everything.policies.iter().any(|read| {
        let ways = read.policy.verification;
        ways.bind || ways.password
    });
    let verified = front || by_certificate().next().is_some();
    let enters = |read: &&BackendRead| {
        read.backend.settings.iter().any(|settings| settings.entry != Entry::Client)
    };
    let entered = || everything.backends.iter().filter(enters);
    for read in entered().filter(|_| !verified) {
        let message = "sessions enter here only where the front has checked the password, and no \
                       policy has it do that: see verification in [policy]";
        reading.error(read.name_span.clone(), &format!("{}.enter", read.entry_key), message);
    }
    for (key, span) in by_certificate().filter(|_| entered().next().is_none()) {
        let message = "who logs in with a certificate has no password to pass on, and so enters none \
                       of the back ends: expected enter with \"master-user\" or \"password\" in \
                       [backend.\"PATTERN\"]";
        reading.error(span.clone(), key, message);
    }
}

/// Where a policy may have the front check the password, a login form must show it, and a back end
/// must be entered with what HTTP can say.
fn warn_of_web_logins(reading: &Reading<'_>, everything: &Everything) {
    if listener_for(everything, &[Protocol::Webmail]).is_none() {
        return;
    }
    let may_check = |read: &&PolicyRead| {
        let ways = read.policy.verification;
        ways.bind || ways.password
    };
    let Some(policy) = everything.policies.iter().find(may_check) else { return };
    let warn = |span: &Range<usize>, key: &str, message: String| {
        reading.note(Severity::Warning, span.clone(), key, message, None);
    };
    let Webmail { settings, forms_key, forms_span } = &everything.webmail;
    let forms = &settings.identification.login_forms;
    let lack = match forms.iter().all(|form| form.password.is_some()) {
        true if forms.is_empty() => Some("no browser can log in without login-forms"),
        true => None,
        false => {
            Some("nobody can log in with a form of which it is not known where the password is")
        }
    };
    if let Some(lack) = lack {
        let message =
            format!("[{}] may have the front check passwords, and then {lack}", policy.key);
        warn(forms_span, forms_key, message);
    }
    for read in &everything.backends {
        let enters = read.backend.settings.iter().any(|settings| match &settings.entry {
            Entry::Master(master) => master.form == MasterForm::AuthorisationId,
            Entry::Client | Entry::Password(_) => false,
        });
        if enters {
            let message = "a web login cannot name a master user by authorisation-id: where these \
                           back ends have webmail, nobody can log in there";
            warn(&read.name_span, &format!("{}.enter", read.entry_key), message.to_owned());
        }
    }
}

fn unknown<'a>(
    reading: &Reading<'_>,
    span: &Range<usize>,
    key: &str,
    kind: &str,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) {
    let help = match nearest(name, known.clone()) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => format!("expected [{kind}.{}]", bare(name)),
    };
    let message = format!("there is no {kind} {name:?}");
    reading.note(Severity::Error, span.clone(), key, message, Some(help));
}

fn warn_of_unused(reading: &Reading<'_>, everything: &Everything) {
    let is_used = |name: &str| {
        everything.domains.iter().any(|read| {
            read.policies.iter().chain(&read.shadow).any(|policy| &*policy.value == name)
        })
    };
    for read in everything.policies.iter().filter(|read| !is_used(&read.policy.name)) {
        warn_unused(reading, &read.name_span, &read.key, "no domain asks it");
    }
    let is_granted = |name: &str| {
        let mut grants = everything.policies.iter().flat_map(|read| &read.grants);
        grants.any(|grant| &*grant.directory == name)
    };
    let unused = |read: &&DirectoryRead| !is_granted(read.directory.name());
    for read in everything.directories.iter().filter(unused) {
        warn_unused(reading, &read.name_span, &read.key, "no policy is granted it");
    }
}

fn warn_unused(reading: &Reading<'_>, span: &Range<usize>, key: &str, message: &str) {
    reading.note(Severity::Warning, span.clone(), key, message.to_owned(), None);
}

//! What a plugin answers, believed no further than it can be checked.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use waypost_model::{
    Answer, Decision, Domain, Encryption, Failure, Fault, Host, MAX_ADDRESS, Principal, Refusal,
    Route, Target, Trouble, Verification, VerificationGrant,
};

use crate::TargetPatterns;
use crate::bindings::waypost::policy::types as wit;
use crate::guest::Access;
use crate::text::tame;

/// Targets in one route.
const TARGETS: usize = 16;
/// Hints in one list.
const HINTS: usize = 16;
/// The longest name of a hint, in octets.
const HINT_NAME: usize = 64;
/// The longest value of a hint, in octets.
const HINT_VALUE: usize = 1024;
/// The longest text of a refusal or failure, in octets; what is longer is cut.
const TEXT: usize = 1024;
/// The longest time for which an answer may be reused; what is longer is cut.
const CACHE_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// Checks an answer against the interface's rules, the decision's own searches, and the targets and
/// verifications that the operator allows.
pub(crate) fn answer(
    answer: wit::Answer,
    access: &Access,
    targets: &TargetPatterns,
    verification: VerificationGrant,
) -> Result<Answer, Trouble> {
    check_hints(&answer.hints)?;
    let decision = match answer.decision {
        wit::Decision::Route(given) => {
            let route = route(given, access, targets)?;
            if !verification.allows(&route.verification) {
                return Err(Trouble::VerificationDenied(route.verification.kind()));
            }
            Decision::Route(Arc::new(route))
        }
        wit::Decision::Refuse(refused) => Decision::Refuse(refusal(refused)),
        wit::Decision::Defer(why) => Decision::Defer(tame(why, TEXT)),
        wit::Decision::Pass => Decision::Pass,
    };
    let cache_for = answer.cache_for.map(|seconds| Duration::from_secs(seconds.into()));
    Ok(Answer { decision, cache_for: cache_for.map(|time| time.min(CACHE_FOR)) })
}

/// A failure in the plugin's words, tamed.
pub(crate) fn failure(failure: wit::Failure) -> Failure {
    match failure {
        wit::Failure::DirectoryUnavailable => Failure::DirectoryUnavailable,
        wit::Failure::Ambiguous(candidates) => Failure::Ambiguous(candidates),
        wit::Failure::BadData(what) => Failure::BadData(tame(what, TEXT)),
        wit::Failure::Misconfigured(what) => Failure::Misconfigured(tame(what, TEXT)),
        wit::Failure::Other(what) => Failure::Other(tame(what, TEXT)),
    }
}

fn refusal(refusal: wit::Refusal) -> Refusal {
    match refusal {
        wit::Refusal::UnknownUser => Refusal::UnknownUser,
        wit::Refusal::DisabledUser => Refusal::DisabledUser,
        wit::Refusal::Denied => Refusal::Denied,
        wit::Refusal::Other(what) => Refusal::Other(tame(what, TEXT)),
    }
}

fn invalid(what: impl Into<String>) -> Trouble {
    Trouble::Fault(Fault::InvalidOutput(what.into()))
}

/// Quotes what a plugin said, short enough to stand inside a sentence.
fn quote(text: &str) -> String {
    format!("`{}`", tame(text.chars().take(80).collect(), 240))
}

fn route(given: wit::Route, access: &Access, patterns: &TargetPatterns) -> Result<Route, Trouble> {
    match given.targets.len() {
        0 => return Err(invalid("a route without targets")),
        n if n > TARGETS => {
            return Err(invalid(format!("a route with {n} targets; {TARGETS} are allowed")));
        }
        _ => {}
    }
    let targets = given.targets.into_iter().map(target).collect::<Result<Vec<_>, _>>()?;
    if let Some(denied) = targets.iter().find(|target| !patterns.allows(&target.host)) {
        return Err(Trouble::TargetDenied(denied.to_string()));
    }
    Ok(Route {
        targets,
        identity: given.identity.map(identity).transpose()?,
        verification: verification(given.verification, access)?,
    })
}

fn target(given: wit::Target) -> Result<Target, Trouble> {
    check_hints(&given.hints)?;
    let host: Host =
        given.host.parse().map_err(|_| invalid(format!("{} names no host", quote(&given.host))))?;
    let port = match given.port.map(NonZeroU16::new) {
        Some(None) => return Err(invalid(format!("port zero at {host}"))),
        Some(port) => port,
        None => None,
    };
    let tls_name = given
        .tls_name
        .map(|name| {
            let fault = |_| invalid(format!("{} is no name in a certificate", quote(&name)));
            Domain::new(&name).map_err(fault)
        })
        .transpose()?;
    let encryption = given.encryption.map(|encryption| match encryption {
        wit::Encryption::None => Encryption::None,
        wit::Encryption::Starttls => Encryption::Starttls,
        wit::Encryption::Implicit => Encryption::Implicit,
    });
    Ok(Target { host, port, encryption, tls_name })
}

/// The identity goes into a line of the back end's protocol: nothing in it may end that line.
fn identity(given: String) -> Result<Arc<str>, Trouble> {
    if given.is_empty() {
        return Err(invalid("an empty identity"));
    }
    if given.len() > MAX_ADDRESS {
        return Err(invalid(format!("an identity of {} octets", given.len())));
    }
    if given.chars().any(char::is_control) {
        return Err(invalid(format!("a control character in the identity {}", quote(&given))));
    }
    Ok(given.into())
}

fn verification(given: wit::Verification, access: &Access) -> Result<Verification, Trouble> {
    Ok(match given {
        wit::Verification::ByBackend => Verification::ByBackend,
        wit::Verification::ByBind(entry) => Verification::ByBind(principal(&entry, access)?),
        wit::Verification::ByPassword(entry) => {
            Verification::ByPassword(principal(&entry, access)?)
        }
    })
}

/// A password is checked against an entry that this very decision found, or not at all: otherwise
/// a plugin could have it checked against somebody else's.
fn principal(given: &wit::Principal, access: &Access) -> Result<Principal, Trouble> {
    let (directory, dn) = access.found(&given.directory, &given.dn).ok_or_else(|| {
        invalid(format!(
            "a principal that no search of this decision returned: {} in {}",
            quote(&given.dn),
            quote(&given.directory)
        ))
    })?;
    Ok(Principal { directory, dn })
}

/// This version knows no hint: one that insists on being understood is not.
fn check_hints(hints: &[wit::Hint]) -> Result<(), Trouble> {
    if hints.len() > HINTS {
        return Err(invalid(format!("{} hints; {HINTS} are allowed", hints.len())));
    }
    for hint in hints {
        let name = hint.name.as_bytes();
        let inside = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
        if name.is_empty() || name.len() > HINT_NAME || !name.iter().all(inside) {
            return Err(invalid(format!("{} is no hint's name", quote(&hint.name))));
        }
        if hint.value.len() > HINT_VALUE {
            return Err(invalid(format!("the hint {} is too long", hint.name)));
        }
        if hint.critical {
            return Err(invalid(format!("the critical hint {} is unknown here", hint.name)));
        }
    }
    Ok(())
}

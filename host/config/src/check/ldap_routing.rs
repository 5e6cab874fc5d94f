//! What the settings of `builtin:ldap-routing` mean for the rest of the configuration. Only what the
//! plugin cannot know itself; its settings are the plugin's to read.

use std::ops::Range;

use waypost_policy::PluginSource;

use crate::read::Reading;
use crate::sections::policy::Policy;

fn is_ldap_routing(policy: &Policy) -> bool {
    matches!(policy.plugin, PluginSource::Builtin { name: "ldap-routing", .. })
}

fn verify(policy: &Policy) -> &str {
    let written = policy.settings.value().get("verify");
    written.and_then(|value| value.as_str()).unwrap_or("backend")
}

/// Whether it answers with its `fallback-hosts` for `no-entry`. If nothing is written it does, but
/// not where the front checks passwords: without an entry there is none to check.
pub(super) fn falls_back_for_everybody(policy: &Policy) -> bool {
    if !is_ldap_routing(policy) {
        return false;
    }
    let settings = policy.settings.value();
    let list = |key| settings.get(key).and_then(|value| value.as_array());
    if list("fallback-hosts").is_none_or(|hosts| hosts.is_empty()) {
        return false;
    }
    match list("fallback-on") {
        Some(on) => on.iter().any(|condition| condition == "no-entry"),
        None => verify(policy) == "backend",
    }
}

/// The plugin says in its own settings which way of checking passwords it asks for.
pub(super) fn check_verify_setting(
    reading: &Reading<'_>,
    policy: &Policy,
    span: &Range<usize>,
    key: &str,
) {
    if !is_ldap_routing(policy) {
        return;
    }
    let verify = verify(policy);
    let allowed = match verify {
        "backend" => policy.verification.backend,
        "bind" => policy.verification.bind,
        "password" => policy.verification.password,
        // The plugin itself says what is wrong.
        _ => true,
    };
    if !allowed {
        let message = format!(
            "its settings say verify = {verify:?}, which is not among what the policy may ask for"
        );
        reading.error(span.clone(), key, message);
    }
}

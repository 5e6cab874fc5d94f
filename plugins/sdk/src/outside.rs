/// Whether the search base `base` certainly lies outside a directory whose own base is
/// `directory`: read from the right, two components differ, or `base` ends first.
///
/// Only plain `dc=` components are compared, which `%s` makes of a domain. Of anything else it
/// cannot be told without a schema, and then the answer is no.
pub(crate) fn is_outside(base: &str, directory: &str) -> bool {
    // An escaped comma separates nothing; nothing lies outside the root.
    if [base, directory].iter().any(|name| name.contains('\\')) || directory.trim() == "" {
        return false;
    }
    let mut components = base.rsplit(',');
    for theirs in directory.rsplit(',') {
        let Some(ours) = components.next() else { return true };
        let (Some(ours), Some(theirs)) = (label(ours), label(theirs)) else { return false };
        if !ours.eq_ignore_ascii_case(theirs) {
            return true;
        }
    }
    false
}

/// The label of a plain `dc=` component.
fn label(component: &str) -> Option<&str> {
    let (attribute, value) = component.split_once('=')?;
    let value = value.trim_matches(' ');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (attribute.trim_matches(' ').eq_ignore_ascii_case("dc") && value.bytes().all(is_plain))
        .then_some(value)
}

#[cfg(test)]
mod tests {
    use super::is_outside;

    #[test]
    fn outside() {
        for (base, directory) in [
            ("dc=example,dc=org", "dc=example,dc=test"),
            ("dc=test", "dc=example,dc=test"),
            ("dc=other,dc=test", "dc=example,dc=test"),
            ("ou=people,dc=other,dc=test", "dc=example,dc=test"),
            ("dc=localdomain", "dc=localdomain,dc=test"),
        ] {
            assert!(is_outside(base, directory), "{base} in {directory}");
        }
    }

    #[test]
    fn inside_or_who_knows() {
        for (base, directory) in [
            ("dc=example,dc=test", "dc=example,dc=test"),
            ("dc=example,dc=test", "DC=Example, dc = TEST"),
            ("dc=mail,dc=example,dc=test", "dc=example,dc=test"),
            ("ou=people,dc=example,dc=test", "dc=test"),
            ("dc=example,dc=test", ""),
            ("dc=example,dc=org", "o=hosting"),
            ("dc=example,dc=org", "0.9.2342.19200300.100.1.25=test"),
            (r"o=a\,dc=b,dc=org", r"o=a\,dc=c,dc=org"),
            (r"dc=a\,dc=b", r"dc=\61"),
        ] {
            assert!(!is_outside(base, directory), "{base} in {directory}");
        }
    }
}

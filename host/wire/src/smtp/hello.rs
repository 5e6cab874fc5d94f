//! The name behind EHLO, HELO and LHLO.

/// The longest name, in octets (RFC 5321 section 4.5.3.1.2).
const MAX_HELLO: usize = 255;

/// Whether a name that somebody else chose may be said to a back end: what looks like a host name
/// or an address literal (RFC 5321 section 4.1.1.1), underscores included, since machines have
/// them. What the DNS or the network would say of it is for the back end to find out.
pub(super) fn may_be_said(name: &str) -> bool {
    let inside = match name.strip_prefix('[') {
        Some(literal) => literal.strip_suffix(']').filter(|literal| {
            let address = literal.strip_prefix("IPv6:").unwrap_or(literal);
            address.bytes().all(|octet| octet.is_ascii_hexdigit() || b".:".contains(&octet))
        }),
        None => Some(name).filter(|name| {
            name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-._".contains(&octet))
        }),
    };
    name.len() <= MAX_HELLO
        && inside.is_some_and(|inside| inside.bytes().any(|octet| octet.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::may_be_said;

    #[test]
    fn names_and_literals() {
        for name in ["a", "mail.example.test", "PC_1", "[192.0.2.1]", "[IPv6:2001:db8::1]"] {
            assert!(may_be_said(name), "{name}");
        }
        let long = "a".repeat(256);
        for name in [
            "",
            ".",
            "[]",
            "[IPv6:]",
            "[192.0.2.1",
            "192.0.2.1]",
            "[a b]",
            "[x]",
            "a b",
            "a\r\nMAIL",
            "a\0",
            "<a>",
            "m\u{fc}ller",
            &long,
        ] {
            assert!(!may_be_said(name), "{name}");
        }
    }
}

//! The name behind EHLO, HELO and LHLO.

use std::net::IpAddr;

/// The longest name, in octets (RFC 5321 section 4.5.3.1.2).
const MAX_HELLO: usize = 255;

/// Whether a name that somebody else chose may be said to a back end: what looks like a host name
/// or an address literal (RFC 5321 section 4.1.1.1). Underscores are taken, since machines have
/// them, and literals without their `IPv6:`. What the DNS would say is for the back end to find out.
pub(super) fn may_be_said(name: &str) -> bool {
    if let Some(literal) = name.strip_prefix('[') {
        let address = literal.strip_suffix(']').unwrap_or_default();
        return address.strip_prefix("IPv6:").unwrap_or(address).parse::<IpAddr>().is_ok();
    }
    let is_part = |octet: u8| octet.is_ascii_alphanumeric() || b"-._".contains(&octet);
    name.len() <= MAX_HELLO
        && name.bytes().all(is_part)
        && name.bytes().any(|octet| octet.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::may_be_said;

    #[test]
    fn names_and_literals() {
        for name in ["a", "mail.example.test", "PC_1", "[192.0.2.1]", "[IPv6:2001:db8::1]", "[::1]"]
        {
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

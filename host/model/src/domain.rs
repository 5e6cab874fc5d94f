use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// The longest domain, in octets (RFC 5321 section 4.5.3.1.2).
pub const MAX_DOMAIN: usize = 255;

/// A mail domain: lower-case A-labels (RFC 5890 section 2.3.2.1), no trailing dot.
///
/// Only letters, digits, hyphens and dots occur in it, so it may stand in a file name, a metric's
/// label or a filter. A single label is allowed (`localdomain`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(Arc<str>);

/// Why some text is no domain.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DomainError {
    /// Nothing is there.
    #[error("the domain is empty")]
    Empty,
    /// More than [`MAX_DOMAIN`] octets, or a label of more than 63 (RFC 1035 section 2.3.4).
    #[error("the domain or one of its labels is too long")]
    TooLong,
    /// Characters that no host name has, or an invalid international name.
    #[error("this is not a domain name")]
    Invalid,
}

impl Domain {
    /// Normalises what a client, a directory or an operator wrote.
    ///
    /// ASCII names take no detour over Unicode and, when they are in lower case already, allocate
    /// once.
    pub fn new(text: &str) -> Result<Self, DomainError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(DomainError::Empty);
        }
        // An A-label is up to 63 octets; no U-label form is longer than four times that.
        if text.len() > 4 * MAX_DOMAIN {
            return Err(DomainError::TooLong);
        }
        if !text.is_ascii() || has_a_label(text) {
            let ascii = idna::domain_to_ascii_strict(text).map_err(|_| DomainError::Invalid)?;
            let ascii = ascii.strip_suffix('.').unwrap_or(&ascii);
            check(ascii)?;
            return Ok(Self(Arc::from(ascii)));
        }
        check(text)?;
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Ok(Self(Arc::from(text.to_ascii_lowercase())));
        }
        Ok(Self(Arc::from(text)))
    }

    /// The A-label form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The labels from the left.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Domain {
    fn borrow(&self) -> &str {
        &self.0
    }
}

fn has_a_label(text: &str) -> bool {
    text.split('.')
        .any(|label| label.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("xn--")))
}

fn check(ascii: &str) -> Result<(), DomainError> {
    if ascii.is_empty() {
        return Err(DomainError::Empty);
    }
    if ascii.len() > MAX_DOMAIN {
        return Err(DomainError::TooLong);
    }
    for label in ascii.split('.') {
        if label.len() > 63 {
            return Err(DomainError::TooLong);
        }
        let inside = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = label.as_bytes();
        if !edge(bytes.first()) || !edge(bytes.last()) || !bytes.iter().all(|b| inside(*b)) {
            return Err(DomainError::Invalid);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Domain, DomainError};

    #[test]
    fn lower_case_without_trailing_dot() {
        assert_eq!(Domain::new("Example.TEST.").unwrap().as_str(), "example.test");
        assert_eq!(Domain::new("localdomain").unwrap().as_str(), "localdomain");
    }

    #[test]
    fn international_names_become_a_labels() {
        assert_eq!(Domain::new("bücher.example").unwrap().as_str(), "xn--bcher-kva.example");
        assert_eq!(Domain::new("BÜCHER.example").unwrap().as_str(), "xn--bcher-kva.example");
        assert_eq!(Domain::new("XN--BCHER-KVA.example").unwrap().as_str(), "xn--bcher-kva.example");
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        for text in [
            "a..b",
            ".a",
            "a_b",
            "a b",
            "-a",
            "a-",
            "a.-b",
            "a\0b",
            "a\r\nb",
            "a*b",
            "a,b",
            "xn--",
            "a/b",
            "[127.0.0.1]",
            "a:b",
            "a%b",
            "..",
        ] {
            assert_eq!(Domain::new(text), Err(DomainError::Invalid), "{text:?}");
        }
        assert_eq!(Domain::new(""), Err(DomainError::Empty));
        assert_eq!(Domain::new("."), Err(DomainError::Empty));
        assert_eq!(Domain::new(&"a".repeat(64)), Err(DomainError::TooLong));
        assert_eq!(Domain::new(&"a.".repeat(200)), Err(DomainError::TooLong));
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(text in "\\PC{0,40}") {
            if let Ok(domain) = Domain::new(&text) {
                prop_assert_eq!(Domain::new(domain.as_str()), Ok(domain.clone()));
                prop_assert!(domain.as_str().bytes().all(
                    |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.'
                ));
            }
        }
    }
}

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::{Domain, DomainError};

/// The longest local part, in octets (RFC 5321 section 4.5.3.1.1 says 64; real systems carry more).
pub const MAX_LOCAL_PART: usize = 256;
/// The longest address, in octets.
pub const MAX_ADDRESS: usize = MAX_LOCAL_PART + 1 + crate::MAX_DOMAIN;

/// A normalised mail address: a local part as the client wrote it and a [`Domain`].
///
/// The local part keeps its case: whether case matters is the directory's matching rule to say.
/// It is not empty and holds no control character.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    whole: Arc<str>,
    domain: Domain,
}

/// Why a login name or recipient cannot be an address. Nobody is asked about such a name.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AddressError {
    /// Nothing before the `@`, or nothing at all.
    #[error("the local part is empty")]
    Empty,
    /// A control character, C0, C1 or DEL.
    #[error("the name holds a control character")]
    Control,
    /// More than [`MAX_LOCAL_PART`] octets before the `@`.
    #[error("the name is too long")]
    TooLong,
    /// A bare name where no default domain is configured.
    #[error("the name has no domain and there is no default domain")]
    NoDomain,
    /// What stands behind the `@`.
    #[error("{0}")]
    Domain(#[from] DomainError),
}

impl Address {
    /// Normalises `name`: the part behind the last `@` is the domain; a bare name gets
    /// `default_domain`.
    pub fn new(name: &str, default_domain: Option<&Domain>) -> Result<Self, AddressError> {
        if name.len() > 4 * MAX_ADDRESS {
            return Err(AddressError::TooLong);
        }
        if name.chars().any(char::is_control) {
            return Err(AddressError::Control);
        }
        match name.rsplit_once('@') {
            Some((local_part, domain)) => Self::from_parts(local_part, Domain::new(domain)?),
            None if name.is_empty() => Err(AddressError::Empty),
            None => {
                let domain = default_domain.ok_or(AddressError::NoDomain)?;
                Self::from_parts(name, domain.clone())
            }
        }
    }

    /// Puts an address together from its halves, with the same checks on the local part.
    pub fn from_parts(local_part: &str, domain: Domain) -> Result<Self, AddressError> {
        if local_part.is_empty() {
            return Err(AddressError::Empty);
        }
        if local_part.len() > MAX_LOCAL_PART {
            return Err(AddressError::TooLong);
        }
        if local_part.chars().any(char::is_control) {
            return Err(AddressError::Control);
        }
        Ok(Self { whole: Arc::from(format!("{local_part}@{domain}")), domain })
    }

    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.whole
    }

    /// What stands before the last `@`.
    pub fn local_part(&self) -> &str {
        let end = self.whole.len() - self.domain.as_str().len() - 1;
        self.whole.get(..end).unwrap_or_default()
    }

    /// What stands behind the last `@`.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The address without the tag that `delimiter` starts (RFC 5233: the `:detail` of a
    /// sub-address), or `None` where it has none. A delimiter in first place starts no tag.
    pub fn without_tag(&self, delimiter: &str) -> Option<Self> {
        if delimiter.is_empty() {
            return None;
        }
        let (user, _tag) = self.local_part().split_once(delimiter)?;
        Self::from_parts(user, self.domain.clone()).ok()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.whole)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Address, AddressError, MAX_LOCAL_PART};
    use crate::{Domain, DomainError};

    #[test]
    fn a_bare_name_gets_the_default_domain() {
        let domain = Domain::new("localdomain.test").unwrap();
        let address = Address::new("user1", Some(&domain)).unwrap();
        assert_eq!(address.as_str(), "user1@localdomain.test");
        assert_eq!(Address::new("user1", None), Err(AddressError::NoDomain));
    }

    #[test]
    fn the_domain_is_normalised_and_the_local_part_is_kept() {
        let address = Address::new("User.One@Example.TEST.", None).unwrap();
        assert_eq!(address.as_str(), "User.One@example.test");
        assert_eq!(address.local_part(), "User.One");
    }

    #[test]
    fn the_last_at_sign_counts() {
        assert_eq!(Address::new("a@b@c.test", None).unwrap().local_part(), "a@b");
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        assert_eq!(Address::new("", None), Err(AddressError::Empty));
        assert_eq!(Address::new("@a.test", None), Err(AddressError::Empty));
        assert_eq!(Address::new("a@", None), Err(DomainError::Empty.into()));
        for name in ["a\0b@c", "a\r\nb@c", "a\u{7f}@c", "a\u{85}@c", "a@c\n"] {
            assert_eq!(Address::new(name, None), Err(AddressError::Control), "{name:?}");
        }
        let long = format!("{}@a", "x".repeat(MAX_LOCAL_PART + 1));
        assert_eq!(Address::new(&long, None), Err(AddressError::TooLong));
    }

    #[test]
    fn a_tag_is_taken_off() {
        let untagged = |name: &str| {
            let address = Address::new(name, None).unwrap();
            address.without_tag("+").map(|a| a.as_str().to_owned())
        };
        assert_eq!(untagged("user+news@a.test").as_deref(), Some("user@a.test"));
        assert_eq!(untagged("user+a+b@a.test").as_deref(), Some("user@a.test"));
        assert_eq!(untagged("+a@a.test"), None);
        assert_eq!(untagged("user@a.test"), None);
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(name in "\\PC{0,30}@[a-zA-Z0-9.-]{1,20}") {
            if let Ok(address) = Address::new(&name, None) {
                prop_assert_eq!(Address::new(address.as_str(), None), Ok(address.clone()));
                prop_assert_eq!(
                    format!("{}@{}", address.local_part(), address.domain()), address.as_str());
            }
        }

        #[test]
        fn nothing_panics(name in any::<String>()) {
            let _ = Address::new(&name, None);
        }
    }
}

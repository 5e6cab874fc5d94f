use std::fmt;
use std::hash::{BuildHasher as _, RandomState};

/// How users are named in the log: `log-addresses`.
#[derive(Clone, Debug, Default)]
pub enum Users {
    /// `clear`: by their address.
    #[default]
    Clear,
    /// `hash`: by a keyed hash of it, so that the lines of one user can be told to belong together
    /// and nobody can be looked up. The key lives as long as the process.
    Hash(RandomState),
}

impl Users {
    /// A new key.
    pub fn hashed() -> Self {
        Self::Hash(RandomState::new())
    }

    /// Whether the log may name them.
    pub fn are_clear(&self) -> bool {
        matches!(self, Self::Clear)
    }

    /// The address as the log shall show it.
    pub fn label<'a>(&self, address: &'a str) -> UserLabel<'a> {
        match self {
            Self::Clear => UserLabel::Clear(address),
            Self::Hash(key) => UserLabel::Hash(key.hash_one(address)),
        }
    }
}

/// An address as the log shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserLabel<'a> {
    /// As it is.
    Clear(&'a str),
    /// A keyed hash.
    Hash(u64),
}

impl fmt::Display for UserLabel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clear(address) => f.write_str(address),
            Self::Hash(hash) => write!(f, "{hash:016x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Users;

    #[test]
    fn a_hash_is_stable_and_shows_nothing() {
        let users = Users::hashed();
        let label = users.label("user1@example.test").to_string();
        assert_eq!(label, users.label("user1@example.test").to_string());
        assert_ne!(label, users.label("user2@example.test").to_string());
        assert_eq!(label.len(), 16);
        assert_ne!(label, Users::hashed().label("user1@example.test").to_string());
    }
}

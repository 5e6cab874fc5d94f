use std::collections::HashSet;

use thiserror::Error;

use crate::attribute::AttributeName;
use crate::filter::{Extensible, Filter, Test};
use crate::secret::is_always_secret;
use crate::{BoundQuery, Entry, Part};

/// What a policy may do in one directory: the attributes that it may read *and test*.
///
/// A filter tells whether a value is there, so a right to read is a right to test, and what may
/// not be read may not be tested either. Secret attributes are refused even where they are listed.
///
/// Attributes are matched by type: a grant of `mail` holds for `MAIL` and `mail;lang-en`. An OID is
/// granted only where it is listed as an OID, so that nobody reaches an attribute by a spelling
/// that the operator did not think of. A supertype (`name`) is a right to test its subtypes too:
/// that is what a directory does with it.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Types in lower case, as listed.
    readable: HashSet<Box<str>>,
    /// Keys of the configured secret attributes.
    secret: HashSet<Box<str>>,
}

/// Why a list of attributes is no grant.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum GrantError {
    /// Not an attribute.
    #[error("{0:?} is no attribute: list the names of attributes, one by one")]
    Attribute(String),
    /// A secret attribute.
    #[error("{0:?} holds secrets, which no policy may read or test: take it off the list")]
    Secret(String),
}

/// Why a query is outside a grant.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{part}: {reason}")]
pub struct Denied {
    /// Where the attribute stands.
    pub part: Part,
    /// Which rule is broken.
    pub reason: DeniedReason,
}

/// The rules of a grant.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DeniedReason {
    /// A secret attribute.
    #[error("{0:?} is secret")]
    Secret(String),
    /// An attribute that is not listed.
    #[error("{0:?} is not among the attributes that this policy was granted")]
    NotGranted(String),
    /// An extensible match that would test every attribute.
    #[error("an extensible match must name the attribute that it tests")]
    AnyAttribute,
}

impl Grant {
    /// A grant of the attributes in `readable`. `secret` are the attributes that the directory's
    /// configuration calls secret, [`Directory::secret_attributes`](crate::Directory); those of the
    /// common schemas that hold passwords and keys are secret without being listed.
    ///
    /// # Errors
    /// A name in either list that is no attribute, `*` and `+` included; a secret one in `readable`.
    pub fn new<'a>(
        readable: impl IntoIterator<Item = &'a str>,
        secret: &[String],
    ) -> Result<Self, GrantError> {
        let parse = |text: &str| {
            AttributeName::parse(text).ok_or_else(|| GrantError::Attribute(text.to_owned()))
        };
        let mut grant = Self { readable: HashSet::new(), secret: HashSet::new() };
        for text in secret {
            grant.secret.insert(parse(text)?.key().into());
        }
        for text in readable {
            let attribute = parse(text)?;
            if grant.is_secret(&attribute) {
                return Err(GrantError::Secret(text.to_owned()));
            }
            grant.readable.insert(attribute.type_spelt().to_ascii_lowercase().into());
        }
        Ok(grant)
    }

    /// Checks every attribute that a query names: those that it asks for, those that its filter
    /// tests, and those of its base that are not the directory's own.
    ///
    /// The attributes of a base may be any that are not secret: they are part of the entry's name,
    /// which every page shows. `(objectClass=*)` is true of every entry and always allowed.
    ///
    /// # Errors
    /// The first attribute outside the grant.
    pub fn check(&self, query: &BoundQuery) -> Result<(), Denied> {
        let within = |part: Part| move |reason: DeniedReason| Denied { part, reason };
        for attribute in &query.attributes {
            self.check_attribute(attribute).map_err(within(Part::Attributes))?;
        }
        self.check_filter(&query.filter).map_err(within(Part::Filter))?;
        let own = query.base.rdns().iter().take(query.below);
        for ava in own.flat_map(|rdn| &rdn.0) {
            self.check_naming(&ava.attribute).map_err(within(Part::Base))?;
        }
        Ok(())
    }

    /// Takes every attribute off `entry` that was not granted. A directory answers with what the
    /// query named, so this takes nothing off; it is there for the day when one does not.
    pub fn restrict(&self, entry: &mut Entry) {
        entry.attributes.retain(|(name, _)| {
            AttributeName::parse(name).is_some_and(|name| self.check_attribute(&name).is_ok())
        });
    }

    fn check_filter(&self, filter: &Filter) -> Result<(), DeniedReason> {
        match filter {
            Filter::And(filters) | Filter::Or(filters) => {
                filters.iter().try_for_each(|filter| self.check_filter(filter))
            }
            Filter::Not(filter) => self.check_filter(filter),
            Filter::Item(attribute, Test::Present)
                if attribute.spelt().eq_ignore_ascii_case("objectClass") =>
            {
                Ok(())
            }
            Filter::Item(attribute, _) => self.check_attribute(attribute),
            Filter::Extensible(Extensible { attribute: Some(attribute), .. }) => {
                self.check_attribute(attribute)
            }
            Filter::Extensible(Extensible { attribute: None, .. }) => {
                Err(DeniedReason::AnyAttribute)
            }
        }
    }

    fn check_attribute(&self, attribute: &AttributeName) -> Result<(), DeniedReason> {
        if self.is_secret(attribute) {
            return Err(DeniedReason::Secret(attribute.spelt().to_owned()));
        }
        if self.is_listed(attribute) {
            return Ok(());
        }
        Err(DeniedReason::NotGranted(attribute.spelt().to_owned()))
    }

    /// Checks an attribute of a base: an OID could be a secret attribute's that is known here by
    /// its name only.
    fn check_naming(&self, attribute: &AttributeName) -> Result<(), DeniedReason> {
        if attribute.is_numeric() || self.is_secret(attribute) {
            return self.check_attribute(attribute);
        }
        Ok(())
    }

    fn is_secret(&self, attribute: &AttributeName) -> bool {
        is_always_secret(attribute.key()) || self.secret.contains(attribute.key())
    }

    fn is_listed(&self, attribute: &AttributeName) -> bool {
        let name = attribute.type_spelt();
        let mut buffer = [0; 64];
        let Some(lower) = buffer.get_mut(..name.len()) else {
            return self.readable.contains(name.to_ascii_lowercase().as_str());
        };
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        std::str::from_utf8(lower).is_ok_and(|lower| self.readable.contains(lower))
    }
}

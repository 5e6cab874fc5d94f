use std::marker::PhantomData;

use toml::Spanned;
use toml::de::DeValue;

use super::Value;

/// A setting, declared once: what it is called, what it means, what it is if nobody says. The
/// reference is written from the declarations, so they say everything that an operator needs.
pub(crate) struct Setting<T> {
    pub(crate) key: &'static str,
    pub(crate) presence: Presence,
    /// Whole sentences, with the unit where the value has one.
    pub(crate) about: &'static str,
    value: PhantomData<fn() -> T>,
}

/// Whether a setting must be given. Values are written as in a configuration file.
pub(crate) enum Presence {
    /// It has this value if nobody says.
    Default(&'static str),
    /// It may be left out; then it is as `otherwise` says. `is_usual` if hardly anybody does.
    Optional { example: &'static str, otherwise: &'static str, is_usual: bool },
    /// It must be given.
    Required { example: &'static str },
}

impl Presence {
    /// A value that the setting may have.
    pub(crate) const fn example(&self) -> &'static str {
        match self {
            Self::Default(value) => value,
            Self::Optional { example, .. } | Self::Required { example } => example,
        }
    }
}

impl<T> Setting<T> {
    pub(crate) const fn with_default(
        key: &'static str,
        default: &'static str,
        about: &'static str,
    ) -> Self {
        Self { key, presence: Presence::Default(default), about, value: PhantomData }
    }

    pub(crate) const fn optional(
        key: &'static str,
        example: &'static str,
        otherwise: &'static str,
        about: &'static str,
    ) -> Self {
        let presence = Presence::Optional { example, otherwise, is_usual: false };
        Self { key, presence, about, value: PhantomData }
    }

    pub(crate) const fn usual(
        key: &'static str,
        example: &'static str,
        otherwise: &'static str,
        about: &'static str,
    ) -> Self {
        let presence = Presence::Optional { example, otherwise, is_usual: true };
        Self { key, presence, about, value: PhantomData }
    }

    pub(crate) const fn required(
        key: &'static str,
        example: &'static str,
        about: &'static str,
    ) -> Self {
        Self { key, presence: Presence::Required { example }, about, value: PhantomData }
    }
}

/// A setting whatever the type of its value.
pub(crate) trait Declared: Sync {
    fn key(&self) -> &'static str;
    fn presence(&self) -> &Presence;
    fn about(&self) -> &'static str;
    /// The words that are possible, where only a few are.
    fn words(&self) -> Vec<&'static str>;
}

impl<T: Value> Declared for Setting<T> {
    fn key(&self) -> &'static str {
        self.key
    }

    fn presence(&self) -> &Presence {
        &self.presence
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn words(&self) -> Vec<&'static str> {
        T::words()
    }
}

/// The settings of one kind of table.
pub(crate) struct Section {
    /// The header with an example's name in it, such as `listener.imaps`.
    pub(crate) header: &'static str,
    /// What the table is for.
    pub(crate) about: &'static str,
    /// In the order of the reference.
    pub(crate) settings: &'static [&'static dyn Declared],
}

/// A default as it would stand in a file.
pub(crate) fn literal(text: &'static str) -> Spanned<DeValue<'static>> {
    // A default that is no TOML is found by a test that reads them all.
    DeValue::parse(text).unwrap_or_else(|_| Spanned::new(0..0, DeValue::String("".into())))
}

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};

/// Reads a setting that is written as a text: the middle of an author's own `Deserialize`.
///
/// `what` completes "… was expected", for where something else than a text stands; `read` makes
/// the value of the text, or says what is wrong with it.
///
/// ```
/// use waypost_sdk::serde::{Deserialize, Deserializer};
/// use waypost_sdk::{settings, text};
///
/// #[derive(Debug)]
/// struct Letter(char);
///
/// impl<'de> Deserialize<'de> for Letter {
///     fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
///         text(deserializer, "a letter", |text| match text.chars().next() {
///             Some(letter) => Ok(Self(letter)),
///             None => Err("a letter was expected, here is an empty string".into()),
///         })
///     }
/// }
///
/// #[derive(Debug, Deserialize)]
/// #[serde(crate = "waypost_sdk::serde")]
/// struct Settings {
///     first: Letter,
/// }
///
/// let settings: Settings = settings::read(r#"{"first": "x"}"#).unwrap();
/// assert_eq!(settings.first.0, 'x');
/// let problems = settings::read::<Settings>(r#"{"first": 1}"#).unwrap_err();
/// assert_eq!(problems[0].path, "/first");
/// assert_eq!(problems[0].message, "a letter was expected, here is a number");
/// ```
pub fn text<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    what: &str,
    read: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(Text { what, read })
}

struct Text<'a, F> {
    what: &'a str,
    read: F,
}

impl<T, F: FnOnce(&str) -> Result<T, String>> Visitor<'_> for Text<'_, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(E::custom)
    }
}

use serde::de::{Deserialize, Deserializer};

use crate::text;

/// The character at which the tag of a sub-address starts (RFC 5233), or none. `+` unless the
/// operator says otherwise; in settings a text of one character, or an empty one for none.
///
/// ```
/// use waypost_sdk::Delimiter;
///
/// let plus = Delimiter::default();
/// assert_eq!(plus.split("user+tag+more"), Some(("user", "+tag+more")));
/// assert_eq!(plus.split("user"), None);
/// assert_eq!(plus.split("+user"), None);
/// assert_eq!(Delimiter::NONE.split("user+tag"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delimiter(Option<char>);

impl Delimiter {
    /// No character starts a tag.
    pub const NONE: Self = Self(None);

    /// Parts a local part before its first delimiter, which stays with the tag. `None` where it has
    /// no tag; a delimiter in first place starts none.
    pub fn split(self, local_part: &str) -> Option<(&str, &str)> {
        let at = local_part.find(self.0?)?;
        let (user, tag) = local_part.split_at_checked(at)?;
        (!user.is_empty()).then_some((user, tag))
    }
}

impl Default for Delimiter {
    fn default() -> Self {
        Self(Some('+'))
    }
}

impl<'de> Deserialize<'de> for Delimiter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const WHAT: &str = "one character that a local part can have was expected, \
                            or \"\" for none, here is";
        text(deserializer, "a text of one character or none", |text| {
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (None, _) => Ok(Self(None)),
                (Some(one), None) if one != '@' && !one.is_control() => Ok(Self(Some(one))),
                _ => Err(format!("{WHAT} {text:?}")),
            }
        })
    }
}

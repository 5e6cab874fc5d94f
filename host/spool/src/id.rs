use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thiserror::Error;

/// The length of an [`Id`] as text.
pub const ID_LENGTH: usize = 26;

/// Crockford's base 32: no letter that could be read as a digit, and no vowel `U`.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const BITS_PER_DIGIT: u32 = 5;
const RANDOM_BITS: u32 = 80;

/// The name of a message: 48 bits of time in milliseconds since 1970, then 80 random bits, written
/// as 26 characters of Crockford's base 32.
///
/// Names sort by time, as numbers and as text. Two are never the same in practice, and nobody who
/// knows one can guess another. The text holds capital letters and digits only, so that it is safe
/// in a file's name, in a mail header and on a command line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(u128);

/// What was read is no [`Id`].
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "a message's id is {ID_LENGTH} letters and digits without I, L, O and U, and starts with 0 to 7"
)]
pub struct IdError;

impl Id {
    /// A new name, for a message that arrives now.
    pub fn generate() -> Self {
        Self::new(SystemTime::now(), rand::random())
    }

    /// The name for a message that arrives at `time`; of `random` the lower 80 bits count. A time
    /// before 1970 or after the year 10889 becomes the nearest that there is.
    pub(crate) fn new(time: SystemTime, random: u128) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let milliseconds = since.as_millis().min((1 << (u128::BITS - RANDOM_BITS)) - 1);
        Self(milliseconds << RANDOM_BITS | random & ((1 << RANDOM_BITS) - 1))
    }

    /// When the name was made, to the millisecond.
    pub fn time(self) -> SystemTime {
        let milliseconds = u64::try_from(self.0 >> RANDOM_BITS).unwrap_or(u64::MAX);
        UNIX_EPOCH + Duration::from_millis(milliseconds)
    }

    /// The name that this number stands for.
    pub(crate) const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The number that the text stands for.
    pub(crate) const fn bits(self) -> u128 {
        self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(ID_LENGTH);
        for place in (0..).step_by(5).take(ID_LENGTH).collect::<Vec<u32>>().into_iter().rev() {
            let digit = usize::try_from(self.0 >> place & 31).unwrap_or_default();
            text.extend(DIGITS.get(digit).map(|digit| char::from(*digit)));
        }
        f.pad(&text)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = IdError;

    /// Reads what an operator typed: lower case is taken too, and nothing else than the 26
    /// characters, so that what comes out can name no file but a message's.
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() != ID_LENGTH {
            return Err(IdError);
        }
        let mut bits = 0_u128;
        for character in text.bytes() {
            let character = character.to_ascii_uppercase();
            let digit = DIGITS.iter().position(|digit| *digit == character).ok_or(IdError)?;
            // 26 digits are 130 bits: the first may hold three only.
            if bits >> (u128::BITS - BITS_PER_DIGIT) != 0 {
                return Err(IdError);
            }
            bits = bits << BITS_PER_DIGIT | u128::try_from(digit).unwrap_or_default();
        }
        Ok(Self(bits))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::{ID_LENGTH, Id};

    #[test]
    fn the_text_is_the_number_in_base_32() {
        assert_eq!(Id(0).to_string(), "00000000000000000000000000");
        assert_eq!(Id(31).to_string(), "0000000000000000000000000Z");
        assert_eq!(Id(u128::MAX).to_string(), "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
        let known = Id::new(UNIX_EPOCH + Duration::from_millis(1_469_922_850_259), 0);
        assert_eq!(known.to_string(), "01ARZ3NDEK0000000000000000");
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let id = Id::generate().to_string();
        for text in [
            "",
            "../../../../etc/passwd\0\0\0\0",
            "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "0000000000000000000000000U",
            "0000000000000000000000000I",
            "0000000000000000000000000\u{e9}",
            "000000000000000000000000\u{e9}",
            &id[1..],
            &format!("{id}0"),
            &format!(" {}", &id[1..]),
        ] {
            assert!(text.parse::<Id>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn generated_ones_are_distinct_and_tell_their_time() {
        let ids: HashSet<Id> = (0..10_000).map(|_| Id::generate()).collect();
        assert_eq!(ids.len(), 10_000);
        let age = SystemTime::now().duration_since(Id::generate().time()).unwrap();
        assert!(age < Duration::from_secs(60), "{age:?}");
        assert_eq!(Id::new(UNIX_EPOCH - Duration::from_secs(1), 0), Id(0));
    }

    proptest! {
        #[test]
        fn text_and_number_are_the_same_thing(one: u128, other: u128) {
            let (one, other) = (Id(one), Id(other));
            let text = one.to_string();
            prop_assert_eq!(text.len(), ID_LENGTH);
            prop_assert_eq!(text.parse(), Ok(one));
            prop_assert_eq!(text.to_lowercase().parse(), Ok(one));
            prop_assert_eq!(one.cmp(&other), text.cmp(&other.to_string()));
        }

        #[test]
        fn any_text_is_an_id_or_none(text in "\\PC{0,40}|[0-9a-zA-Z/.]{26}") {
            if let Ok(id) = text.parse::<Id>() {
                prop_assert_eq!(id.to_string(), text.to_uppercase());
            }
        }

        #[test]
        fn the_time_comes_back(milliseconds in 0_u64..1 << 48, random: u128) {
            let time = UNIX_EPOCH + Duration::from_millis(milliseconds);
            prop_assert_eq!(Id::new(time, random).time(), time);
        }
    }
}

use std::num::{NonZeroU16, NonZeroU32, NonZeroUsize};
use std::ops::Range;
use std::sync::Arc;

use toml::de::DeValue;

use super::Node;

/// A type that settings can have.
pub(crate) trait Value: Sized {
    /// What is expected, to follow that word: `a duration such as "30s"`.
    fn expected() -> String;

    /// Reads a value; notes what is wrong with it.
    fn read(node: &Node<'_>) -> Option<Self>;

    /// The words that are possible, where only a few are.
    fn words() -> Vec<&'static str> {
        Vec::new()
    }
}

/// A value with its place, for checks that come later.
#[derive(Clone, Debug)]
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

impl<T: Value> Value for Placed<T> {
    fn expected() -> String {
        T::expected()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        Some(Self { value: node.read()?, span: node.span.clone() })
    }
}

/// A table, which its own section reads.
pub(crate) struct SubTable;

impl Value for SubTable {
    fn expected() -> String {
        "a table".into()
    }

    fn read(_: &Node<'_>) -> Option<Self> {
        Some(Self)
    }
}

impl<T: Value> Value for Vec<T> {
    fn expected() -> String {
        format!("a list, each of it {}", T::expected())
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        let Some(elements) = node.elements() else {
            return node.expected(Self::expected());
        };
        // All are read before the first wrong one spoils the list.
        let read: Vec<_> = elements.iter().map(Node::read).collect();
        read.into_iter().collect()
    }

    fn words() -> Vec<&'static str> {
        T::words()
    }
}

impl Value for bool {
    fn expected() -> String {
        "true or false".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        match node.value {
            DeValue::Boolean(value) => Some(*value),
            _ => node.expected(Self::expected()),
        }
    }
}

impl Value for String {
    fn expected() -> String {
        "a string".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        match node.text() {
            Some("") => node.expected("a string that is not empty"),
            Some(text) if text.contains(char::is_control) => {
                node.error("a control character has no place here")
            }
            Some(text) => Some(text.to_owned()),
            None => node.expected(Self::expected()),
        }
    }
}

impl Value for Arc<str> {
    fn expected() -> String {
        String::expected()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        node.read::<String>().map(Self::from)
    }
}

impl Value for char {
    fn expected() -> String {
        "a single character".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        let mut characters = node.text().unwrap_or_default().chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) if !character.is_control() => Some(character),
            _ => node.expected(Self::expected()),
        }
    }
}

fn read_number(node: &Node<'_>, range: Range<i128>) -> Option<i128> {
    let DeValue::Integer(number) = node.value else { return None };
    let number = i128::from_str_radix(number.as_str(), number.radix()).ok()?;
    range.contains(&number).then_some(number)
}

macro_rules! number {
    ($($number:ty: $least:literal),*) => {$(
        impl Value for $number {
            fn expected() -> String {
                format!("a whole number from {} to {}", $least, <$number>::MAX)
            }

            fn read(node: &Node<'_>) -> Option<Self> {
                let most = i128::from(u64::MAX);
                let number = read_number(node, $least..most).and_then(|number| {
                    u64::try_from(number).ok().and_then(|number| number.try_into().ok())
                });
                number.or_else(|| node.expected(<Self as Value>::expected()))
            }
        }
    )*};
}

number!(u8: 0, u32: 0, u64: 0, usize: 0);

macro_rules! number_not_zero {
    ($($number:ty: $inner:ty),*) => {$(
        impl Value for $number {
            fn expected() -> String {
                format!("a whole number from 1 to {}", <$number>::MAX)
            }

            fn read(node: &Node<'_>) -> Option<Self> {
                let number = read_number(node, 1..i128::from(u64::MAX))
                    .and_then(|number| <$inner>::try_from(number).ok())
                    .and_then(Self::new);
                number.or_else(|| node.expected(<Self as Value>::expected()))
            }
        }
    )*};
}

number_not_zero!(NonZeroU16: u16, NonZeroU32: u32, NonZeroUsize: usize);

/// One of a few words.
pub(crate) trait Choice: Copy + 'static {
    /// How each is written.
    const CHOICES: &'static [(&'static str, Self)];
}

/// `"a", "b" or "c"`.
pub(crate) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

pub(crate) fn choice_words<T: Choice>() -> Vec<&'static str> {
    T::CHOICES.iter().map(|(word, _)| *word).collect()
}

pub(crate) fn read_choice<T: Choice>(node: &Node<'_>) -> Option<T> {
    let words = choice_words::<T>();
    let Some(text) = node.text() else { return node.expected(one_of(&words)) };
    let chosen = T::CHOICES.iter().find(|(word, _)| *word == text);
    match chosen {
        Some((_, choice)) => Some(*choice),
        None => node.not_among(one_of(&words), text, &words),
    }
}

/// Makes a type a [`Choice`] between words.
macro_rules! choice {
    ($type:ty: $($word:literal => $value:expr),+ $(,)?) => {
        impl $crate::read::Choice for $type {
            const CHOICES: &'static [(&'static str, Self)] = &[$(($word, $value)),+];
        }

        impl $crate::read::Value for $type {
            fn expected() -> String {
                $crate::read::one_of(&$crate::read::choice_words::<Self>())
            }

            fn read(node: &$crate::read::Node<'_>) -> Option<Self> {
                $crate::read::read_choice(node)
            }

            fn words() -> Vec<&'static str> {
                $crate::read::choice_words::<Self>()
            }
        }
    };
}
pub(crate) use choice;

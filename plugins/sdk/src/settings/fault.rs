use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use super::node::Place;
use super::pointer;

/// The first thing that a pass over the settings could not take.
#[derive(Debug)]
pub(crate) struct Fault {
    message: String,
    /// The member meant, where it is not the value itself.
    member: Option<String>,
    pointer: Option<String>,
}

impl Fault {
    /// Something else stands here.
    pub(super) fn expected(what: &dyn fmt::Display, here: &str) -> Self {
        Self::new(format!("{what} was expected, here is {here}"))
    }

    fn new(message: String) -> Self {
        Self { message, member: None, pointer: None }
    }

    /// Says where it is, unless somebody further in has done so.
    pub(super) fn at(mut self, place: &Place<'_>) -> Self {
        if self.pointer.is_none() {
            let here = place.pointer();
            self.pointer = Some(match &self.member {
                Some(member) => pointer(&here, member),
                None => here,
            });
        }
        self
    }

    /// Says that it is about a key of the table at `place`.
    pub(super) fn at_key(mut self, place: &Place<'_>, key: &str) -> Self {
        self.member.get_or_insert_with(|| key.into());
        self.at(place)
    }

    /// Where it is, as a JSON pointer (RFC 6901).
    pub(super) fn pointer(&self) -> String {
        match (&self.pointer, &self.member) {
            (Some(place), _) => place.clone(),
            (None, Some(member)) => pointer("", member),
            (None, None) => String::new(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let here = match unexpected {
            Unexpected::Bool(_) => "true or false",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
            Unexpected::Char(_) | Unexpected::Str(_) | Unexpected::Bytes(_) => "a string",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a table",
            _ => "nothing",
        };
        Self::expected(&expected, here)
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match unexpected {
            Unexpected::Str(text) => Self::expected(&expected, &format!("{text:?}")),
            Unexpected::Unsigned(number) => Self::expected(&expected, &number.to_string()),
            Unexpected::Signed(number) => Self::expected(&expected, &number.to_string()),
            other => Self::invalid_type(other, expected),
        }
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("{expected} was expected, here are {length}"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::expected(&choice(expected), &format!("{variant:?}"))
    }

    fn unknown_field(field: &str, _expected: &'static [&'static str]) -> Self {
        Self { member: Some(field.into()), ..Self::new("there is no such setting".into()) }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { member: Some(field.into()), ..Self::new("this setting is required".into()) }
    }
}

/// `"refuse" or "pass"`.
pub(super) fn choice(variants: &[&str]) -> String {
    let names: Vec<_> = variants.iter().map(|name| format!("{name:?}")).collect();
    names.join(" or ")
}

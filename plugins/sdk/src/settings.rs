use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{Policy, Problem};

/// The `settings` table of a policy, read key by key.
///
/// Reading never stops at the first fault: each is kept as a problem with its JSON pointer (RFC
/// 6901), and at the end every key that nobody asked for becomes one too.
#[derive(Debug)]
pub struct Settings {
    unread: Map<String, Value>,
    problems: Vec<Problem>,
}

impl Settings {
    /// Reads `json` into a policy, or says everything that is wrong with it.
    pub fn read<P: Policy>(json: &str) -> Result<P, Vec<Problem>> {
        let mut settings = Self::parse(json)?;
        let policy = P::configure(&mut settings);
        settings.name_unknown_keys();
        match policy {
            Some(policy) if settings.problems.is_empty() => Ok(policy),
            _ => {
                if settings.problems.is_empty() {
                    settings
                        .problem("", "the plugin takes no settings like these and says not why");
                }
                Err(settings.problems)
            }
        }
    }

    fn parse(json: &str) -> Result<Self, Vec<Problem>> {
        let problem = |message| Err(vec![Problem { path: String::new(), message }]);
        match serde_json::from_str(json) {
            Ok(Value::Object(unread)) => Ok(Self { unread, problems: Vec::new() }),
            Ok(other) => problem(format!("a table was expected, here is {}", kind(&other))),
            Err(error) => problem(format!("the settings are not JSON: {error}")),
        }
    }

    /// The value of a key that must be there; `None` after a problem.
    pub fn required<T: Setting>(&mut self, key: &str) -> Option<T> {
        if !self.unread.contains_key(key) {
            self.problem(pointer("", key), "this setting is required");
            return None;
        }
        self.optional(key)
    }

    /// The value of a key; `None` where it is not there or a problem.
    pub fn optional<T: Setting>(&mut self, key: &str) -> Option<T> {
        let value = self.unread.remove(key)?;
        T::read(&value, &mut Place { pointer: pointer("", key), problems: &mut self.problems })
    }

    /// Adds a problem, such as two settings that exclude each other. `pointer` is a JSON pointer
    /// into the settings, `""` the whole; `message` says what is wrong and what was expected.
    pub fn problem(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem { path: pointer.into(), message: message.into() });
    }

    fn name_unknown_keys(&mut self) {
        for key in std::mem::take(&mut self.unread).keys() {
            self.problem(pointer("", key), "there is no such setting");
        }
    }
}

/// Where in the settings a value stands, and where its problems go.
#[derive(Debug)]
pub struct Place<'a> {
    pointer: String,
    problems: &'a mut Vec<Problem>,
}

impl Place<'_> {
    /// Adds a problem with what stands here, and gives up: answers `None`.
    pub fn problem<T>(&mut self, message: impl Into<String>) -> Option<T> {
        self.problems.push(Problem { path: self.pointer.clone(), message: message.into() });
        None
    }

    /// Adds the problem that something else stands here; `what` completes "… was expected".
    pub fn expected<T>(&mut self, what: &str, value: &Value) -> Option<T> {
        self.problem(format!("{what} was expected, here is {}", kind(value)))
    }

    /// The text that stands here; `what` says what it means, in case that it is none.
    pub fn text<'v>(&mut self, what: &str, value: &'v Value) -> Option<&'v str> {
        value.as_str().or_else(|| self.expected(what, value))
    }

    /// The choice that the text here names.
    pub fn choice<T: Copy>(&mut self, value: &Value, choices: &[(&str, T)]) -> Option<T> {
        let chosen = choices.iter().find(|(name, _)| value.as_str() == Some(name));
        if let Some((_, choice)) = chosen {
            return Some(*choice);
        }
        let names: Vec<_> = choices.iter().map(|(name, _)| format!("{name:?}")).collect();
        let here = value.as_str().map_or_else(|| kind(value).into(), |text| format!("{text:?}"));
        self.problem(format!("{} was expected, here is {here}", names.join(" or ")))
    }

    /// The place of an item or a member in what stands here.
    pub fn child(&mut self, key: &str) -> Place<'_> {
        Place { pointer: pointer(&self.pointer, key), problems: self.problems }
    }
}

/// A type of value that settings can have.
pub trait Setting: Sized {
    /// Reads `value`; leaves problems with `place` and answers `None` where it is none of these.
    fn read(value: &Value, place: &mut Place<'_>) -> Option<Self>;
}

impl Setting for String {
    fn read(value: &Value, place: &mut Place<'_>) -> Option<Self> {
        place.text("a string", value).map(Into::into)
    }
}

impl Setting for bool {
    fn read(value: &Value, place: &mut Place<'_>) -> Option<Self> {
        value.as_bool().or_else(|| place.expected("true or false", value))
    }
}

impl Setting for u32 {
    fn read(value: &Value, place: &mut Place<'_>) -> Option<Self> {
        let number = value.as_u64().and_then(|number| number.try_into().ok());
        number.or_else(|| place.expected("a whole number from 0 to 4294967295", value))
    }
}

/// Every item is read, whether or not one before it was a problem.
impl<T: Setting> Setting for Vec<T> {
    fn read(value: &Value, place: &mut Place<'_>) -> Option<Self> {
        let Some(items) = value.as_array() else { return place.expected("a list", value) };
        let mut read = Some(Self::new());
        for (index, item) in items.iter().enumerate() {
            let item = T::read(item, &mut place.child(&index.to_string()));
            read = read.zip(item).map(|(mut read, item)| {
                read.push(item);
                read
            });
        }
        read
    }
}

/// A table with keys of the operator's own choosing. Every member is read.
impl<T: Setting> Setting for BTreeMap<String, T> {
    fn read(value: &Value, place: &mut Place<'_>) -> Option<Self> {
        let Some(members) = value.as_object() else { return place.expected("a table", value) };
        let mut read = Some(Self::new());
        for (key, member) in members {
            let member = T::read(member, &mut place.child(key));
            read = read.zip(member).map(|(mut read, member)| {
                read.insert(key.clone(), member);
                read
            });
        }
        read
    }
}

/// The pointer of the member `key` of what `parent` points to (RFC 6901 section 3).
fn pointer(parent: &str, key: &str) -> String {
    format!("{parent}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

use serde_json::Value;

use crate::{Policy, Problem};

/// The `settings` table of a policy, read key by key.
///
/// Reading never stops at the first fault: each is kept as a problem with its JSON pointer (RFC
/// 6901), and at the end every key that nobody asked for becomes one too.
#[derive(Debug)]
pub struct Settings {
    unread: Vec<(String, Value)>,
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
            Ok(Value::Object(table)) => {
                Ok(Self { unread: table.into_iter().collect(), problems: Vec::new() })
            }
            Ok(other) => problem(format!("a table was expected, here is {}", kind(&other))),
            Err(error) => problem(format!("the settings are not JSON: {error}")),
        }
    }

    /// The value of a key that must be there; `None` after a problem.
    pub fn required<T: Setting>(&mut self, key: &str) -> Option<T> {
        if !self.unread.iter().any(|(unread, _)| unread == key) {
            self.problem(pointer("", key), "this setting is required");
            return None;
        }
        self.optional(key)
    }

    /// The value of a key; `None` where it is not there or a problem.
    pub fn optional<T: Setting>(&mut self, key: &str) -> Option<T> {
        let index = self.unread.iter().position(|(unread, _)| unread == key)?;
        let (_, value) = self.unread.swap_remove(index);
        T::read(&value, &mut Place { pointer: pointer("", key), problems: &mut self.problems })
    }

    /// Adds a problem, such as two settings that exclude each other. `pointer` is a JSON pointer
    /// into the settings, `""` the whole; `message` says what is wrong and what was expected.
    pub fn problem(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem { path: pointer.into(), message: message.into() });
    }

    fn name_unknown_keys(&mut self) {
        for (key, _) in std::mem::take(&mut self.unread) {
            self.problem(pointer("", &key), "there is no such setting");
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
        let read = items
            .iter()
            .enumerate()
            .map(|(index, item)| T::read(item, &mut place.child(&index.to_string())));
        collect_all(read)
    }
}

/// A table with keys of the operator's own choosing, in the order of the keys. Every member is
/// read, whether or not one before it was a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table<T>(pub Vec<(String, T)>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Setting> Setting for Table<T> {
    fn read(value: &Value, place: &mut Place<'_>) -> Option<Self> {
        let Some(members) = value.as_object() else { return place.expected("a table", value) };
        let read = members.iter().map(|(key, member)| {
            T::read(member, &mut place.child(key)).map(|member| (key.clone(), member))
        });
        collect_all(read).map(Self)
    }
}

/// The items, or `None` where one is missing; unlike `collect`, it looks at all of them.
fn collect_all<T>(items: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let items: Vec<_> = items.collect();
    items.into_iter().collect()
}

/// The JSON pointer of the member `key` of what `parent` points to (RFC 6901 section 3).
pub fn pointer(parent: &str, key: &str) -> String {
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

use std::fmt;

use serde_json::{Map, Number, Value as JsonValue};
use toml::de::DeValue;

use crate::read::Node;

/// The settings of a plugin, as the plugin gets them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(JsonValue);

impl Json {
    pub(crate) fn empty() -> Self {
        Self(JsonValue::Object(Map::new()))
    }

    pub(crate) fn value(&self) -> &JsonValue {
        &self.0
    }

    /// Whether there is a setting of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    /// These settings and further ones, each a text.
    pub(crate) fn with_texts(&self, texts: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut all = self.0.as_object().cloned().unwrap_or_default();
        all.extend(texts.into_iter().map(|(name, text)| (name, JsonValue::String(text))));
        Self(JsonValue::Object(all))
    }
}

impl fmt::Display for Json {
    /// As text: keys sorted, no spaces. Equal settings are equal texts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Makes JSON of a table; notes what JSON cannot say.
pub(crate) fn read(node: &Node<'_>) -> Option<Json> {
    if !node.is_table() {
        return node.expected("a table of the plugin's settings");
    }
    convert(node).map(Json)
}

fn convert(node: &Node<'_>) -> Option<JsonValue> {
    Some(match node.value {
        DeValue::String(text) => JsonValue::String(text.clone().into_owned()),
        DeValue::Boolean(value) => JsonValue::Bool(*value),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => JsonValue::Number(number.into()),
            Err(_) => return node.error("expected a number of at most 64 bits"),
        },
        DeValue::Float(number) => match number.as_str().parse().ok().and_then(Number::from_f64) {
            Some(number) => JsonValue::Number(number),
            None => return node.error("expected a number, neither inf nor nan"),
        },
        // JSON has no dates; a plugin reads them as they are written (RFC 3339).
        DeValue::Datetime(date) => JsonValue::String(date.to_string()),
        DeValue::Array(_) => {
            let elements = node.elements().unwrap_or_default();
            let converted: Vec<_> = elements.iter().map(convert).collect();
            JsonValue::Array(converted.into_iter().collect::<Option<_>>()?)
        }
        DeValue::Table(_) => {
            let entries = node.entries().unwrap_or_default();
            let converted: Vec<_> = entries
                .iter()
                .map(|entry| Some((entry.name.to_owned(), convert(&entry.node)?)))
                .collect();
            JsonValue::Object(converted.into_iter().collect::<Option<_>>()?)
        }
    })
}

use std::fmt::Display;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeValue};

use super::{Reading, Section, Table, Value};
use crate::problem::Severity;
use crate::suggest::nearest;

/// A value with its key and its place.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    pub(crate) reading: &'a Reading<'a>,
    pub(crate) value: &'a DeValue<'a>,
    pub(crate) span: Range<usize>,
    /// The dotted key.
    pub(crate) key: String,
}

/// An entry of a table whose keys are names that the operator chose.
pub(crate) struct NamedNode<'a> {
    pub(crate) name: &'a str,
    pub(crate) name_span: Range<usize>,
    pub(crate) node: Node<'a>,
}

impl<'a> Node<'a> {
    pub(crate) fn new(
        reading: &'a Reading<'a>,
        value: &'a Spanned<DeValue<'a>>,
        key: String,
    ) -> Self {
        Self { reading, value: value.get_ref(), span: value.span(), key }
    }

    /// Reads the value; what is wrong with it is noted.
    pub(crate) fn read<T: Value>(&self) -> Option<T> {
        T::read(self)
    }

    /// Notes that something else stands here than was expected.
    pub(crate) fn expected<T>(&self, what: impl Display) -> Option<T> {
        self.error(format!("expected {what}, found {}", self.found()))
    }

    /// Notes that a text is none of those that are possible.
    pub(crate) fn not_among<T>(
        &self,
        what: impl Display,
        text: &str,
        possible: &[&str],
    ) -> Option<T> {
        let help = nearest(text, possible.iter().copied());
        let help = help.map(|help| format!("did you mean \"{help}\"?"));
        let message = format!("expected {what}, found {}", self.found());
        self.note(Severity::Error, message, help);
        None
    }

    /// Notes an error at this value. Never a value: `return node.error(…)`.
    pub(crate) fn error<T>(&self, message: impl Display) -> Option<T> {
        self.note(Severity::Error, message.to_string(), None);
        None
    }

    pub(crate) fn warning(&self, message: impl Display) {
        self.note(Severity::Warning, message.to_string(), None);
    }

    pub(crate) fn note(&self, severity: Severity, message: String, help: Option<String>) {
        self.reading.note(severity, self.span.clone(), &self.key, message, help);
    }

    /// The text of a string.
    pub(crate) fn text(&self) -> Option<&'a str> {
        match self.value {
            DeValue::String(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    /// The elements of a list.
    pub(crate) fn elements(&self) -> Option<Vec<Self>> {
        let DeValue::Array(elements) = self.value else { return None };
        let element = |value| Node::new(self.reading, value, self.key.clone());
        Some(elements.iter().map(element).collect())
    }

    /// The table that stands here, whose settings `section` declares. What is read of it by
    /// `read` is all that it may hold.
    pub(crate) fn table<T>(
        &self,
        section: &'static Section,
        read: impl FnOnce(&Table<'a>) -> T,
    ) -> Option<T> {
        let DeValue::Table(map) = self.value else {
            return self.expected(format_args!("a table, [{}]", self.key));
        };
        let table = Table::new(self, Some(map), section);
        let result = read(&table);
        table.finish();
        Some(result)
    }

    /// The entries of a table whose keys are names, in the order of the file.
    pub(crate) fn entries(&self) -> Option<Vec<NamedNode<'a>>> {
        let DeValue::Table(map) = self.value else {
            return self.expected(format_args!("a table, [{}]", self.key));
        };
        let entry = |(name, value): (&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>)| {
            let key = format!("{}.{}", self.key, bare(name.get_ref()));
            let node = Node::new(self.reading, value, key);
            NamedNode { name: name.get_ref(), name_span: name.span(), node }
        };
        let mut entries: Vec<_> = map.iter().map(entry).collect();
        entries.sort_by_key(|entry| entry.name_span.start);
        Some(entries)
    }

    pub(crate) fn found(&self) -> String {
        match self.value {
            DeValue::String(text) if text.chars().count() <= 60 => format!("{text:?}"),
            DeValue::String(_) => "a long string".into(),
            DeValue::Integer(number) => format!("the number {number}"),
            DeValue::Float(number) => format!("the number {number}"),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Datetime(_) => "a date".into(),
            DeValue::Array(_) => "a list".into(),
            DeValue::Table(_) => "a table".into(),
        }
    }
}

impl NamedNode<'_> {
    /// Notes an error at the name.
    pub(crate) fn name_error(&self, message: impl Into<String>) {
        self.node.reading.error(self.name_span.clone(), &self.node.key, message);
    }
}

/// A key as TOML writes it.
pub(crate) fn bare(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.is_empty() && key.chars().all(is_bare) { key.to_owned() } else { format!("{key:?}") }
}

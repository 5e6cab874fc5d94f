use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problem::{Problem, Severity};
use crate::read::bare;
use crate::source::{Place, Source};

/// Where each value of a configuration stands, by its JSON pointer (RFC 6901) into the file. What
/// goes wrong after the file has been read is told with its place too.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    source: Arc<Source>,
    spans: HashMap<String, Found>,
}

#[derive(Clone, Debug)]
struct Found {
    span: Range<usize>,
    /// The dotted key, as messages name it.
    key: String,
}

impl Places {
    pub(crate) fn new(source: Arc<Source>, root: &DeTable<'_>) -> Self {
        let mut places = Self { source, spans: HashMap::new() };
        places.insert(String::new(), Found { span: 0..0, key: String::new() });
        places.add_table(root, "", "");
        places
    }

    /// The place of a value, or of the nearest table or list around where it is missing.
    pub(crate) fn place(&self, pointer: &str) -> Place {
        self.source.place(self.nearest(pointer).0.start)
    }

    /// An error at a value.
    pub(crate) fn problem(&self, pointer: &str, message: String) -> Problem {
        let (span, key) = self.nearest(pointer);
        Problem {
            severity: Severity::Error,
            place: self.source.place(span.start),
            excerpt: self.source.excerpt(&span),
            key,
            message,
            help: None,
        }
    }

    fn nearest(&self, pointer: &str) -> (Range<usize>, String) {
        let mut around = pointer;
        loop {
            if let Some(found) = self.spans.get(around) {
                return (found.span.clone(), found.key.clone());
            }
            match around.rfind('/') {
                Some(end) => around = &around[..end],
                None => return (0..0, String::new()),
            }
        }
    }

    fn add_table(&mut self, table: &DeTable<'_>, pointer: &str, key: &str) {
        for (name, value) in table.iter() {
            let name = name.get_ref();
            let pointer = format!("{pointer}/{}", token(name));
            let key = match key {
                "" => bare(name),
                key => format!("{key}.{}", bare(name)),
            };
            self.add(value, pointer, key);
        }
    }

    fn add(&mut self, value: &Spanned<DeValue<'_>>, pointer: String, key: String) {
        match value.get_ref() {
            DeValue::Table(table) => self.add_table(table, &pointer, &key),
            DeValue::Array(elements) => {
                for (number, element) in elements.iter().enumerate() {
                    self.add(element, format!("{pointer}/{number}"), key.clone());
                }
            }
            _ => {}
        }
        self.insert(pointer, Found { span: value.span(), key });
    }

    fn insert(&mut self, pointer: String, found: Found) {
        self.spans.insert(pointer, found);
    }
}

/// A name as a JSON pointer writes it.
pub(crate) fn token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

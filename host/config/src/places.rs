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

    /// Whether something stands there.
    pub(crate) fn has(&self, pointer: &str) -> bool {
        self.spans.contains_key(pointer)
    }

    /// The place, and the key of what is meant even where it is missing.
    fn nearest(&self, pointer: &str) -> (Range<usize>, String) {
        let mut around = pointer;
        loop {
            if let Some(found) = self.spans.get(around) {
                let missing = pointer.get(around.len()..).unwrap_or_default();
                return (found.span.clone(), extended(&found.key, missing));
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

/// A key and the names behind it in a pointer, up to the first that counts elements of a list.
fn extended(key: &str, pointer: &str) -> String {
    let is_name = |name: &&str| name.parse::<usize>().is_err();
    let names = pointer.split('/').skip(1).take_while(is_name);
    names.fold(key.to_owned(), |key, name| {
        let name = bare(&name.replace("~1", "/").replace("~0", "~"));
        if key.is_empty() { name } else { format!("{key}.{name}") }
    })
}

/// A name as a JSON pointer writes it.
pub(crate) fn token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

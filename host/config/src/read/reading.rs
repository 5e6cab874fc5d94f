use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;

use crate::problem::{Problem, Problems, Severity};
use crate::source::Source;
use crate::surroundings::Surroundings;

/// What a configuration is being read from, and what was found wrong so far.
pub(crate) struct Reading<'a> {
    pub(crate) source: &'a Source,
    pub(crate) surroundings: &'a dyn Surroundings,
    found: RefCell<Vec<Found>>,
}

#[derive(PartialEq)]
struct Found {
    severity: Severity,
    span: Range<usize>,
    key: String,
    message: String,
    help: Option<String>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(source: &'a Source, surroundings: &'a dyn Surroundings) -> Self {
        Self { source, surroundings, found: RefCell::default() }
    }

    /// The folder that relative paths start from: the file's own.
    pub(crate) fn folder(&self) -> &Path {
        self.source.path().parent().unwrap_or_else(|| Path::new(""))
    }

    pub(crate) fn error(&self, span: Range<usize>, key: &str, message: impl Into<String>) {
        self.note(Severity::Error, span, key, message.into(), None);
    }

    pub(crate) fn note(
        &self,
        severity: Severity,
        span: Range<usize>,
        key: &str,
        message: String,
        help: Option<String>,
    ) {
        let found = Found { severity, span, key: key.to_owned(), message, help };
        self.found.borrow_mut().push(found);
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.found.borrow().iter().any(|found| found.severity == Severity::Error)
    }

    /// Everything, in the order of the file.
    pub(crate) fn problems(self) -> Problems {
        let mut found = self.found.into_inner();
        found.sort_by_key(|found| (found.span.start, found.span.end));
        found.dedup();
        let problem = |found: Found| Problem {
            severity: found.severity,
            place: self.source.place(found.span.start),
            excerpt: self.source.excerpt(&found.span),
            key: found.key,
            message: found.message,
            help: found.help,
        };
        Problems(found.into_iter().map(problem).collect())
    }
}

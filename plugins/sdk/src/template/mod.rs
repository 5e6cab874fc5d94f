//! Queries as an operator writes them, with placeholders for who is asked for.
//!
//! | placeholder | is |
//! | --- | --- |
//! | `%e` | the address |
//! | `%u` | its local part |
//! | `%d` | its domain |
//! | `%s` | the domain as `dc=` components: `dc=example,dc=test` |
//! | `%%` | a percent sign |
//!
//! A template is parsed once, in `configure`, so that a bad one is a problem with its place before
//! anybody logs in. Filling it gives the text of a query with `{0}`, `{1}` … and the parameters
//! beside it: what a client chose is never part of the text, and the host escapes it for the place
//! in which it stands. The parser therefore allows a placeholder only where a value stands: behind
//! the `=` of a filter's item or of a relative distinguished name.

mod base;
mod filter;
mod lexer;

use std::fmt;

pub use base::Base;
pub use filter::Filter;

/// Who is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What stands before the `@`; empty for a catch-all.
    pub local_part: String,
    /// What stands behind it.
    pub domain: String,
}

impl Subject {
    /// The whole address.
    pub fn address(&self) -> String {
        format!("{}@{}", self.local_part, self.domain)
    }
}

/// What may stand in a template for a part of the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placeholder {
    /// `%e`: the address.
    Address,
    /// `%u`: its local part.
    LocalPart,
    /// `%d`: its domain.
    Domain,
    /// `%s`: the domain as `dc=` components.
    Components,
}

impl Placeholder {
    /// Every placeholder.
    pub const ALL: [Self; 4] = [Self::Address, Self::LocalPart, Self::Domain, Self::Components];

    fn value(self, subject: &Subject) -> String {
        match self {
            Self::Address => subject.address(),
            Self::LocalPart => subject.local_part.clone(),
            Self::Domain => subject.domain.clone(),
            Self::Components => format!("dc={}", subject.domain.replace('.', ",dc=")),
        }
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "%e",
            Self::LocalPart => "%u",
            Self::Domain => "%d",
            Self::Components => "%s",
        })
    }
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// Which character of the text, counted from 1; one more than there are for its end.
    pub at: usize,
    /// What was expected there, or what may not stand there.
    pub message: String,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.at, self.message)
    }
}

/// The parameters of one query, shared by its base and its filter.
#[derive(Debug)]
pub struct Parameters<'a> {
    subject: &'a Subject,
    values: Vec<Vec<u8>>,
    /// The placeholders that have a number already. One serves wherever its placeholder stands.
    numbers: Vec<(Placeholder, usize)>,
}

impl<'a> Parameters<'a> {
    /// No parameters yet, of a query for `subject`.
    pub fn new(subject: &'a Subject) -> Self {
        Self { subject, values: Vec::new(), numbers: Vec::new() }
    }

    /// The values, in the order of their numbers.
    pub fn into_values(self) -> Vec<Vec<u8>> {
        self.values
    }

    /// Appends `{n}` for the value of `placeholder` as one value.
    fn write(&mut self, placeholder: Placeholder, text: &mut String) {
        let known = self.numbers.iter().find(|(known, _)| *known == placeholder);
        if let Some((_, number)) = known {
            push_number(*number, text);
            return;
        }
        self.numbers.push((placeholder, self.values.len()));
        self.write_value(placeholder.value(self.subject), text);
    }

    /// Appends `dc={n}` for each label of the domain, with commas between.
    fn write_components(&mut self, text: &mut String) {
        for (index, label) in self.subject.domain.split('.').enumerate() {
            text.push_str(if index == 0 { "dc=" } else { ",dc=" });
            self.write_value(label.into(), text);
        }
    }

    fn write_value(&mut self, value: String, text: &mut String) {
        push_number(self.values.len(), text);
        self.values.push(value.into_bytes());
    }
}

fn push_number(number: usize, text: &mut String) {
    text.push('{');
    text.push_str(&number.to_string());
    text.push('}');
}

/// A parsed template: text that is sent as it is, and placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Placeholder(Placeholder),
}

/// Appends to the text at the end of `pieces`.
fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ => pieces.push(Piece::Text(text.into())),
    }
}

/// Appends one literal character of a value. A brace would read as a parameter's; `\7b` means the
/// same in a filter (RFC 4515 section 3) and in a distinguished name (RFC 4514 section 2.4).
fn push_literal(pieces: &mut Vec<Piece>, literal: char) {
    match literal {
        '{' => push_text(pieces, r"\7b"),
        '}' => push_text(pieces, r"\7d"),
        other => push_text(pieces, other.encode_utf8(&mut [0; 4])),
    }
}

fn uses(pieces: &[Piece], placeholder: Placeholder) -> bool {
    pieces.contains(&Piece::Placeholder(placeholder))
}

//! From LDIF (RFC 2849) to records: version line, comments, folded lines, base64. Only content is
//! read; change records and values by URL are refused.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use crate::attribute::AttributeName;
use crate::dn::{Ava, AvaValue};
use crate::{Dn, DnError};

/// The largest content, in octets.
pub const MAX_LDIF: usize = 512 * 1024 * 1024;
/// The longest line, in octets, folded lines put together.
pub const MAX_LINE: usize = 4 * 1024 * 1024;
/// The most values of one entry.
const MAX_VALUES: usize = 65_536;

/// Why some content is not a directory.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {problem}")]
pub struct LdifError {
    /// The line, from 1; of an entry, its first.
    pub line: usize,
    /// What is wrong.
    pub problem: LdifProblem,
}

/// What is wrong with a line or an entry.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LdifProblem {
    /// More than [`MAX_LDIF`] octets.
    #[error("the file is larger than {MAX_LDIF} octets")]
    TooLarge,
    /// A line of more than [`MAX_LINE`] octets.
    #[error("the line is longer than {MAX_LINE} octets")]
    LineTooLong,
    /// An entry with very many values.
    #[error("the entry has more than {MAX_VALUES} values")]
    TooManyValues,
    /// A version other than 1 (RFC 2849).
    #[error("this is not LDIF version 1")]
    Version,
    /// A line that starts with a space, behind nothing.
    #[error("this line goes on where no line was begun")]
    Continuation,
    /// An entry that does not start with its name.
    #[error("an entry starts with `dn:`")]
    NoDn,
    /// A name in the middle of an entry.
    #[error("a second `dn:` in one entry: put an empty line between entries")]
    SecondDn,
    /// A line without colon.
    #[error("a line reads `attribute: value`")]
    NoColon,
    /// No attribute before the colon.
    #[error("what stands before the colon is no attribute")]
    Attribute,
    /// Base64 that is none.
    #[error("what stands behind `::` is not base64")]
    Base64,
    /// A value by URL.
    #[error("a value by URL (`:<`) is not read: put the value in its place")]
    Url,
    /// A change record.
    #[error("this is a change, not an entry: apply the changes and write the entries")]
    Change,
    /// NUL in a value that is not in base64.
    #[error("a value holds NUL or a lone carriage return: write it in base64")]
    Character,
    /// The entry's name.
    #[error("this is no distinguished name: {0}")]
    Dn(DnError),
    /// A name that is not UTF-8.
    #[error("a distinguished name is UTF-8")]
    DnNotUtf8,
    /// The entry is not below the directory's base.
    #[error("the entry is not at or below the base {0:?}")]
    Outside(String),
    /// There is an entry of that name.
    #[error("there is an entry of this name already")]
    Duplicate,
    /// An entry of 4 GiB.
    #[error("the entry is too large")]
    EntryTooLarge,
    /// More entries than can be counted.
    #[error("there are too many entries")]
    TooManyEntries,
}

/// One entry as it was written.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) line: usize,
    pub(crate) dn_text: String,
    pub(crate) dn: Dn,
    pub(crate) attributes: Vec<(Arc<AttributeName>, Vec<u8>)>,
}

/// Reads a file of at most [`MAX_LDIF`] octets, and one more, by which `read` knows.
pub(crate) fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let limit = u64::try_from(MAX_LDIF).unwrap_or(u64::MAX).saturating_add(1);
    let mut content = Vec::new();
    std::fs::File::open(path)?.take(limit).read_to_end(&mut content)?;
    Ok(content)
}

/// Reads every entry.
pub(crate) fn read(content: &[u8]) -> Result<Vec<Record>, LdifError> {
    if content.len() > MAX_LDIF {
        return Err(LdifError { line: 1, problem: LdifProblem::TooLarge });
    }
    let mut reader = Reader::default();
    for line in Lines::new(content) {
        let (number, line) = line?;
        reader.line(number, &line).map_err(|problem| LdifError { line: number, problem })?;
    }
    reader.end_of_entry();
    Ok(reader.records)
}

#[derive(Default)]
struct Reader {
    records: Vec<Record>,
    /// The attributes that have occurred, by their spelling.
    names: HashMap<Box<str>, Arc<AttributeName>>,
    current: Option<Record>,
    /// Whether anything but comments was read.
    begun: bool,
}

impl Reader {
    /// Takes one unfolded line; an empty one ends an entry.
    fn line(&mut self, number: usize, line: &[u8]) -> Result<(), LdifProblem> {
        if line.is_empty() {
            self.end_of_entry();
            return Ok(());
        }
        if line == b"-" {
            return Err(LdifProblem::Change);
        }
        let (name, value) = parse_line(line)?;
        let first = !std::mem::replace(&mut self.begun, true);
        if first && name.eq_ignore_ascii_case("version") {
            return if value == b"1" { Ok(()) } else { Err(LdifProblem::Version) };
        }
        match &mut self.current {
            None => {
                self.current = Some(begin(number, name, value)?);
                Ok(())
            }
            Some(record) => add(&mut self.names, record, name, value),
        }
    }

    fn end_of_entry(&mut self) {
        if let Some(mut record) = self.current.take() {
            add_naming_values(&mut record);
            self.records.push(record);
        }
    }
}

fn begin(line: usize, name: &str, value: Vec<u8>) -> Result<Record, LdifProblem> {
    if !name.eq_ignore_ascii_case("dn") {
        return Err(LdifProblem::NoDn);
    }
    let dn_text = String::from_utf8(value).map_err(|_| LdifProblem::DnNotUtf8)?;
    let dn = Dn::parse(&dn_text).map_err(LdifProblem::Dn)?;
    Ok(Record { line, dn_text, dn, attributes: Vec::new() })
}

fn add(
    names: &mut HashMap<Box<str>, Arc<AttributeName>>,
    record: &mut Record,
    name: &str,
    value: Vec<u8>,
) -> Result<(), LdifProblem> {
    if name.eq_ignore_ascii_case("dn") {
        return Err(LdifProblem::SecondDn);
    }
    let change = ["changetype", "control"].iter().any(|word| name.eq_ignore_ascii_case(word));
    if change && record.attributes.is_empty() {
        return Err(LdifProblem::Change);
    }
    if record.attributes.len() >= MAX_VALUES {
        return Err(LdifProblem::TooManyValues);
    }
    let attribute = match names.get(name) {
        Some(attribute) => attribute.clone(),
        None => {
            let parsed = AttributeName::parse(name).ok_or(LdifProblem::Attribute)?;
            names.entry(name.into()).or_insert_with(|| Arc::new(parsed)).clone()
        }
    };
    record.attributes.push((attribute, value));
    Ok(())
}

/// Adds the values of the entry's own name where they are missing, as a server does when an entry
/// is added (RFC 4511 section 4.7).
fn add_naming_values(record: &mut Record) {
    let Record { dn, attributes, .. } = record;
    for Ava { attribute, value } in dn.rdns().first().into_iter().flat_map(|rdn| &rdn.0) {
        let AvaValue::Text(text) = value else { continue };
        let folded = crate::fold::fold(text);
        let there = attributes.iter().any(|(name, value)| {
            name.key() == attribute.key() && crate::fold::folds_to(value, &folded)
        });
        if !there {
            attributes.push((Arc::new(attribute.clone()), text.clone()));
        }
    }
}

/// Takes a line apart: `name: value`, `name:: base64`.
fn parse_line(line: &[u8]) -> Result<(&str, Vec<u8>), LdifProblem> {
    let colon = line.iter().position(|b| *b == b':').ok_or(LdifProblem::NoColon)?;
    let (name, rest) = line.split_at_checked(colon).ok_or(LdifProblem::NoColon)?;
    let name = std::str::from_utf8(name).map_err(|_| LdifProblem::Attribute)?;
    let value = match rest {
        [b':', b':', encoded @ ..] => {
            STANDARD.decode(encoded.trim_ascii()).map_err(|_| LdifProblem::Base64)?
        }
        [b':', b'<', ..] => return Err(LdifProblem::Url),
        [b':', text @ ..] if text.iter().any(|b| matches!(b, 0 | b'\r')) => {
            return Err(LdifProblem::Character);
        }
        [b':', text @ ..] => {
            let spaces = text.iter().take_while(|b| **b == b' ').count();
            text.get(spaces..).unwrap_or_default().to_vec()
        }
        _ => return Err(LdifProblem::NoColon),
    };
    Ok((name, value))
}

/// The lines of some content with their numbers, folded ones put together, comments left out.
struct Lines<'a> {
    rest: &'a [u8],
    /// The number of the line that `rest` starts with.
    number: usize,
}

impl<'a> Lines<'a> {
    fn new(content: &'a [u8]) -> Self {
        Self { rest: content, number: 1 }
    }

    /// The next line as it stands, without its end.
    fn physical(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|b| *b == b'\n').unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..).unwrap_or_default();
        self.number += 1;
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<(usize, Vec<u8>), LdifError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let number = self.number;
            let fault = |problem| Some(Err(LdifError { line: number, problem }));
            let first = self.physical()?;
            if first.starts_with(b" ") {
                return fault(LdifProblem::Continuation);
            }
            let mut line = first.to_vec();
            // An empty line cannot go on: what starts with a space behind it is refused above.
            while !line.is_empty() && self.rest.starts_with(b" ") {
                let more = self.physical()?;
                line.extend_from_slice(more.get(1..).unwrap_or_default());
                if line.len() > MAX_LINE {
                    return fault(LdifProblem::LineTooLong);
                }
            }
            if line.len() > MAX_LINE {
                return fault(LdifProblem::LineTooLong);
            }
            if !line.starts_with(b"#") {
                return Some(Ok((number, line)));
            }
        }
    }
}
